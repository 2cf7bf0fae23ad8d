import type { Clock } from '../../core/ports/clock.ts'

/** Instead of an answer: there was none in time. */
export const LATE: unique symbol = Symbol('late')

/** Waits for a promise, but not for ever. What it waited for goes on; its failure after that is nobody's. */
export function within<T>(clock: Clock, limitMs: number, promise: Promise<T>): Promise<T | typeof LATE> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(limitMs, () => resolve(LATE))
    promise.then(resolve, reject).finally(cancel)
  })
}
