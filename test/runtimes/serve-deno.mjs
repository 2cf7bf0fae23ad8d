// The fetch adapter with the file store and the SQLite catalog, under Deno: deno run -A serve-deno.mjs DIR
import process from 'node:process'
import { openUploads } from '../../dist/node/index.js'

const uploads = await openUploads({ dir: process.argv[2], report: (error) => console.error(error) })
Deno.serve(
  {
    hostname: '127.0.0.1',
    port: 0,
    onListen: ({ port }) => console.log(`http://127.0.0.1:${port}/files/`),
  },
  async (request, info) => {
    const peerAddress = info.remoteAddr.hostname
    return (await uploads.fetch(request, { peerAddress })) ?? new Response('Not found\n', { status: 404 })
  },
)
Deno.addSignalListener('SIGTERM', () => {
  void uploads.close(1000).finally(() => Deno.exit(0))
})
