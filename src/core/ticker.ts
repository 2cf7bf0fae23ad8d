import type { Clock } from './ports/clock.ts'

/** Called every tick with the time, Unix time in milliseconds. */
export type Tick = (nowMs: number) => void

/**
 * One coarse timer for everything that watches running uploads: a timer per upload and chunk would cost more
 * than the chunk. Runs only while somebody listens.
 */
export class Ticker {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #listeners = new Set<Tick>()
  #running = false

  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock
    this.#intervalMs = intervalMs
  }

  add(listener: Tick): void {
    this.#listeners.add(listener)
    if (!this.#running) this.#schedule()
  }

  remove(listener: Tick): void {
    this.#listeners.delete(listener)
  }

  #schedule(): void {
    this.#running = true
    this.#clock.after(this.#intervalMs, () => {
      const nowMs = this.#clock.nowMs()
      for (const listener of this.#listeners) listener(nowMs)
      this.#running = false
      if (this.#listeners.size > 0 && !this.#running) this.#schedule()
    })
  }
}
