import { createServer } from 'node:http'
import { reject } from 'carryon'
import { openUploads } from 'carryon/node'

const users = new Map([['Bearer secret', 'ann']])
const uploads = await openUploads({
  dir: process.env['UPLOADS'] ?? './uploads',
  // Every request but preflights. From here on an upload of another owner is a 404.
  onRequest(context) {
    context.owner = users.get(context.header('authorization') ?? '')
    return context.owner === undefined ? reject({ status: 401 }) : undefined
  },
  ownerBounds: { maxBytes: 10 * 1024 ** 3, maxUploads: 20 },
  hooks: {
    onCreate: ({ upload: { metadata } }) =>
      metadata['filename'] === undefined ? reject({ status: 422, body: 'a file has a name' }) : undefined,
    // Once all bytes are durable. The answer goes to the client, and again if it got lost on the way.
    onFinish: async ({ path, owner }) => ({ body: JSON.stringify({ owner, file: await path() }) }),
  },
})
const server = createServer()
uploads.attach(server)
server.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => console.log('ready', server.address()))
