import type { Clock } from '../core/ports/clock.ts'
import { abortable } from './abortable.ts'
import type { Connectivity } from './ports/platform.ts'

export interface Wait {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Coming back online ends the wait early. */
  readonly connectivity?: Connectivity | undefined
}

// Timers with a longer delay fire at once.
const LONGEST_TIMER_MS = 0x7fff_ffff

/** @throws `signal.reason` when aborted. */
export async function sleep(delayMs: number, { clock, signal, connectivity }: Wait): Promise<void> {
  let stop = (): void => undefined
  const over = new Promise<void>((resolve) => {
    const cancel = clock.after(Math.min(delayMs, LONGEST_TIMER_MS), resolve)
    const leave = connectivity?.onChange(() => {
      if (connectivity.isOnline) resolve()
    })
    stop = () => {
      cancel()
      leave?.()
    }
  })
  await abortable(over, signal).finally(stop)
}
