import type { UrlStorage } from '../ports/url-storage.ts'
import type { Kept } from './entry.ts'
import { pageStorage } from './page-storage.ts'
import type { PageStorageOptions } from './page-storage.ts'

export interface LocalStorageUrlStorageOptions extends PageStorageOptions {
  /** Begins the name of every item. @default 'carryon:' */
  readonly prefix?: string
  /** @default the `localStorage` of the page, looked up at each call */
  readonly storage?: Storage
}

/**
 * Remembers uploads in the page's `localStorage`: one item per entry, so that tabs never overwrite each other's.
 *
 * A full or forbidden storage (`QuotaExceededError`, `SecurityError`) rejects; uploads go on without it.
 */
export function localStorageUrlStorage(options: LocalStorageUrlStorageOptions = {}): UrlStorage {
  const { prefix = 'carryon:' } = options
  // Where cookies are blocked even looking at it throws: never outside a method.
  const items = (): Storage => options.storage ?? localStorage
  const records = {
    all: () => ownRecords(items(), prefix),
    put: (record: Kept) => items().setItem(prefix + record.key, JSON.stringify(record)),
    remove: (key: string) => items().removeItem(prefix + key),
  }
  return pageStorage(records, prefix, options)
}

/** An item is ours when its name is the prefix and the key inside: another prefix may begin like this one. */
function ownRecords(items: Storage, prefix: string): readonly unknown[] {
  const names = Array.from(items, (_, index) => items.key(index) ?? '')
  return names.flatMap((name) => {
    try {
      const record = JSON.parse(items.getItem(name) ?? '')
      return prefix + record.key === name ? [record] : []
    } catch {
      // Somebody else's text.
      return []
    }
  })
}
