/**
 * Waits for a promise that cannot be aborted itself, for instance of a caller's function.
 *
 * @throws `signal.reason` as soon as the signal aborts; what the promise does later is of no interest.
 */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    const settled = (): void => signal.removeEventListener('abort', abort)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort)
    promise.finally(settled).then(resolve, reject)
  })
}
