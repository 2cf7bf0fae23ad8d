import type { ServedByFetch } from './served.ts'
import { fetchOf } from './served.ts'

/** What is used of Hono's context. */
export interface HonoContext {
  readonly req: { readonly raw: Request }
  /** What the runtime puts here: `@hono/node-server` Node's request. */
  readonly env: unknown
}

export type HonoMiddleware = (
  context: HonoContext,
  next: () => Promise<void>,
) => Promise<Response | undefined>

/**
 * Serves uploads in a Hono app on any runtime: `app.use(honoUploads(uploads))`.
 *
 * The path is the `path` of `openUploads`, whole, also below `app.route` and `basePath`; the next handler sees every
 * other path.
 */
export function honoUploads(uploads: ServedByFetch): HonoMiddleware {
  const handle = fetchOf(uploads)
  // Not by Node's request and response, though they can be had: other middlewares add fields to the answer, and then
  // @hono/node-server tries to send it a second time.
  return async ({ req, env }, next) => {
    const response = await handle(req.raw, { peerAddress: peerOf(env) })
    if (response === undefined) await next()
    return response
  }
}

interface NodeBindings {
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } }
}

/** On other runtimes it is not to be had in one way. */
function peerOf(env: unknown): string | undefined {
  return (env as NodeBindings | undefined)?.incoming?.socket?.remoteAddress
}
