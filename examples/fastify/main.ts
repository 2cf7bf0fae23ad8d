import { fastifyUploads } from 'carryon/adapters/fastify'
import { openUploads } from 'carryon/node'
import Fastify from 'fastify'

const uploads = await openUploads({ dir: process.env['UPLOADS'] ?? './uploads', path: '/files/' })
const app = Fastify()
await app.register(fastifyUploads(uploads), { prefix: '/files' })
app.get('/', () => 'the rest of the app\n')
await app.listen({ port: Number(process.env['PORT'] ?? 3000), host: '127.0.0.1' })
console.log('ready')
