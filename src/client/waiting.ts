import type { Clock } from '../core/ports/clock.ts'
import { abortable } from './abortable.ts'
import type { Connectivity } from './ports/platform.ts'

export interface Wait {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Coming back online ends the wait early. */
  readonly connectivity?: Connectivity | false | undefined
}

// Timers with a longer delay fire at once.
const LONGEST_TIMER_MS = 0x7fff_ffff

/** As `clock.after()`, with any delay. */
export function after(clock: Clock, delayMs: number, callback: () => void): () => void {
  return clock.after(Math.min(delayMs, LONGEST_TIMER_MS), callback)
}

/** @throws `signal.reason` when aborted. */
export async function sleep(delayMs: number, { clock, signal, connectivity }: Wait): Promise<void> {
  const leaves: (() => void)[] = []
  const over = new Promise<void>((wake) => {
    leaves.push(after(clock, delayMs, wake))
    if (connectivity) leaves.push(connectivity.onOnline(wake))
  })
  await abortable(over, signal).finally(() => {
    for (const leave of leaves) leave()
  })
}
