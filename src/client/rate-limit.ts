import type { Clock } from '../core/ports/clock.ts'
import type { RateFeature } from './ports/features.ts'
import type { Slice } from './ports/source.ts'
import { rateLimit } from './rate-bursts.ts'
import { tokenBucket } from './token-bucket.ts'
import type { Take } from './token-bucket.ts'

/** How long a paced piece may take: short enough for every watchdog, long enough to need few timers. */
const PIECE_SECONDS = 0.25

/** Holds slices back to a rate. Those that share it share the rate, and are served in order. */
export class RateLimit {
  readonly #take: Take
  readonly #pieceBytes: number

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#take = tokenBucket(clock, bytesPerSecond)
    this.#pieceBytes = Math.ceil(bytesPerSecond * PIECE_SECONDS)
  }

  /**
   * The slice, held back to the rate.
   *
   * What is read piece by piece is paced piece by piece. A Blob and bytes in memory go to the platform as a whole:
   * they wait before they are sent.
   */
  async pace(slice: Slice, signal: AbortSignal): Promise<Slice> {
    const { content } = slice
    if (content.kind !== 'chunks') {
      await this.#take(slice.sizeBytes, signal)
      return slice
    }
    return {
      ...slice,
      content: { kind: 'chunks', chunks: (signal) => this.#paced(content.chunks(signal), signal) },
    }
  }

  async *#paced(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array> {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += this.#pieceBytes) {
        const piece = chunk.subarray(at, at + this.#pieceBytes)
        await this.#take(piece.length, signal)
        yield piece
      }
    }
  }
}

/** `maxBytesPerSecond`, where files are read while they are sent: these are held back then, and not cut. */
export const pacedRate: RateFeature = (clock, bytesPerSecond) => {
  const limit = new RateLimit(clock, bytesPerSecond)
  const inBursts = rateLimit(clock, bytesPerSecond)
  return async (source, start, maxBytes, signal) => {
    const slice = source.isRewindable ? await source.slice(start, maxBytes, signal) : undefined
    return slice?.content.kind === 'chunks'
      ? await limit.pace(slice, signal)
      : await inBursts(source, start, maxBytes, signal)
  }
}
