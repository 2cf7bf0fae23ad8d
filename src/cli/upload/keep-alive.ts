/** Some timers let a process end: without this, one that only waits for another's lock would be over. */
export async function keepAlive<T>(work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 2 ** 30)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}
