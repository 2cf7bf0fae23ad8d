import type { FetchContext } from '../../adapters/fetch.ts'
import { fetchHandler } from '../../adapters/fetch.ts'
import { asking } from './asked.ts'
import { fetchCall } from './fetch-call.ts'
import type { ResumableForm } from './form.ts'
import { openRoute } from './open-route.ts'
import type { ResumableOptions } from './options.ts'
import { checkHandler, checkOptions } from './options.ts'
import type { RequestHead } from './route.ts'

/**
 * A handler as runtimes call it.
 *
 * @typeParam Rest - What the runtime hands over beside the request. A resumed upload comes without it.
 */
export type RequestHandler<Rest extends readonly unknown[]> = (
  request: Request,
  ...rest: Partial<Rest>
) => Response | Promise<Response>

/** The same handler, resumable. */
export interface Resumable<Rest extends readonly unknown[]> extends ResumableForm {
  (request: Request, ...rest: Partial<Rest>): Promise<Response>
  /** The same function, for runtimes that take an object with `fetch`. */
  readonly fetch: (request: Request, ...rest: Partial<Rest>) => Promise<Response>
}

/**
 * Lets clients that speak tus resume their uploads to a handler `Request → Response`.
 *
 * Every other request goes to the handler untouched. Once an upload is whole the handler is called with a request that
 * looks like a plain one; its answer goes to the client and is stored for a client that loses it. The handler is called
 * by one attempt at a time, again after a crash, a thrown error or a 5xx answer, and never again once another answer is
 * stored. {@link resumedUpload} tells more about such a request.
 *
 * @throws {TypeError} for options that make no sense.
 * @throws when the directory cannot be written or was written by a newer version.
 */
export async function resumable<Rest extends readonly unknown[] = []>(
  handler: RequestHandler<Rest>,
  options: ResumableOptions<Request>,
): Promise<Resumable<Rest>> {
  checkHandler(handler)
  const bare = handler as (request: Request, ...rest: readonly unknown[]) => Response | Promise<Response>
  const route = await openRoute(checkOptions(options), fetchCall(bare))
  const serve = fetchHandler(route.serve)
  const answer = async (request: Request, ...rest: Partial<Rest>): Promise<Response> => {
    const head = headOf(request)
    if ((await route.whose(head)) !== 'ours') return bare(request, ...rest)
    const { isSecure, host } = head
    const circumstances = { isSecure, host, peerAddress: undefined, mount: undefined }
    const context: FetchContext = {}
    return (
      (await asking({ raw: request, circumstances }, () => serve(request, context))) ?? bare(request, ...rest)
    )
  }
  return Object.assign(answer, {
    fetch: answer,
    engine: route.engine,
    close: (waitMs?: number) => route.close(waitMs),
  })
}

/** By hand: some runtimes put a `Host` that is no host into the URL, and then `new URL` throws. */
function headOf(
  request: Request,
): RequestHead & { readonly isSecure: boolean; readonly host: string | undefined } {
  const { method, url, headers } = request
  const [whole = '', scheme = '', authority = ''] = /^([a-z]+):\/\/([^/?#]*)/.exec(url) ?? []
  const [target = ''] = url.slice(whole.length).split('#', 1)
  return {
    method,
    target,
    header: (name) => headers.get(name) ?? undefined,
    isSecure: scheme === 'https',
    host: headers.get('host') ?? authority,
  }
}
