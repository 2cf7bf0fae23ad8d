import { createHash } from 'node:crypto'
import { expressResumable } from 'carryon/resumable'
import express, { type Request, type Response } from 'express'

const options = { dir: process.env['UPLOADS'] ?? './uploads', path: '/photos' }
const app = express()
const photos = (request: Request, response: Response): unknown =>
  request.pipe(createHash('sha256').setEncoding('hex')).pipe(response)
app.use('/photos', await expressResumable(app, photos, options))
app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => console.log('ready'))
