import type { NodeRequest, NodeResponse } from './node.ts'
import type { ServedByNode } from './served.ts'
import { answered, listenerOf } from './served.ts'

/** What is used of Koa's context. */
export interface KoaContext {
  readonly req: NodeRequest
  readonly res: NodeResponse
  /** The URL before a mount took something off it. */
  readonly originalUrl: string
  respond?: boolean | undefined
}

export type KoaMiddleware = (context: KoaContext, next: () => Promise<unknown>) => Promise<void>

/**
 * Serves uploads in a Koa app: `app.use(koaUploads(uploads))`, before any body parser.
 *
 * The path is the `path` of `openUploads`, whole, also below `koa-mount`; the next middleware sees every other path.
 */
export function koaUploads(uploads: ServedByNode): KoaMiddleware {
  const listener = listenerOf(uploads)
  return async (context, next) => {
    const { req: request, res: response, originalUrl } = context
    if (await answered(listener, { request: Object.assign(request, { originalUrl }), response })) {
      // The answer is written; Koa must not add one of its own.
      context.respond = false
    } else await next()
  }
}
