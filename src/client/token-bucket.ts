import type { Clock } from '../core/ports/clock.ts'
import { sleep } from './waiting.ts'

/** Waits until so many bytes may go out. */
export type Take = (bytes: number, signal: AbortSignal) => Promise<void>

/** A bucket of tokens, one a byte. It may go into debt, so that any amount can be taken; takers are served in order. */
export function tokenBucket(clock: Clock, bytesPerSecond: number): Take {
  /** When the debt will be paid. */
  let freeMs = 0
  return async (bytes, signal) => {
    const nowMs = clock.nowMs()
    const waitMs = freeMs - nowMs
    freeMs = Math.max(freeMs, nowMs) + (bytes * 1000) / bytesPerSecond
    if (waitMs > 0) await sleep(waitMs, { clock, signal })
  }
}
