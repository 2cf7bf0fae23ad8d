import type { Clock } from '../core/ports/clock.ts'

/** How far an upload is. Never goes back, unless the upload was lost and begins anew. */
export interface Progress {
  /** Bytes handed to the network, as far as the transport tells. */
  readonly sent: number
  /** Bytes the server has confirmed. */
  readonly accepted: number
  /** `undefined` while a stream has not ended. */
  readonly total: number | undefined
  /** Smoothed; bytes that were there before this run do not count. */
  readonly bytesPerSecond: number
  readonly secondsLeft: number | undefined
}

const INTERVAL_MS = 100
/** How long the past counts for the speed. */
const MEMORY_MS = 3000

/** Makes events of what transfers report: throttled, smoothed, never going back. */
export class ProgressMeter {
  readonly #clock: Clock
  readonly #emit: (progress: Progress) => void
  total: number | undefined
  #sent = 0
  #accepted = 0
  #movedBytes = 0
  #bytesPerSecond: number | undefined
  #measuredMs: number
  #emittedMs = -Infinity
  #cancel: (() => void) | undefined

  constructor(clock: Clock, emit: (progress: Progress) => void) {
    this.#clock = clock
    this.#emit = emit
    this.#measuredMs = clock.nowMs()
  }

  /** A run begins: the time since the last one does not count for the speed. */
  begin(total: number | undefined): void {
    this.total = total
    this.#measuredMs = this.#clock.nowMs()
    this.#movedBytes = 0
  }

  /** Bytes have left. They count for the speed alone. */
  moved(bytes: number): void {
    this.#movedBytes += bytes
  }

  /** Where all transfers together are. */
  at(sent: number, accepted: number): void {
    this.#accepted = Math.max(this.#accepted, accepted)
    this.#sent = Math.max(this.#sent, sent, this.#accepted)
    const restMs = this.#emittedMs + INTERVAL_MS - this.#clock.nowMs()
    if (restMs <= 0) this.flush()
    else this.#cancel ??= this.#clock.after(restMs, () => this.flush())
  }

  /** The upload was lost: what was sent is gone. */
  restart(): void {
    this.#sent = this.#accepted = 0
  }

  /** Emits at once, and nothing afterwards until there is something new. */
  flush(): void {
    this.stop()
    this.#emittedMs = this.#clock.nowMs()
    this.#measure()
    const bytesPerSecond = this.#bytesPerSecond ?? 0
    const left = this.total === undefined ? undefined : this.total - this.#sent
    const isKnown = left !== undefined && (bytesPerSecond > 0 || left === 0)
    this.#emit({
      sent: this.#sent,
      accepted: this.#accepted,
      total: this.total,
      bytesPerSecond,
      secondsLeft: isKnown ? (left === 0 ? 0 : left / bytesPerSecond) : undefined,
    })
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #measure(): void {
    const elapsedMs = this.#emittedMs - this.#measuredMs
    // A few milliseconds measure the socket's buffer, not the line.
    if (elapsedMs < INTERVAL_MS) return
    const rate = (this.#movedBytes * 1000) / elapsedMs
    const weight = 1 - Math.exp(-elapsedMs / MEMORY_MS)
    this.#bytesPerSecond =
      this.#bytesPerSecond === undefined
        ? rate
        : this.#bytesPerSecond + weight * (rate - this.#bytesPerSecond)
    this.#measuredMs = this.#emittedMs
    this.#movedBytes = 0
  }
}
