import type { Body, BodySink } from '../../core/ports/body.ts'

/** The body of a `Request`: pushed to core, though the runtime wants it pulled. */
export class FetchBody implements Body {
  readonly contentLength: number | undefined
  readonly #request: Request
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  #allRead: boolean
  #stopped = false
  #unpause: (() => void) | undefined
  #paused: Promise<void> | undefined

  constructor(request: Request) {
    this.#request = request
    this.contentLength = contentLengthOf(request)
    this.#allRead = this.contentLength === 0
  }

  /** Nothing of it is left on the connection. */
  get isAllRead(): boolean {
    return this.#allRead
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
    this.#allRead = true
    // Some runtimes end the stream of a broken connection like that of a whole body.
    const isWhole = this.contentLength === undefined || receivedBytes === this.contentLength
    sink.end(isWhole ? { kind: 'complete', trailers: new Map() } : { kind: 'cut' })
  }
}

function contentLengthOf(request: Request): number | undefined {
  const { headers } = request
  if (request.body === null) return 0
  const text = headers.get('content-length')
  if (text !== null)
    return /^[0-9]+$/.test(text) ? Math.min(Number(text), Number.MAX_SAFE_INTEGER) : undefined
  // Deno shows a stream also where HTTP/1.1 says that there is no body. Over HTTP/2 no field has to say so, but
  // content that we take has a type.
  const isAnnounced = headers.has('transfer-encoding') || headers.has('content-type')
  return isAnnounced ? undefined : 0
}
