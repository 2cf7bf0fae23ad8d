import type { UrlStorage } from '../../client/ports/url-storage.ts'
import { SMALL_BYTES } from './small-file.ts'

/**
 * What one run remembers of its files.
 *
 * Of a run that does not come to its end the files that were done are remembered too: the same command sends them no
 * second time. When all are done, everything is forgotten.
 */
export class RunMemory {
  readonly #storage: UrlStorage
  readonly #unlocked: UrlStorage
  readonly #locked: UrlStorage | undefined
  readonly #keys = new Set<string>()

  constructor(storage: UrlStorage) {
    this.#storage = storage
    this.#unlocked = {
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
    }
    const lock = storage.lock?.bind(storage)
    this.#locked = lock && { ...this.#unlocked, lock }
  }

  /** For the upload of one file, which must keep its entry. */
  storageFor(sizeBytes: number | undefined): UrlStorage {
    // A right to a file that is sent in a moment would cost more than to send it twice.
    const needsRight = sizeBytes === undefined || sizeBytes > SMALL_BYTES
    return (needsRight ? this.#locked : undefined) ?? this.#unlocked
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
