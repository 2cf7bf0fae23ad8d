import type { Clock } from '../core/ports/clock.ts'
import type { RateFeature } from './ports/features.ts'
import type { Slice } from './ports/source.ts'
import { sleep } from './waiting.ts'

/** How long a paced piece may take: short enough for every watchdog, long enough to need few timers. */
const PIECE_SECONDS = 0.25
/** What is sent at once where content cannot be held back while it is on its way. */
const BURST_SECONDS = 2

/** A bucket of tokens, one a byte. It may go into debt, so that any amount can be taken; takers are served in order. */
export class RateLimit {
  readonly #clock: Clock
  readonly #bytesPerSecond: number
  /** When the debt will be paid. */
  #freeMs: number

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock
    this.#bytesPerSecond = bytesPerSecond
    this.#freeMs = clock.nowMs()
  }

  /** Waits until `bytes` may go out. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.nowMs()
    const waitMs = this.#freeMs - nowMs
    this.#freeMs = Math.max(this.#freeMs, nowMs) + (bytes * 1000) / this.#bytesPerSecond
    if (waitMs > 0) await sleep(waitMs, { clock: this.#clock, signal })
  }

  /**
   * The slice, held back to the rate.
   *
   * What is read piece by piece is paced piece by piece. A Blob and bytes in memory go to the platform as a whole
   * (XHR takes nothing else): they wait before they are sent.
   */
  async pace(slice: Slice, signal: AbortSignal): Promise<Slice> {
    const { content } = slice
    if (content.kind !== 'chunks') {
      await this.take(slice.sizeBytes, signal)
      return slice
    }
    return {
      ...slice,
      content: { kind: 'chunks', chunks: (signal) => this.#paced(content.chunks(signal), signal) },
    }
  }

  async *#paced(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const pieceBytes = Math.ceil(this.#bytesPerSecond * PIECE_SECONDS)
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += pieceBytes) {
        const piece = chunk.subarray(at, at + pieceBytes)
        await this.take(piece.length, signal)
        yield piece
      }
    }
  }
}

/** `maxBytesPerSecond` */
export const rateLimit: RateFeature = (clock, bytesPerSecond) => {
  const limit = new RateLimit(clock, bytesPerSecond)
  const burstBytes = Math.ceil(bytesPerSecond * BURST_SECONDS)
  return async (source, { start, maxBytes, signal }) => {
    const slice = await source.slice(start, maxBytes, signal)
    // Only what is read from a file while it is sent can be held back then; other content is sent in small requests.
    const isPaced = source.isRewindable && slice.content.kind === 'chunks'
    const fits = isPaced || slice.sizeBytes <= burstBytes
    return await limit.pace(fits ? slice : await source.slice(start, burstBytes, signal), signal)
  }
}
