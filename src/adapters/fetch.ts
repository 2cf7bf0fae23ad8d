import type { Body, BodySink } from '../core/ports/body.ts'
import type { Exchange, Reply } from '../server/exchange.ts'
import type { Handler } from '../server/handler.ts'

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
    const outcome = await handler(toExchange(request, context))
    if (outcome === 'not-ours') return undefined
    if (outcome === undefined) return new Response(null, { status: 409 })
    return toResponse(request, outcome)
  }
}

function toExchange(request: Request, context: FetchContext): Exchange {
  const url = new URL(request.url)
  const body = new FetchBody(request)
  return {
    method: request.method,
    target: url.pathname + url.search,
    httpVersion: '1.1',
    isSecure: url.protocol === 'https:',
    peerAddress: context.peerAddress,
    expectsContinue: false,
    readsTrailers: false,
    body,
    signal: request.signal,
    header: (name) => request.headers.get(name) ?? (name === 'host' ? url.host : undefined),
    sendContinue: () => undefined,
    terminate: () => body.stop(),
  }
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

/** Pushes a body that the runtime wants pulled. */
class FetchBody implements Body {
  readonly #request: Request
  readonly contentLength: number | undefined
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  #stopped = false
  #unpause: (() => void) | undefined
  #paused: Promise<void> | undefined

  constructor(request: Request) {
    this.#request = request
    this.contentLength = contentLengthOf(request)
  }

  consume(sink: BodySink): void {
    this.#reader = this.#request.body?.getReader()
    void this.#pump(sink)
  }

  pause(): void {
    this.#paused ??= new Promise((resolve) => (this.#unpause = resolve))
  }

  resume(): void {
    this.#unpause?.()
    this.#paused = undefined
  }

  stop(): void {
    this.#stopped = true
    this.resume()
    void this.#reader?.cancel().catch(() => undefined)
  }

  async #pump(sink: BodySink): Promise<void> {
    let receivedBytes = 0
    try {
      for (;;) {
        const next = await this.#reader?.read()
        if (this.#stopped) return
        if (next === undefined || next.done) break
        receivedBytes += next.value.length
        sink.data(next.value)
        await this.#paused
      }
    } catch {
      if (!this.#stopped) sink.end({ kind: 'cut' })
      return
    }
    // Some runtimes end the stream of a broken connection like that of a whole body.
    const isWhole = this.contentLength === undefined || receivedBytes === this.contentLength
    sink.end(isWhole ? { kind: 'complete', trailers: new Map() } : { kind: 'cut' })
  }
}

function contentLengthOf(request: Request): number | undefined {
  if (request.body === null) return 0
  const text = request.headers.get('content-length')
  if (text === null || !/^[0-9]+$/.test(text)) return undefined
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER)
}
