import type { Clock } from '../core/ports/clock.ts'
import type { ChunkFeature, ChunkSize } from './ports/features.ts'
import { perClock } from './per-clock.ts'
import { SMALLEST_CHUNK_BYTES } from './terms.ts'

/** The first guess when a server refuses a request as too large and there was no limit so far. */
const FIRST_GUESS_BYTES = 8 * 1024 * 1024
const LARGEST_BYTES = 64 * 1024 * 1024
/** A browser hashes a request in one piece, in memory, and the next one meanwhile. */
const LARGEST_HASHED_BYTES = 16 * 1024 * 1024
const FAST_MS = 5000
const SLOW_MS = 20_000
/** After an ease so many requests must go well before a larger one is tried. */
const CAREFUL_REQUESTS = 8

/** What servers turned out to take in one request, by origin. */
const limitsOf = perClock<number>()

/**
 * `chunkSizeBytes`: all bytes go into one request, unless the caller, a checksum, the server or the line wants less.
 *
 * Where there is a limit that nobody fixed, a request shall take 5 to 20 s: short ones waste round trips, long ones
 * lose much when they fail. What the caller fixed is never exceeded, and not adapted to the time.
 */
export const adaptiveChunks: ChunkFeature = (
  clock: Clock,
  origin: string,
  fixedBytes?: number,
): ChunkSize => {
  const learned = limitsOf(clock)
  let wantedBytes = fixedBytes ?? Infinity
  let largestBytes = LARGEST_BYTES
  let streak = 0
  let neededStreak = 1
  const limitBytes = (): number => Math.min(wantedBytes, learned.get(origin) ?? Infinity)
  const half = (sentBytes: number): number => {
    const most = Math.min(sentBytes, limitBytes(), 2 * FIRST_GUESS_BYTES)
    return Math.max(SMALLEST_CHUNK_BYTES, Math.floor(most / 2))
  }
  return {
    get limitBytes() {
      return limitBytes()
    },
    limit() {
      wantedBytes = fixedBytes ?? FIRST_GUESS_BYTES
      largestBytes = LARGEST_HASHED_BYTES
    },
    shrink(sentBytes) {
      const isWorthwhile = sentBytes > SMALLEST_CHUNK_BYTES
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
      if (isFast) wantedBytes = Math.min(limit * 2, fixedBytes ?? largestBytes)
      else if (elapsedMs > SLOW_MS && !fixedBytes) wantedBytes = half(limit)
    },
  }
}
