import type { Clock } from '../core/ports/clock.ts'

export interface Bound {
  readonly clock: Clock
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** What it fails with when time is up. */
  late(): Error
}

/**
 * Does something for a limited time. Settles at the end of that time or when `signal` aborts, whatever the work does;
 * the work is told by its own signal.
 *
 * @throws `signal.reason`, or what `late` gives.
 */
export async function bounded<T>(bound: Bound, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { signal } = bound
  signal.throwIfAborted()
  const controller = new AbortController()
  const forward = (): void => controller.abort(signal.reason)
  signal.addEventListener('abort', forward, { once: true })
  const cancel = bound.clock.after(bound.timeoutMs, () => controller.abort(bound.late()))
  try {
    return await Promise.race([work(controller.signal), aborted(controller.signal)])
  } finally {
    cancel()
    signal.removeEventListener('abort', forward)
  }
}

/** Waits. @throws `signal.reason` if aborted meanwhile. */
export async function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  let cancel = (): void => undefined
  const passed = new Promise<void>((resolve) => {
    cancel = clock.after(delayMs, resolve)
  })
  try {
    await Promise.race([passed, aborted(signal)])
  } finally {
    cancel()
  }
}

/** Rejects once `signal` aborts, and never resolves. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
