import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const HTML =
  '<!doctype html><meta charset="utf-8"><title>uploads</title><input type="file"><script src="/page.js"></script>'

/** Serves a page that picks and uploads files, from an origin of its own. */
export interface Pages {
  readonly origin: string
  /** What the page is told to send as `Authorization`. */
  token: string
  /** How often it asked. */
  tokensGiven: number
  close(): void
}

export async function servePages(): Promise<Pages> {
  const script = await bundled()
  const contents: Readonly<Record<string, readonly [type: string, body: string]>> = {
    '/': ['text/html', HTML],
    '/page.js': ['text/javascript', script],
    '/worker.js': ['text/javascript', `${script}\nuploads.serve()`],
  }
  const server = createServer((request, response) => {
    const isToken = request.url === '/token'
    if (isToken) pages.tokensGiven += 1
    const [type, body] = isToken
      ? ['text/plain', pages.token]
      : (contents[request.url ?? ''] ?? ['text/plain', ''])
    response.setHeader('Content-Type', type)
    response.end(body)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const pages: Pages = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: '',
    tokensGiven: 0,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
  return pages
}

async function bundled(): Promise<string> {
  const bundle = await rolldown({
    input: fileURLToPath(new URL('page.ts', import.meta.url)),
    platform: 'browser',
  })
  const { output } = await bundle.generate({ format: 'iife', name: 'uploads' })
  await bundle.close()
  return output[0].code
}
