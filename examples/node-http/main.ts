import { createServer } from 'node:http'
import { openUploads } from 'carryon/node'

const uploads = await openUploads({ dir: process.env['UPLOADS'] ?? './uploads', path: '/files/' })
const server = createServer((request, response) => {
  uploads.listener(request, response, () => response.end('the rest of the app\n'))
})
server.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => console.log('ready', server.address()))
