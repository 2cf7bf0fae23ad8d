import type { UrlStorage } from '../../client/ports/url-storage.ts'

/**
 * What one run remembers of its files.
 *
 * Of a run that does not come to its end the files that were done are remembered too: the same command sends them no
 * second time. When all are done, everything is forgotten.
 */
export class RunMemory {
  /** For the uploads of this run, which must keep their entries. */
  readonly storage: UrlStorage
  readonly #storage: UrlStorage
  readonly #keys = new Set<string>()

  constructor(storage: UrlStorage) {
    this.#storage = storage
    const { lock } = storage
    this.storage = {
      find: async (fingerprint) => {
        const found = await storage.find(fingerprint)
        for (const { key } of found) this.#keys.add(key)
        return found
      },
      list: () => storage.list(),
      put: (entry) => {
        this.#keys.add(entry.key)
        return storage.put(entry)
      },
      remove: (key) => storage.remove(key),
      ...(lock && { lock: (name, options) => lock.call(storage, name, options) }),
    }
  }

  async end(isAllDone: boolean): Promise<void> {
    try {
      if (isAllDone) for (const key of this.#keys) await this.#storage.remove(key)
      await this.#storage.close?.()
    } catch {
      // What stays is looked at by the next run, and forgotten in time.
    }
  }
}
