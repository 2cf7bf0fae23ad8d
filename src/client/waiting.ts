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
  let wake = (): void => undefined
  const over = new Promise<void>((resolve) => (wake = resolve))
  const cancel = after(clock, delayMs, wake)
  const leave = connectivity ? connectivity.onOnline(wake) : undefined
  await abortable(over, signal).finally(() => {
    cancel()
    leave?.()
  })
}
