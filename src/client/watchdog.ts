import type { Clock } from '../core/ports/clock.ts'

/** @see RequestOptions */
export interface WatchdogLimits {
  readonly stallTimeoutMs?: number | undefined
  readonly responseTimeoutMs?: number | undefined
}

export interface WatchedRequest extends WatchdogLimits {
  readonly clock: Clock
  /** Size of the request's body. */
  readonly bytes: number
  /** The transport does not tell how much of the body has left. */
  readonly isBlind: boolean
}

type Expiry = 'stall' | 'timeout'

const STALL_MS = 30_000
const RESPONSE_MS = 60_000
// Slower than this a body whose progress cannot be seen is given up: about 128 kbit/s.
const BLIND_BYTES_PER_MS = 16
// Timers with a longer delay fire at once.
const LONGEST_TIMER_MS = 0x7fff_ffff

/** Gives up one request that moves no byte, or is not answered. Without it a half-dead line is waited for forever. */
export class Watchdog {
  readonly #clock: Clock
  readonly #bytes: number
  readonly #stallMs: number
  readonly #responseMs: number
  readonly #onExpired: (code: Expiry, afterMs: number) => void
  #code: Expiry = 'stall'
  #limitMs = 0
  #movedAtMs = 0
  #sentBytes = 0
  #isStopped = false
  #cancel: (() => void) | undefined

  /** `onExpired` is called at most once. */
  constructor(request: WatchedRequest, onExpired: (code: Expiry, afterMs: number) => void) {
    this.#clock = request.clock
    this.#bytes = request.bytes
    this.#stallMs = request.stallTimeoutMs ?? STALL_MS
    this.#responseMs = request.responseTimeoutMs ?? RESPONSE_MS
    this.#onExpired = onExpired
    if (request.bytes === 0) this.#watch('timeout', this.#responseMs)
    else if (!request.isBlind) this.#watch('stall', this.#stallMs)
    else this.#watch('stall', this.#stallMs + this.#responseMs + request.bytes / BLIND_BYTES_PER_MS)
  }

  /** So many bytes of the body have left. The same number again is no movement. */
  sent(bytes: number): void {
    if (bytes <= this.#sentBytes) return
    this.#sentBytes = bytes
    if (bytes < this.#bytes) this.#movedAtMs = this.#clock.nowMs()
    else this.#watch('timeout', this.#responseMs)
  }

  /** A piece of the answer has come and somebody works on it: their time is not the line's. */
  hold(): void {
    this.#cancel?.()
  }

  /** The next piece of the answer is awaited. */
  received(): void {
    this.#watch('stall', this.#stallMs)
  }

  stop(): void {
    this.#isStopped = true
    this.hold()
  }

  #watch(code: Expiry, limitMs: number): void {
    this.#code = code
    this.#limitMs = Math.min(limitMs, LONGEST_TIMER_MS)
    this.#movedAtMs = this.#clock.nowMs()
    this.#arm(this.#limitMs)
  }

  #arm(delayMs: number): void {
    this.hold()
    // A consumer may come back from its work when the request is over.
    if (!this.#isStopped) this.#cancel = this.#clock.after(delayMs, () => this.#check())
  }

  // Movement only notes the time; the timer is set anew when it fires, not for every piece.
  #check(): void {
    const restMs = this.#movedAtMs + this.#limitMs - this.#clock.nowMs()
    // The clock of the machine may have been set back: never wait longer than the limit.
    if (restMs > 0) return this.#arm(Math.min(restMs, this.#limitMs))
    this.stop()
    this.#onExpired(this.#code, this.#limitMs)
  }
}
