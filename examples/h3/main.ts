import { h3Uploads } from 'carryon/adapters/h3'
import { openUploads } from 'carryon/node'
import { H3, serve } from 'h3'

const app = new H3()
app.use(h3Uploads(await openUploads({ dir: process.env['UPLOADS'] ?? './uploads', path: '/files/' })))
app.get('/', () => 'the rest of the app\n')
const port = process.env['PORT'] ?? 3000
await serve(app, { port, hostname: '127.0.0.1', node: { requestTimeout: 0 } }).ready()
console.log('ready')
