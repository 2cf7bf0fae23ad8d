import type { Exchange, Reply } from '../server/exchange.ts'
import type { Handler } from '../server/handler.ts'
import { bodyConsumedReply } from './body-consumed.ts'
import { FetchBody } from './fetch/body.ts'

/** Facts that a `Request` does not carry; each runtime has its own way to them. */
export interface FetchContext {
  /** Address of the client's connection. */
  readonly peerAddress?: string | undefined
}

/**
 * A handler for runtimes that speak `Request → Response`: Bun, Deno, Hono, Next.
 *
 * Such a request shows no trailers and cannot be reset: `checksum-trailer` is not offered, and a pre-empted
 * request is answered 409 instead of being cut.
 *
 * @returns `undefined` for a path that is not ours.
 */
export type FetchHandler = (request: Request, context?: FetchContext) => Promise<Response | undefined>

export function fetchHandler(handler: Handler): FetchHandler {
  return async (request, context = {}) => {
    const body = new FetchBody(request)
    const outcome = await handler(toExchange(request, context, body))
    if (outcome === 'not-ours') return undefined
    const reply = body.isRefused ? bodyConsumedReply(outcome) : (outcome ?? { status: 409, headers: {} })
    return toResponse(request, body.isAllRead ? reply : closing(reply))
  }
}

function toExchange(request: Request, context: FetchContext, body: FetchBody): Exchange {
  const { scheme, authority, target } = splitUrl(request.url)
  return {
    method: request.method,
    target,
    httpVersion: '1.1',
    isSecure: scheme === 'https',
    peerAddress: context.peerAddress,
    expectsContinue: false,
    readsTrailers: false,
    body,
    // Not read before it is needed: Deno warns about its use.
    get signal() {
      return request.signal
    },
    header: (name) => request.headers.get(name) ?? (name === 'host' ? authority : undefined),
    headers: () => Object.fromEntries([...request.headers].map(([name, value]) => [name, [value]])),
    sendContinue: () => undefined,
    terminate: () => body.stop(),
  }
}

/** By hand: some runtimes put a `Host` that is no host into the URL, and then `new URL` throws. */
function splitUrl(url: string): {
  readonly scheme: string
  readonly authority: string
  readonly target: string
} {
  const [whole = '', scheme = '', authority = ''] = /^([a-z]+):\/\/([^/?#]*)/.exec(url) ?? []
  const [target = ''] = url.slice(whole.length).split('#', 1)
  return { scheme, authority, target }
}

/** On a connection kept alive the client would go on sending into nothing. */
function closing(reply: Reply): Reply {
  return { ...reply, headers: { ...reply.headers, Connection: 'close' } }
}

function toResponse(request: Request, reply: Reply): Response {
  const { status, statusText = '', headers, body } = reply
  const isEmpty = request.method === 'HEAD' || body === undefined || status === 204 || status === 304
  const content = isEmpty ? null : typeof body === 'string' ? body : toStream(body)
  return new Response(content, { status, statusText, headers: { ...headers } })
}

function toStream(body: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]()
  return new ReadableStream({
    async pull(controller) {
      const next = await iterator.next()
      if (next.done === true) controller.close()
      else controller.enqueue(next.value)
    },
    async cancel() {
      await iterator.return?.()
    },
  })
}
