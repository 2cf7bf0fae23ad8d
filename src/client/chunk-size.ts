import type { Clock } from '../core/ports/clock.ts'
import type { UploadOptions } from './options.ts'
import { perClock } from './per-clock.ts'

/** The first guess when a server refuses a request as too large and there was no limit so far. */
const FIRST_GUESS_BYTES = 8 * 1024 * 1024
const SMALLEST_BYTES = 64 * 1024
const LARGEST_BYTES = 64 * 1024 * 1024
const FAST_MS = 5000
const SLOW_MS = 20_000
/** After an ease so many requests must go well before a larger one is tried. */
const CAREFUL_REQUESTS = 8

/** What servers turned out to take in one request, by origin. */
const limitsOf = perClock<number>()

/**
 * How many bytes go into one request: all of them, unless the caller, a checksum, the server or the line wants less.
 *
 * Where there is a limit that nobody fixed, a request shall take 5 to 20 s: short ones waste round trips, long ones
 * lose much when they fail.
 */
export interface ChunkSize {
  readonly limitBytes: number
  /** There must be an end: a checksum is sent before the content. */
  limit(): void
  /**
   * A request with `sentBytes` was refused as too large (413).
   *
   * @returns Whether a smaller one is worth a try.
   */
  shrink(sentBytes: number): boolean
  /**
   * Again nothing is left of a request that broke off after `sentBytes`: a proxy may cut what it finds too large. Or
   * the line was bad for a while: then requests grow again.
   */
  ease(sentBytes: number): void
  /** A full request was accepted after so long. */
  took(sentBytes: number, elapsedMs: number): void
}

/** @param options.chunkSizeBytes - The caller's wish: never exceeded, not adapted to the time. */
export function chunkSize(
  clock: Clock,
  origin: string,
  { chunkSizeBytes: fixedBytes }: Pick<UploadOptions, 'chunkSizeBytes'>,
): ChunkSize {
  const learned = limitsOf(clock)
  const mostBytes = fixedBytes ?? LARGEST_BYTES
  let wantedBytes = fixedBytes ?? Infinity
  let streak = 0
  let neededStreak = 1
  const limitBytes = (): number => Math.min(wantedBytes, learned.get(origin) ?? Infinity)
  const half = (sentBytes: number): number => {
    const limit = limitBytes()
    const most = limit < Infinity ? limit / 2 : FIRST_GUESS_BYTES
    return Math.max(SMALLEST_BYTES, Math.floor(Math.min(sentBytes / 2, most)))
  }
  return {
    get limitBytes() {
      return limitBytes()
    },
    limit: () => void (wantedBytes = fixedBytes ?? FIRST_GUESS_BYTES),
    shrink(sentBytes) {
      const isWorthwhile = sentBytes > SMALLEST_BYTES
      if (isWorthwhile) learned.set(origin, half(sentBytes))
      return isWorthwhile
    },
    ease(sentBytes) {
      wantedBytes = half(sentBytes)
      neededStreak = CAREFUL_REQUESTS
      streak = 0
    },
    took(sentBytes, elapsedMs) {
      const limit = limitBytes()
      if (sentBytes < limit) return
      const isFast = elapsedMs < FAST_MS && ++streak % neededStreak === 0
      if (isFast) wantedBytes = Math.min(limit * 2, mostBytes)
      else if (elapsedMs > SLOW_MS && !fixedBytes) wantedBytes = half(limit)
    },
  }
}
