import type { UrlStorage } from '../ports/url-storage.ts'
import { shown, sift, type Sifted, stored } from './entry.ts'
import { ownLocks, webLock } from './web-lock.ts'

const UPLOADS = 'uploads'

export interface IndexedDbUrlStorageOptions {
  /** Of the database. @default 'carryon' */
  readonly name?: string
  /** More entries than these push out the ones unused for longest. @default 500 */
  readonly maxEntries?: number
  /** @default the `indexedDB` of the page or worker, looked up when it is first needed */
  readonly factory?: IDBFactory
  /** @default `navigator.locks`; without locks the storage has no `lock` */
  readonly locks?: LockManager | undefined
  /** @default the system's clock */
  readonly nowMs?: () => number
}

type Work<T> = (uploads: IDBObjectStore) => IDBRequest<T>

/**
 * Remembers uploads in IndexedDB: in pages and workers, shared by all of an origin. There is nothing to close: the
 * connection gives way to whoever deletes the database.
 *
 * A full or forbidden database (`QuotaExceededError`, `SecurityError`) rejects; uploads go on without it.
 */
export function indexedDbUrlStorage(options: IndexedDbUrlStorageOptions = {}): UrlStorage {
  const { name = 'carryon', maxEntries = 500, nowMs = Date.now } = options
  let opened: Promise<IDBDatabase> | undefined
  let puts = 0

  const close = async (): Promise<void> => {
    const closing = opened
    opened = undefined
    await closing?.then(
      (database) => database.close(),
      () => undefined,
    )
  }

  const open = (): Promise<IDBDatabase> =>
    new Promise((resolve, reject) => {
      const request = (options.factory ?? indexedDB).open(name, 1)
      request.onupgradeneeded = () => request.result.createObjectStore(UPLOADS, { keyPath: 'key' })
      request.addEventListener('error', () => reject(request.error))
      request.onsuccess = () => {
        // Another tab that deletes the database, or knows a newer form of it, must not wait for this one.
        request.result.onversionchange = () => void close()
        resolve(request.result)
      }
    })

  /** Resolves once what was asked for is stored. */
  const run = async <T>(work: Work<T>): Promise<T> => {
    const connection = (opened ??= open())
    try {
      const transaction = (await connection).transaction(UPLOADS, 'readwrite')
      return await new Promise<T>((resolve, reject) => {
        const request = work(transaction.objectStore(UPLOADS))
        transaction.oncomplete = () => resolve(request.result)
        // A full disk shows only here, after each request has succeeded.
        transaction.addEventListener('abort', () => reject(transaction.error))
      })
    } catch (error) {
      // Safari loses connections of pages in the background: the next call opens a new one.
      if (opened === connection) await close()
      throw error
    }
  }

  const all = async (): Promise<Sifted> => {
    const sifted = sift(await run<unknown[]>((uploads) => uploads.getAll()), { nowMs: nowMs(), maxEntries })
    await Promise.all(sifted.dropped.map((key) => run((uploads) => uploads.delete(key))))
    return sifted
  }

  return {
    find: async (fingerprint) => shown(await all(), fingerprint),
    list: async () => shown(await all()),
    async put(entry) {
      await run((uploads) => uploads.put(stored({ entry, usedAtMs: nowMs() })))
      // Looking at all is slow, so there may be up to twice as many until somebody looks.
      if (puts++ % maxEntries === 0) await all()
    },
    remove: (key) => run((uploads) => uploads.delete(key)),
    ...webLock('locks' in options ? options.locks : ownLocks(), name),
  }
}
