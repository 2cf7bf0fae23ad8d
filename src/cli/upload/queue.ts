/**
 * Works on items in their order, several at once.
 *
 * @param work - Must not reject: what fails is its result.
 * @param signal - When aborted no further item is begun; those on their way are waited for.
 */
export async function runQueue<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  { jobs, signal }: { readonly jobs: number; readonly signal: AbortSignal },
): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (!signal.aborted) {
      const item = items[next]
      if (item === undefined) return
      next += 1
      await work(item)
    }
  }
  await Promise.all(Array.from({ length: Math.min(jobs, items.length) }, worker))
}
