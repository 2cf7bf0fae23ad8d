import type { StoredUpload, UrlStorage } from '../ports/url-storage.ts'
import { shown, sift, stored } from './entry.ts'

/** Where records lie: one per key, of this storage or of strangers. */
export interface Records {
  all(): Iterable<unknown> | Promise<Iterable<unknown>>
  put(key: string, record: Readonly<Record<string, unknown>>): unknown
  remove(key: string): unknown
}

export interface RecordStorageOptions {
  /** More entries than these push out the ones unused for longest. @default no limit */
  readonly maxEntries?: number | undefined
  /** @default the system's clock */
  readonly nowMs?: (() => number) | undefined
}

/** A storage over records that are written one by one. */
export function recordStorage(records: Records, options: RecordStorageOptions): Omit<UrlStorage, 'lock'> {
  const { maxEntries = Infinity, nowMs = Date.now } = options
  let puts = 0
  const find = async (fingerprint?: string): Promise<readonly StoredUpload[]> => {
    const sifted = sift(await records.all(), { nowMs: nowMs(), maxEntries })
    for (const key of sifted.dropped) await records.remove(key)
    return shown(sifted, fingerprint)
  }
  return {
    find,
    list: () => find(),
    async put(entry) {
      await records.put(entry.key, stored({ entry, usedAtMs: nowMs() }))
      // Looking at all is slow, so there may be up to twice as many until somebody looks.
      if (puts++ % maxEntries === 0) await find()
    },
    remove: async (key) => void (await records.remove(key)),
  }
}
