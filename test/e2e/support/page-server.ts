import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('../../../node_modules/tus-js-client/dist/tus.min.js', import.meta.url))
const page = '<!doctype html><meta charset="utf-8"><title>uploads</title><script src="/tus.js"></script>'

export interface PageServer {
  readonly origin: string
  close(): void
}

/** Serves a page with tus-js-client, on a port and so an origin of its own. */
export async function pageServer(): Promise<PageServer> {
  const tus = await readFile(script)
  const server = createServer((request, response) => {
    const isScript = request.url === '/tus.js'
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html')
    response.end(isScript ? tus : page)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
