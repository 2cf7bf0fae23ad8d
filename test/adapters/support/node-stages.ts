import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { createServer as createTlsServer } from 'node:https'
import { buffer, json } from 'node:stream/consumers'
import type { NodeListener } from '../../../src/adapters/node.ts'
import { nextApiUploads } from '../../../src/adapters/next.ts'
import { h3Uploads } from '../../../src/adapters/h3.ts'
import type { Stage } from './stage.ts'
import { HELLO, listening } from './stage.ts'

const support = new URL('../../e2e/support/', import.meta.url)
export const CERTIFICATE: Buffer = readFileSync(new URL('localhost.cert.pem', support))
const KEY = readFileSync(new URL('localhost.key.pem', support))

type AnyRequest = IncomingMessage | Http2ServerRequest
type AnyResponse = ServerResponse | Http2ServerResponse

/** The app around a middleware, by hand. */
function appAround(middleware: NodeListener, parsesFirst: boolean) {
  return async (request: AnyRequest, nodeResponse: AnyResponse): Promise<void> => {
    const response = nodeResponse as ServerResponse
    if (parsesFirst) await buffer(request)
    middleware(request, response, () => void ownRoutes(request, response))
  }
}

async function ownRoutes(request: AnyRequest, response: ServerResponse): Promise<void> {
  if (request.url === '/hello') response.end(HELLO)
  else if (request.url === '/echo') response.end(JSON.stringify(await json(request)))
  else response.writeHead(404).end('no such page')
}

export const NODE_STAGES: readonly Stage[] = [
  {
    name: 'node:http',
    adapter: 'node',
    onNode: true,
    start: (uploads, parsesFirst) => {
      const app = appAround(uploads.listener, parsesFirst)
      return listening(createServer((request, response) => void app(request, response)))
    },
  },
  {
    name: 'node:https',
    adapter: 'node',
    onNode: true,
    speaks: 'https',
    start: (uploads, parsesFirst) => {
      const app = appAround(uploads.listener, parsesFirst)
      const server = createTlsServer({ key: KEY, cert: CERTIFICATE }, (request, response) => {
        void app(request, response)
      })
      return listening(server, 'https')
    },
  },
  {
    name: 'node:http2',
    adapter: 'node',
    onNode: true,
    speaks: 'h2c',
    start: (uploads, parsesFirst) => {
      const app = appAround(uploads.listener, parsesFirst)
      return listening(createHttp2Server((request, response) => void app(request, response)))
    },
  },
  {
    name: 'Next, pages router',
    adapter: 'next',
    onNode: true,
    asFunctions: true,
    start: (uploads, parsesFirst) => {
      const handler = nextApiUploads(uploads)
      // Next routes by folders: only what is below pages/api/files comes to the handler.
      const route: NodeListener = (request, response, next) => {
        if (request.url?.startsWith('/files')) void handler(request, response)
        else next?.()
      }
      const app = appAround(route, parsesFirst)
      return listening(createServer((request, response) => void app(request, response)))
    },
  },
  {
    name: 'h3 1 (Nuxt, Nitro 2)',
    adapter: 'h3',
    onNode: true,
    asFunctions: true,
    start: (uploads, parsesFirst) => {
      const handler = h3Uploads(uploads)
      // The shape of that version's events; a handler that has written nothing leaves them to the next one.
      const layer: NodeListener = (req, res, next) => {
        void handler({ node: { req, res } }).then(() =>
          res.headersSent || res.destroyed ? undefined : next?.(),
        )
      }
      const app = appAround(layer, parsesFirst)
      return listening(createServer((request, response) => void app(request, response)))
    },
  },
]
