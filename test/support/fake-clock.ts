import type { Clock } from '../../src/core/ports/clock.ts'

interface Timer {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

const START_MS = Date.UTC(2026, 0, 1)

/** Time that stands still until a test moves it. */
export class FakeClock implements Clock {
  #nowMs = START_MS
  #made = 0
  readonly #timers = new Set<Timer>()

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, callback: () => void): () => void {
    this.#made += 1
    const timer = { atMs: this.#nowMs + delayMs, order: this.#made, run: callback }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  /** How many timers wait: a leak shows here. */
  get pending(): number {
    return this.#timers.size
  }

  /** Moves time on, timer by timer, and lets everything that one of them has set off come to rest. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs
    await quiet()
    for (;;) {
      const timer = this.#next()
      if (timer === undefined || timer.atMs > untilMs) break
      this.#timers.delete(timer)
      this.#nowMs = Math.max(this.#nowMs, timer.atMs)
      timer.run()
      await quiet()
    }
    this.#nowMs = untilMs
    await quiet()
  }

  #next(): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      const isSooner = next === undefined || timer.atMs < next.atMs
      if (isSooner || (timer.atMs === next?.atMs && timer.order < next.order)) next = timer
    }
    return next
  }
}

/** Resolves once every promise that can settle without I/O or timers has settled. */
export function quiet(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
