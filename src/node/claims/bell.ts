import type { Clock } from '../../core/ports/clock.ts'

export interface Wait {
  /** What {@link Bell.count} was before the last look: a ring since then ends the waiting at once. */
  readonly heard: number
  /** Unix time in milliseconds. */
  readonly untilMs: number
  readonly signal: AbortSignal | undefined
}

/** Timers cannot be set for longer. Whoever is woken too early looks, and waits again. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Wakes those who wait for something to claim. */
export class Bell {
  readonly #clock: Clock
  readonly #hang: (ring: () => void) => () => void
  readonly #waiting = new Set<() => void>()
  #count = 0
  #listeners = 0
  #takeDown: (() => void) | undefined

  /** @param hang - Lets the bell be rung from outside while somebody listens; returns what ends that. */
  constructor(clock: Clock, hang: (ring: () => void) => () => void) {
    this.#clock = clock
    this.#hang = hang
  }

  /** How often it has rung. */
  get count(): number {
    return this.#count
  }

  ring(): void {
    this.#count += 1
    for (const wake of this.#waiting) wake()
  }

  /** Rings can be heard for as long as `work` takes. */
  async listening<T>(work: () => Promise<T>): Promise<T> {
    this.#listeners += 1
    if (this.#listeners === 1) this.#takeDown = this.#hang(() => this.ring())
    try {
      return await work()
    } finally {
      this.#listeners -= 1
      if (this.#listeners === 0) this.#takeDown?.()
    }
  }

  /** Resolves at the next ring, at the latest when the time has come or the signal aborts. */
  wait({ heard, untilMs, signal }: Wait): Promise<void> {
    if (heard !== this.#count || signal?.aborted === true) return Promise.resolve()
    return new Promise((resolve) => {
      const delayMs = Math.min(LONGEST_TIMER_MS, Math.max(0, untilMs - this.#clock.nowMs()))
      const cancel = this.#clock.after(delayMs, () => wake())
      const wake = (): void => {
        cancel()
        this.#waiting.delete(wake)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiting.add(wake)
      signal?.addEventListener('abort', wake)
    })
  }
}
