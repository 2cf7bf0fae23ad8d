import type { NodeRequest, NodeResponse } from './node.ts'
import type { ServedByNode } from './served.ts'
import { listenerOf } from './served.ts'

/** A middleware of Express 4 and 5, Connect, Polka and all that take `(request, response, next)`. */
export type ExpressMiddleware = (
  request: NodeRequest,
  response: NodeResponse,
  next: (error?: unknown) => void,
) => void

/**
 * Serves uploads in an Express app: `app.use(expressUploads(uploads))`, before any body parser.
 *
 * The path is the `path` of `openUploads`, whole, also where the middleware is mounted on a part of it; `next` is
 * called for every other path.
 */
export function expressUploads(uploads: ServedByNode): ExpressMiddleware {
  const listener = listenerOf(uploads)
  return (request, response, next) => listener(request, response, () => next())
}
