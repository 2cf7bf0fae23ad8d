import { performance } from 'node:perf_hooks'
import type { Clock } from '../core/ports/clock.ts'

/** Part of the time in which this thread may work before what can wait has to. */
const BUSY = 0.7
const WINDOW_MS = 50
const PAUSE_MS = 40

/**
 * Lets work that nobody waits for step back while the event loop has its hands full: uploads come first. Each piece is
 * put off once and for a moment only, so that a server which never rests still gets it done.
 */
export class Pacing {
  readonly #clock: Clock
  readonly #utilization: () => number
  #windowStartMs = -Infinity
  #isBusy = false

  /** @param utilization - Part of the time since the last call in which the event loop was busy, 0 to 1. */
  constructor(clock: Clock, utilization: () => number = loopUtilization()) {
    this.#clock = clock
    this.#utilization = utilization
  }

  /** Resolves at once on a quiet machine, else a moment later. */
  async turn(): Promise<void> {
    const nowMs = this.#clock.nowMs()
    if (nowMs - this.#windowStartMs >= WINDOW_MS) {
      this.#windowStartMs = nowMs
      this.#isBusy = this.#utilization() > BUSY
    }
    if (this.#isBusy) await new Promise<void>((resolve) => this.#clock.after(PAUSE_MS, resolve))
  }
}

function loopUtilization(): () => number {
  let last = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, last)
    last = now
    return utilization
  }
}
