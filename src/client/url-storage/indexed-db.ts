import type { UrlStorage } from '../ports/url-storage.ts'
import { recordStorage } from './record-storage.ts'
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

/**
 * Remembers uploads in IndexedDB: in pages and workers, shared by all of an origin. There is nothing to close: the
 * connection gives way to whoever deletes the database.
 *
 * A full or forbidden database (`QuotaExceededError`, `SecurityError`) rejects; uploads go on without it.
 */
export function indexedDbUrlStorage(options: IndexedDbUrlStorageOptions = {}): UrlStorage {
  const { name = 'carryon', maxEntries = 500, nowMs } = options
  let opened: Promise<IDBDatabase> | undefined

  const close = async (): Promise<void> => {
    const closing = opened
    opened = undefined
    ;(await closing?.catch(() => undefined))?.close()
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
  const run = async <T>(work: (uploads: IDBObjectStore) => IDBRequest<T>): Promise<T> => {
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

  const records = {
    all: () => run<unknown[]>((uploads) => uploads.getAll()),
    put: (_: string, record: unknown) => run((uploads) => uploads.put(record)),
    remove: (key: string) => run((uploads) => uploads.delete(key)),
  }
  return {
    ...recordStorage(records, { maxEntries, nowMs }),
    ...webLock('locks' in options ? options.locks : ownLocks(), name),
  }
}
