import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

/** @tus/server with its file store, as a process of its own: some cases throw exceptions out of its streams. */
const [, , directory = ''] = process.argv
const store = new FileStore({ directory })
const server = new Server({ path: '/files', datastore: store }).listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send?.(typeof address === 'object' && address !== null ? address.port : 0)
})
// Without this the peer dies of `ReadableStream is already closed` when a body breaks off, and every case after it fails.
process.on('uncaughtException', () => undefined)
process.on('disconnect', () => process.exit(0))
