/**
 * Lets a few through at a time, first come first served.
 *
 * A data sync can take seconds on a slow disk and occupies a thread of the pool; if every upload could start one,
 * no thread would be left for writes and reads.
 */
export class SyncGate {
  readonly #limit: number
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limit) this.#running += 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      // The place is handed over rather than freed, so that nobody overtakes.
      if (next === undefined) this.#running -= 1
      else next()
    }
  }
}

/** One gate for the whole process, because the thread pool is one. Leaves a thread of Node's default four. */
export const dataSyncGate: SyncGate = new SyncGate(3)
