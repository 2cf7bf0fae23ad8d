import type { NodeRequest, NodeResponse } from './node.ts'
import type { NodePair, ServedByBoth } from './served.ts'
import { answered, fetchOf, nodePairOf, nodeWay } from './served.ts'

/** What is used of an event of h3 2 (Nitro 3): a `Request`, and Node's own below it where that is the runtime. */
interface EventOf2 {
  /** A `Request`; h3 has types of its own for its fields. */
  readonly req: { readonly url: string; readonly ip?: string | undefined }
  readonly res: { readonly headers: Iterable<readonly [string, string]> }
  readonly runtime:
    | { readonly node?: { readonly req: unknown; readonly res?: unknown } | undefined }
    | undefined
}

/** What is used of an event of h3 1 (Nuxt 3 and 4, Nitro 2). */
interface EventOf1 {
  readonly node: { readonly req: NodeRequest; readonly res: NodeResponse }
}

export type H3Event = EventOf1 | EventOf2

/** A handler, or a middleware: what it answers `undefined` or {@link NOT_FOUND} for is left to the app. */
export type H3Handler = ((event: H3Event) => Promise<unknown>) & {
  /** By this h3 1 knows its handlers. */
  readonly __is_handler__: true
}

/** How h3 2 is told that Node's response is written already, and that a handler knows nothing of a path. */
const HANDLED = Symbol.for('h3.handled')
const NOT_FOUND = Symbol.for('h3.notFound')

/**
 * Serves uploads in an h3 app: `app.use(h3Uploads(uploads))`; in Nuxt and Nitro
 * `export default h3Uploads(uploads)` in `server/middleware/uploads.ts`.
 *
 * The path is the `path` of `openUploads`, whole. On Node it works on Node's own request and response.
 */
export function h3Uploads(uploads: ServedByBoth): H3Handler {
  const handle = async (event: H3Event): Promise<unknown> =>
    'runtime' in event ? answer2(uploads, event) : answer1(uploads, event)
  return Object.assign(handle, { __is_handler__: true as const })
}

async function answer2(uploads: ServedByBoth, { req, res, runtime }: EventOf2): Promise<unknown> {
  const pair = nodePairOf(runtime?.node?.req, runtime?.node?.res)
  const listener = nodeWay(uploads, pair)
  if (pair !== undefined && listener !== undefined) {
    // What middlewares before this one have set.
    for (const [name, value] of res.headers) pair.response.appendHeader(name, value)
    return (await answered(listener, pair)) ? HANDLED : NOT_FOUND
  }
  return (await fetchOf(uploads)(req as Request, { peerAddress: req.ip })) ?? NOT_FOUND
}

/** That version has Node's request everywhere, and sees by itself when a response is written. */
async function answer1(uploads: ServedByBoth, { node }: EventOf1): Promise<undefined> {
  const pair: NodePair = { request: node.req, response: node.res }
  if (typeof uploads === 'function' || uploads.listener === undefined) {
    throw new TypeError('h3 1 needs the object of openUploads, or another one with a listener.')
  }
  await answered(uploads.listener, pair)
}
