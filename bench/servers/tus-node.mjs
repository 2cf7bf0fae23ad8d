// The peer: @tus/server with its file store and their defaults. Plain JavaScript, so no loader takes part in the
// measured CPU time or the start.
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

const [port, directory] = process.argv.slice(2)
const server = new Server({ path: '/files', datastore: new FileStore({ directory }) })
server.listen({ host: '127.0.0.1', port: Number(port) })
