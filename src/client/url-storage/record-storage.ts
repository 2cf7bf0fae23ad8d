import type { StoredUpload, UrlStorage } from '../ports/url-storage.ts'
import { shown, sift } from './entry.ts'
import type { Kept } from './entry.ts'

/** Where records lie: one per key, of this storage or of strangers. */
export interface Records {
  all(): Iterable<unknown> | Promise<Iterable<unknown>>
  put(record: Kept): unknown
  remove(key: string): unknown
}

export interface RecordStorageOptions {
  /** More entries than these push out the ones unused for longest. @default 500 */
  readonly maxEntries?: number
  /** @default the system's clock */
  readonly nowMs?: () => number
}

/** A storage over records that are written one by one. */
export function recordStorage(
  records: Records,
  { maxEntries = 500, nowMs = Date.now }: RecordStorageOptions,
): Omit<UrlStorage, 'lock'> {
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
      await records.put({ ...entry, usedAtMs: nowMs() })
      // Looking at all is slow, so there may be up to twice as many until somebody looks.
      if (puts++ % maxEntries === 0) await find()
    },
    async remove(key) {
      await records.remove(key)
    },
  }
}
