import type { Body, BodySink } from '../../core/ports/body.ts'
import { bodyConsumed } from '../body-consumed.ts'
import type { NodeRequest } from './exchange.ts'

/**
 * The body of a Node request, handed on chunk by chunk. Neither `pipeline` nor `for await`: both drop bytes that
 * have arrived when the client goes away.
 */
export class NodeBody implements Body {
  readonly #request: NodeRequest
  readonly #contentLength: number | undefined
  #sink: BodySink | undefined
  #isStarted = false
  #isRefused = false
  #receivedBytes = 0

  constructor(request: NodeRequest) {
    this.#request = request
    this.#contentLength = contentLengthOf(request)
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

  consume(sink: BodySink): void {
    const request = this.#request
    this.#sink = sink
    // Also here: a reader that was set up before us may have begun while the request was looked into.
    if (this.#isConsumed()) return queueMicrotask(() => this.#end(false))
    this.#isStarted = true
    // An empty one without a length has ended without a chunk.
    if (request.readableEnded) return queueMicrotask(() => this.#end(this.#isWhole()))
    request.on('data', this.#data)
    request.on('end', () => this.#end(this.#isWhole()))
    // After a lost connection there is an `error` or `aborted`, and always a `close`.
    request.on('error', () => undefined)
    request.on('close', () => this.#cut())
    if (request.destroyed) queueMicrotask(() => this.#cut())
  }

  pause(): void {
    this.#request.pause()
  }

  resume(): void {
    this.#request.resume()
  }

  stop(): void {
    this.#sink = undefined
    this.#request.off('data', this.#data)
    this.#request.pause()
  }

  /** Even one chunk: what comes after it would be stored in its place. */
  #isConsumed(): boolean {
    if (this.#isStarted || this.#contentLength === 0 || !this.#request.readableDidRead) return false
    this.#isRefused = true
    return true
  }

  readonly #data = (chunk: Uint8Array): void => {
    this.#receivedBytes += chunk.length
    this.#sink?.data(chunk)
  }

  /** A request that was paused when its connection went still holds what had arrived: that counts as received. */
  #cut(): void {
    this.#request.off('data', this.#data)
    for (;;) {
      const chunk: unknown = this.#sink === undefined ? null : this.#request.read()
      if (!(chunk instanceof Uint8Array)) break
      this.#data(chunk)
    }
    this.#end(false)
  }

  #end(isWhole: boolean): void {
    const sink = this.#sink
    this.#sink = undefined
    sink?.end(isWhole ? { kind: 'complete', trailers: this.#trailers() } : { kind: 'cut' })
  }

  /** Whether the body is all there: `end` alone does not say so, HTTP/2 emits it for reset streams too. */
  #isWhole(): boolean {
    const request = this.#request
    if (this.#contentLength !== undefined && this.#receivedBytes !== this.#contentLength) return false
    if ('stream' in request) return !request.aborted && request.stream.rstCode === 0
    return request.complete
  }

  #trailers(): ReadonlyMap<string, string> {
    return new Map(
      Object.entries(this.#request.trailers).flatMap(([name, value]) =>
        typeof value === 'string' ? [[name.toLowerCase(), value]] : [],
      ),
    )
  }
}

function contentLengthOf(request: NodeRequest): number | undefined {
  if (request.headers['transfer-encoding'] !== undefined) return undefined
  const text = request.headers['content-length']
  if (text === undefined) return 'stream' in request && !request.stream.endAfterHeaders ? undefined : 0
  // Node's parser lets digits through that no number holds; such a body is larger than anything we accept.
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER)
}
