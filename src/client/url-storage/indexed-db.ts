import type { UrlStorage } from '../ports/url-storage.ts'
import { pageStorage } from './page-storage.ts'
import type { PageStorageOptions } from './page-storage.ts'

const UPLOADS = 'uploads'

export interface IndexedDbUrlStorageOptions extends PageStorageOptions {
  /** Of the database. @default 'carryon' */
  readonly name?: string
  /** @default the `indexedDB` of the page or worker, looked up when it is first needed */
  readonly factory?: IDBFactory
}

/**
 * Remembers uploads in IndexedDB: in pages and workers, shared by all of an origin. There is nothing to close.
 *
 * A full or forbidden database (`QuotaExceededError`, `SecurityError`) rejects; uploads go on without it.
 */
export function indexedDbUrlStorage(options: IndexedDbUrlStorageOptions = {}): UrlStorage {
  const { name = 'carryon' } = options

  const open = (): Promise<IDBDatabase> =>
    new Promise((resolve, reject) => {
      const request = (options.factory ?? indexedDB).open(name, 1)
      request.onupgradeneeded = () => request.result.createObjectStore(UPLOADS, { keyPath: 'key' })
      request.addEventListener('error', () => reject(request.error))
      request.onsuccess = () => resolve(request.result)
    })

  /** Resolves once what was asked for is stored. */
  const run = async <T>(work: (uploads: IDBObjectStore) => IDBRequest<T>): Promise<T> => {
    // Each time: Safari loses connections of pages in the background, and whoever deletes the database waits for none.
    const database = await open()
    try {
      const transaction = database.transaction(UPLOADS, 'readwrite')
      return await new Promise<T>((resolve, reject) => {
        const request = work(transaction.objectStore(UPLOADS))
        transaction.oncomplete = () => resolve(request.result)
        // A full disk shows only here, after each request has succeeded.
        transaction.addEventListener('abort', () => reject(transaction.error))
      })
    } finally {
      database.close()
    }
  }

  const records = {
    all: () => run<unknown[]>((uploads) => uploads.getAll()),
    put: (record: unknown) => run((uploads) => uploads.put(record)),
    remove: (key: string) => run((uploads) => uploads.delete(key)),
  }
  return pageStorage(records, name, options)
}
