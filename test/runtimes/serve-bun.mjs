// The fetch adapter with the file store and the SQLite catalog, under Bun: bun serve-bun.mjs DIR
import { openUploads } from '../../dist/node/index.js'

const uploads = await openUploads({ dir: process.argv[2], report: (error) => console.error(error) })
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  // Bun's own limit is 128 MiB, and it ends a quiet connection after 10 s: both are the engine's to decide.
  maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  idleTimeout: 0,
  async fetch(request, bun) {
    const peerAddress = bun.requestIP(request)?.address
    return (await uploads.fetch(request, { peerAddress })) ?? new Response('Not found\n', { status: 404 })
  },
})
console.log(`http://127.0.0.1:${server.port}/files/`)
process.once('SIGTERM', () => {
  void uploads.close(1000).finally(() => process.exit(0))
})
