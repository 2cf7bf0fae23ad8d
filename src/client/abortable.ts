/**
 * Calls `listener` once the signal aborts, at once when it has aborted before.
 *
 * @returns A function that removes the listener.
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  signal.addEventListener('abort', listener)
  if (signal.aborted) listener()
  return () => signal.removeEventListener('abort', listener)
}

/**
 * Waits for what cannot be aborted itself, for instance a caller's function.
 *
 * @throws `signal.reason` as soon as the signal aborts; what the promise does later is of no interest.
 */
export function abortable<T>(promise: T | PromiseLike<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = onAbort(signal, () => reject(signal.reason))
    Promise.resolve(promise).finally(leave).then(resolve, reject)
  })
}
