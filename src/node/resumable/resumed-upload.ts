import type { Json } from '../../core/upload.ts'

/** What a handler can know of the upload behind a request, beside the request itself. */
export interface ResumedUpload {
  readonly uploadId: string
  /** The same for every attempt of one upload: what a handler has done under it already, it need not do again. */
  readonly idempotencyKey: string
  /** 1 for the first one. */
  readonly attempt: number
  /** From the client: file name, type and whatever else. Never a path, a header or a log line as it is. */
  readonly metadata: Readonly<Record<string, string>>
  /** From the `onCreate` hook. */
  readonly serverMetadata: Readonly<Record<string, Json>>
  /** Whoever `onRequest` has named when the upload was made. */
  readonly owner: string | undefined
  readonly sizeBytes: number
  /**
   * Where the content lies as a file, with `deliver: 'path'`. Read it, copy it, or rename it to keep it; what is left
   * is removed after the answer. Changing it in place would show in a second attempt.
   */
  readonly path: string | undefined
}

const known = new WeakMap<object, ResumedUpload>()

/**
 * Tells what is known of the upload behind a request. No client can forge it: nothing of it is in the request.
 *
 * @param request - The `Request`, or Node's request, that a handler was called with; in a framework the one below:
 *   Express `req`, Koa `ctx.req`, Fastify `request.raw`, Hono `c.req.raw`, h3 `event.req`.
 * @returns `undefined` for a request that came as it is, from a client that does not resume.
 */
export function resumedUpload(request: object): ResumedUpload | undefined {
  return known.get(request)
}

/** Lets {@link resumedUpload} find an upload by its request. */
export function rememberUpload(request: object, upload: ResumedUpload): void {
  known.set(request, upload)
}
