import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { resumableListener } from 'carryon/resumable'

const photos = await resumableListener(
  (request, response) => request.pipe(createHash('sha256').setEncoding('hex')).pipe(response),
  { dir: process.env['UPLOADS'] ?? './uploads', path: '/photos' },
)
createServer(photos).listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => console.log('ready'))
