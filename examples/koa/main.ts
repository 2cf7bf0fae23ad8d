import { koaUploads } from 'carryon/adapters/koa'
import { openUploads } from 'carryon/node'
import Koa from 'koa'

const app = new Koa()
app.use(koaUploads(await openUploads({ dir: process.env['UPLOADS'] ?? './uploads', path: '/files/' })))
app.use((context) => void (context.body = 'the rest of the app\n'))
const server = app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => console.log('ready'))
server.requestTimeout = 0
