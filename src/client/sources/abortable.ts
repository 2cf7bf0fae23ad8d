/**
 * Waits for a promise, but no longer than until `signal` aborts.
 *
 * @throws `signal.reason` when aborted. What the promise brings then is ignored, a failure too.
 */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop)
  })
  try {
    if (signal.aborted) stop()
    return await Promise.race([aborted, promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
