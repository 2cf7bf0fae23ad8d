import type { Body, BodySink } from '../../core/ports/body.ts'
import { bodyConsumed } from '../body-consumed.ts'

/** The body of a `Request`: pushed to core, though the runtime wants it pulled. */
export class FetchBody implements Body {
  readonly #contentLength: number | undefined
  readonly #request: Request
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  #allRead: boolean
  #stopped = false
  #isRefused = false
  #unpause: (() => void) | undefined
  #paused: Promise<void> | undefined

  constructor(request: Request) {
    this.#request = request
    this.#contentLength = contentLengthOf(request)
    this.#allRead = this.#contentLength === 0
  }

  /** @throws {UploadError} `ERR_BODY_CONSUMED` when somebody else has read the body: before anything is done for it. */
  get contentLength(): number | undefined {
    if (this.#isConsumed()) throw bodyConsumed()
    return this.#contentLength
  }

  /** It was wanted, but somebody else has read it. */
  get isRefused(): boolean {
    return this.#isRefused
  }

  /** Nothing of it is left on the connection. */
  get isAllRead(): boolean {
    return this.#allRead
  }

  consume(sink: BodySink): void {
    if (this.#isConsumed()) return queueMicrotask(() => sink.end({ kind: 'cut' }))
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

  #isConsumed(): boolean {
    if (this.#reader !== undefined || this.#contentLength === 0) return false
    this.#isRefused ||= this.#request.bodyUsed || this.#request.body?.locked === true
    return this.#isRefused
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
    const isWhole = this.#contentLength === undefined || receivedBytes === this.#contentLength
    sink.end(isWhole ? { kind: 'complete', trailers: new Map() } : { kind: 'cut' })
  }
}

function contentLengthOf(request: Request): number | undefined {
  const { headers } = request
  // Some runtimes take the body away from a request when it has been read.
  if (request.body === null && !request.bodyUsed) return 0
  const text = headers.get('content-length')
  if (text !== null)
    return /^[0-9]+$/.test(text) ? Math.min(Number(text), Number.MAX_SAFE_INTEGER) : undefined
  // Deno shows a stream also where HTTP/1.1 says that there is no body. Over HTTP/2 no field has to say so, but
  // content that we take has a type.
  const isAnnounced = headers.has('transfer-encoding') || headers.has('content-type')
  return isAnnounced ? undefined : 0
}
