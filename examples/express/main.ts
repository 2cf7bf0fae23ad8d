import { expressUploads } from 'carryon/adapters/express'
import { openUploads } from 'carryon/node'
import express from 'express'

const app = express()
app.use(expressUploads(await openUploads({ dir: process.env['UPLOADS'] ?? './uploads', path: '/files/' })))
app.use(express.json(), (_request, response) => void response.send('the rest of the app\n'))
const server = app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => console.log('ready'))
server.requestTimeout = 0
