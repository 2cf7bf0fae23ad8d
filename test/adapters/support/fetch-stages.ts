import type { FetchHandler } from '../../../src/adapters/fetch.ts'
import { bunUploads } from '../../../src/adapters/bun.ts'
import { nextUploads } from '../../../src/adapters/next.ts'
import { svelteKitRoute, svelteKitUploads } from '../../../src/adapters/sveltekit.ts'
import { serveFetch } from '../../conformance/serve-fetch.ts'
import { H3 } from 'h3'
import { h3Uploads } from '../../../src/adapters/h3.ts'
import type { Stage } from './stage.ts'
import { HELLO, listening } from './stage.ts'

async function ownRoutes(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url)
  if (pathname === '/hello') return new Response(HELLO)
  if (pathname === '/echo') return Response.json(await request.json())
  return new Response('no such page', { status: 404 })
}

/** Serves handlers that are called with a `Request`, as the runtimes of that kind do. */
function stage(
  name: string,
  adapter: string,
  make: (uploads: { readonly fetch: FetchHandler }) => (request: Request) => Promise<Response | undefined>,
  asFunctions?: true,
): Stage {
  return {
    name,
    adapter,
    onNode: false,
    ...(asFunctions === undefined ? {} : { asFunctions }),
    start(uploads, parsesFirst) {
      // Without the listener: what runs elsewhere than on Node has none to use.
      const handler = make({ fetch: uploads.fetch })
      return listening(
        serveFetch(async (request) => {
          if (parsesFirst) await request.arrayBuffer()
          return (await handler(request)) ?? ownRoutes(request)
        }),
      )
    },
  }
}

/** Frameworks that route by folders call the handler for what is below the folder only. */
function inFolder(handler: (request: Request) => Promise<Response>): (request: Request) => Promise<Response> {
  return (request) =>
    /^\/files(?:\/|$)/.test(new URL(request.url).pathname) ? handler(request) : ownRoutes(request)
}

const methodsOf = (request: Request) =>
  request.method as 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'DELETE' | 'OPTIONS'

export const FETCH_STAGES: readonly Stage[] = [
  stage('Request → Response', 'fetch', (uploads) => uploads.fetch),
  stage('h3 2, away from Node', 'h3', (uploads) => {
    const app = new H3()
    app.use(h3Uploads(uploads))
    app.all('/**', (event) => ownRoutes(event.req))
    return async (request) => app.fetch(request)
  }),
  stage(
    'Next, app router',
    'next',
    (uploads) => {
      const route = nextUploads(uploads)
      return inFolder((request) => route[methodsOf(request)](request))
    },
    true,
  ),
  stage(
    'SvelteKit, hooks',
    'sveltekit',
    (uploads) => {
      const handle = svelteKitUploads(uploads)
      const resolve = ({ request }: { readonly request: Request }): Promise<Response> => ownRoutes(request)
      return (request) => handle({ event: { request, getClientAddress: () => '127.0.0.1' }, resolve })
    },
    true,
  ),
  stage(
    'SvelteKit, route',
    'sveltekit',
    (uploads) => {
      const route = svelteKitRoute(uploads)
      const getClientAddress = (): string => {
        throw new Error('this adapter of the kit does not know')
      }
      return inFolder((request) => route[methodsOf(request)]({ request, getClientAddress }))
    },
    true,
  ),
  stage(
    'Bun.serve',
    'bun',
    (uploads) => {
      const files = bunUploads(uploads)
      const server = { requestIP: () => ({ address: '127.0.0.1' }), timeout: () => undefined }
      return (request) => files(request, server)
    },
    true,
  ),
]
