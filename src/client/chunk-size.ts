import type { Clock } from '../core/ports/clock.ts'

/** The first guess when a server refuses a request as too large and there was no limit so far. */
const FIRST_GUESS_BYTES = 8 * 1024 * 1024
const SMALLEST_BYTES = 64 * 1024
const LARGEST_BYTES = 64 * 1024 * 1024
/** A checksum is sent before the content, so its request must end somewhere. */
const CHECKSUM_BYTES = 8 * 1024 * 1024
const FAST_MS = 5000
const SLOW_MS = 20_000

/** What servers turned out to take in one request, by origin. A process, or page, has one clock and one memory. */
const memories = new WeakMap<Clock, Map<string, number>>()

export interface ChunkSizeOptions {
  readonly clock: Clock
  readonly origin: string
  /** The caller's wish: never exceeded, not adapted to the time. */
  readonly fixedBytes: number | undefined
  readonly needsLimit: boolean
}

/**
 * How many bytes go into one request: all of them, unless the caller, a checksum, the server or the line wants less.
 *
 * Where there is a limit that nobody fixed, a request shall take 5 to 20 s: short ones waste round trips, long ones
 * lose much when they fail.
 */
export class ChunkSize {
  readonly #origin: string
  readonly #learned: Map<string, number>
  readonly #isFixed: boolean
  #mostBytes: number
  #wantedBytes: number

  constructor({ clock, origin, fixedBytes, needsLimit }: ChunkSizeOptions) {
    this.#origin = origin
    this.#learned = memories.get(clock) ?? new Map<string, number>()
    memories.set(clock, this.#learned)
    this.#isFixed = fixedBytes !== undefined
    this.#mostBytes = fixedBytes ?? LARGEST_BYTES
    this.#wantedBytes = fixedBytes ?? (needsLimit ? CHECKSUM_BYTES : Infinity)
  }

  get limitBytes(): number {
    return Math.min(this.#wantedBytes, this.#learned.get(this.#origin) ?? Infinity)
  }

  /**
   * A request with `sentBytes` was refused as too large (413).
   *
   * @returns Whether a smaller one is worth a try.
   */
  shrink(sentBytes: number): boolean {
    if (sentBytes <= SMALLEST_BYTES) return false
    this.#learned.set(this.#origin, this.#half(sentBytes))
    return true
  }

  /** Again nothing is left of a request that broke off after `sentBytes`: a proxy may cut what it finds too large. */
  ease(sentBytes: number): void {
    this.#wantedBytes = this.#mostBytes = this.#half(sentBytes)
  }

  /** A full request was accepted after so long. */
  took(sentBytes: number, elapsedMs: number): void {
    const limit = this.limitBytes
    if (sentBytes < limit) return
    if (elapsedMs < FAST_MS) this.#wantedBytes = Math.min(limit * 2, this.#mostBytes)
    else if (elapsedMs > SLOW_MS && !this.#isFixed) this.#wantedBytes = this.#half(limit)
  }

  #half(sentBytes: number): number {
    const limit = this.limitBytes
    const half = Math.min(sentBytes / 2, limit === Infinity ? FIRST_GUESS_BYTES : limit / 2)
    return Math.max(SMALLEST_BYTES, Math.floor(half))
  }
}
