import type { Clock } from '../../core/ports/clock.ts'

const WINDOW_MS = 10_000
const SPACING_MS = 250
/** Before this long a speed says nothing. */
const SOONEST_MS = 500

interface Sample {
  readonly atMs: number
  readonly bytes: number
}

/** Speed over the last ten seconds. */
export class SpeedMeter {
  readonly #clock: Pick<Clock, 'nowMs'>
  readonly #samples: Sample[]
  #bytes = 0

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock
    this.#samples = [{ atMs: clock.nowMs(), bytes: 0 }]
  }

  add(bytes: number): void {
    this.#bytes += bytes
    const nowMs = this.#clock.nowMs()
    if (nowMs - (this.#samples.at(-1)?.atMs ?? 0) >= SPACING_MS)
      this.#samples.push({ atMs: nowMs, bytes: this.#bytes })
    while (this.#samples.length > 1 && nowMs - (this.#samples[1]?.atMs ?? nowMs) > WINDOW_MS)
      this.#samples.shift()
  }

  /** @returns `undefined` while it is too early to say. */
  get bytesPerSecond(): number | undefined {
    const [oldest] = this.#samples
    const elapsedMs = oldest === undefined ? 0 : this.#clock.nowMs() - oldest.atMs
    if (oldest === undefined || elapsedMs < SOONEST_MS) return undefined
    return Math.max(0, ((this.#bytes - oldest.bytes) / elapsedMs) * 1000)
  }
}
