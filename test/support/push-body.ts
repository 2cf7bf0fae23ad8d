import type { Body, BodySink } from '../../src/core/ports/body.ts'

/** A body whose bytes a test pushes by hand; remembers what was asked of it. */
export class PushBody implements Body {
  readonly contentLength: number | undefined
  paused = false
  stopped = false
  /** How often the sender was held back. */
  pauses = 0
  #sink: BodySink | undefined

  /** @param contentLength - Absent: chunked. */
  constructor(contentLength?: number) {
    this.contentLength = contentLength
  }

  get consumed(): boolean {
    return this.#sink !== undefined
  }

  consume(sink: BodySink): void {
    if (this.#sink !== undefined) throw new Error('a body is consumed once')
    this.#sink = sink
  }

  pause(): void {
    this.pauses += 1
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  stop(): void {
    this.stopped = true
  }

  push(bytes: Uint8Array): void {
    if (!this.stopped) this.#sink?.data(bytes)
  }

  end(trailers: ReadonlyMap<string, string> = new Map()): void {
    if (!this.stopped) this.#sink?.end({ kind: 'complete', trailers })
  }

  cut(): void {
    if (!this.stopped) this.#sink?.end({ kind: 'cut' })
  }
}

export interface SentOptions {
  /** No `Content-Length`. */
  readonly chunked?: boolean
  /** The connection breaks after this many bytes. */
  readonly cutAfter?: number
  readonly trailers?: ReadonlyMap<string, string>
  readonly chunkBytes?: number
}

/** A body that comes by itself, chunk by chunk, as fast as it is wanted. */
export function sent(content: Uint8Array, options: SentOptions = {}): Body {
  const { chunkBytes = 16 * 1024, trailers = new Map() } = options
  const arriving = options.cutAfter === undefined ? content : content.subarray(0, options.cutAfter)
  const state = { at: 0, paused: false, stopped: false }
  let sink: BodySink | undefined
  const pump = (): void => {
    while (!state.paused && !state.stopped && state.at < arriving.length) {
      const chunk = arriving.slice(state.at, state.at + chunkBytes)
      state.at += chunk.length
      sink?.data(chunk)
    }
    if (state.stopped || state.paused) return
    state.stopped = true
    sink?.end(options.cutAfter === undefined ? { kind: 'complete', trailers } : { kind: 'cut' })
  }
  return {
    contentLength: options.chunked === true ? undefined : content.length,
    consume(given) {
      sink = given
      queueMicrotask(pump)
    },
    pause: () => void (state.paused = true),
    resume() {
      state.paused = false
      queueMicrotask(pump)
    },
    stop: () => void (state.stopped = true),
  }
}
