import type { Body, BodyEnd, BodySink } from '../../core/ports/body.ts'
import type { Exchange } from '../../server/exchange.ts'

/** Hears of the content of one request. */
export interface BodyWatch {
  /** The request was let in: its content is wanted. */
  began(): void
  data(bytes: number): void
  ended(kind: BodyEnd['kind']): void
}

/** The same exchange, with a body that tells what goes through it. */
export class WatchedExchange implements Exchange {
  readonly body: Body
  readonly #real: Exchange

  constructor(real: Exchange, watch: BodyWatch) {
    this.#real = real
    this.body = new WatchedBody(real.body, watch)
  }

  get method(): string {
    return this.#real.method
  }
  get target(): string {
    return this.#real.target
  }
  get httpVersion(): string {
    return this.#real.httpVersion
  }
  get isSecure(): boolean {
    return this.#real.isSecure
  }
  get peerAddress(): string | undefined {
    return this.#real.peerAddress
  }
  get expectsContinue(): boolean {
    return this.#real.expectsContinue
  }
  get readsTrailers(): boolean {
    return this.#real.readsTrailers
  }
  get signal(): AbortSignal {
    return this.#real.signal
  }
  header(name: string): string | undefined {
    return this.#real.header(name)
  }
  headers(): Readonly<Record<string, readonly string[]>> {
    return this.#real.headers()
  }
  sendContinue(): void {
    this.#real.sendContinue()
  }
  terminate(): void {
    this.#real.terminate()
  }
}

class WatchedBody implements Body {
  readonly #real: Body
  readonly #watch: BodyWatch

  constructor(real: Body, watch: BodyWatch) {
    this.#real = real
    this.#watch = watch
  }

  // Asked anew each time: it may begin to throw, when somebody else has read the body.
  get contentLength(): number | undefined {
    return this.#real.contentLength
  }

  consume(sink: BodySink): void {
    const watch = this.#watch
    watch.began()
    this.#real.consume({
      data(chunk) {
        // Before it is handed on: it may not be ours to look at afterwards.
        watch.data(chunk.byteLength)
        sink.data(chunk)
      },
      end(end) {
        watch.ended(end.kind)
        sink.end(end)
      },
    })
  }

  pause(): void {
    this.#real.pause()
  }

  resume(): void {
    this.#real.resume()
  }

  stop(): void {
    this.#real.stop()
  }
}
