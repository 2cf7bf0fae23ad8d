import type { NodeRequest, NodeResponse } from './node.ts'
import type { ServedByFetch, ServedByNode } from './served.ts'
import { answered, fetchOf, listenerOf } from './served.ts'

type RouteHandler = (request: Request) => Promise<Response>

/** The handlers that a `route.ts` of the app router exports. */
export type NextRoute = Readonly<
  Record<'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS', RouteHandler>
>

/**
 * Serves uploads in Next's app router. In `app/files/[[...id]]/route.ts`:
 * `export const { GET, HEAD, POST, PATCH, DELETE, OPTIONS } = nextUploads(uploads)`.
 *
 * Folder and `path` of `openUploads` name the same place. Clients use it without its last slash (`/files`), because
 * Next redirects the other form.
 */
export function nextUploads(uploads: ServedByFetch): NextRoute {
  const handle = fetchOf(uploads)
  const route: RouteHandler = async (request) =>
    (await handle(request)) ?? new Response('Not found\n', { status: 404 })
  return { GET: route, HEAD: route, POST: route, PUT: route, PATCH: route, DELETE: route, OPTIONS: route }
}

export type NextApiHandler = (request: NodeRequest, response: NodeResponse) => Promise<void>

/**
 * Serves uploads in Next's pages router. In `pages/api/files/[[...id]].ts`:
 * `export default nextApiUploads(uploads)`, and
 * `export const config = { api: { bodyParser: false } }`, written out there, because Next reads it without running it.
 */
export function nextApiUploads(uploads: ServedByNode): NextApiHandler {
  const listener = listenerOf(uploads)
  return async (request, response) => {
    await answered((req, res) => listener(req, res), { request, response })
  }
}
