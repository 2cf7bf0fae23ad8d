import { createHash } from 'node:crypto'
import { fastifyResumable } from 'carryon/resumable'
import fastify from 'fastify'

const app = fastify()
await app.register(fastifyResumable({ dir: process.env['UPLOADS'] ?? './uploads', path: '/photos' }))
app.addContentTypeParser('*', (_, body, done) => done(null, body))
app.post('/photos', ({ raw }) => raw.pipe(createHash('sha256').setEncoding('hex')))
app.listen({ port: Number(process.env['PORT'] ?? 3000) }, () => console.log('ready'))
