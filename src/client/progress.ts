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

/** Makes events of what transfers report: throttled, smoothed, never going back. */
export interface ProgressMeter {
  /** A run begins: the time since the last one does not count for the speed. */
  begin(): void
  /**
   * So many more bytes are on their way, less when a request is over; all transfers together have `accepted` bytes
   * on the server.
   */
  moved(bytes: number, accepted: number): void
  /** The upload was lost: what was sent is gone. */
  restart(): void
  /** Emits at once, and nothing afterwards until there is something new. */
  flush(): void
  stop(): void
}

const INTERVAL_MS = 100
/** How long the past counts for the speed. */
const MEMORY_MS = 3000

/** @param totalOf - Tells the bytes in all, as far as they are known. */
export function progressMeter(
  clock: Clock,
  totalOf: () => number | undefined,
  emit: (progress: Progress) => void,
): ProgressMeter {
  let inFlight = 0
  let sent = 0
  let accepted = 0
  let movedBytes = 0
  let speed = 0
  let measuredMs = 0
  let emittedMs = -Infinity
  let cancel: (() => void) | undefined
  const stop = (): void => {
    cancel?.()
    cancel = undefined
  }
  const flush = (): void => {
    stop()
    emittedMs = clock.nowMs()
    const elapsedMs = emittedMs - measuredMs
    // A few milliseconds measure the socket's buffer, not the line.
    if (elapsedMs >= INTERVAL_MS) {
      const rate = (movedBytes * 1000) / elapsedMs
      speed = rate + ((speed || rate) - rate) * Math.exp(-elapsedMs / MEMORY_MS)
      measuredMs = emittedMs
      movedBytes = 0
    }
    const total = totalOf()
    const left = (total ?? NaN) - sent
    const secondsLeft = left === 0 ? 0 : left > 0 && speed ? left / speed : undefined
    emit({ sent, accepted, total, bytesPerSecond: speed, secondsLeft })
  }
  return {
    begin() {
      measuredMs = clock.nowMs()
      movedBytes = inFlight = 0
    },
    moved(bytes, nowAccepted) {
      inFlight += bytes
      movedBytes += Math.max(0, bytes)
      accepted = Math.max(accepted, nowAccepted)
      sent = Math.max(sent, accepted + inFlight)
      const restMs = emittedMs + INTERVAL_MS - clock.nowMs()
      if (restMs <= 0) flush()
      else cancel ??= clock.after(restMs, flush)
    },
    restart() {
      sent = accepted = 0
    },
    flush,
    stop,
  }
}
