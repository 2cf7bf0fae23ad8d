import type { Clock } from '../../core/ports/clock.ts'

/**
 * Looks something up at most once per interval, however often it is asked for: whoever asks while somebody looks waits for
 * the same answer.
 *
 * @param maxAgeMs - How old an answer may be, in milliseconds, counted from when it was there.
 * @param look - A failure is not kept: the next one who asks looks again.
 */
export function fresh<T>(clock: Clock, maxAgeMs: number, look: () => Promise<T>): () => Promise<T> {
  let known: { readonly value: T; readonly atMs: number } | undefined
  let looking: Promise<T> | undefined
  return () => {
    if (looking !== undefined) return looking
    const ageMs = known === undefined ? undefined : clock.nowMs() - known.atMs
    // A clock that was set back must not keep an answer alive.
    if (known !== undefined && ageMs !== undefined && ageMs >= 0 && ageMs < maxAgeMs)
      return Promise.resolve(known.value)
    looking = look().then(
      (value) => {
        known = { value, atMs: clock.nowMs() }
        looking = undefined
        return value
      },
      (error: unknown) => {
        looking = undefined
        throw error
      },
    )
    return looking
  }
}
