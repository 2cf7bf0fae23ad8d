import type { UrlStorage } from '../ports/url-storage.ts'
import { shown, sift, type Sifted, stored } from './entry.ts'
import { ownLocks, webLock } from './web-lock.ts'

export interface LocalStorageUrlStorageOptions {
  /** Begins the name of every item. @default 'carryon:' */
  readonly prefix?: string
  /** More entries than these push out the ones unused for longest. @default 500 */
  readonly maxEntries?: number
  /** @default the `localStorage` of the page, looked up at each call */
  readonly storage?: Storage
  /** @default `navigator.locks`; without locks the storage has no `lock` */
  readonly locks?: LockManager | undefined
  /** @default the system's clock */
  readonly nowMs?: () => number
}

/**
 * Remembers uploads in the page's `localStorage`: one item per entry, so that tabs never overwrite each other's.
 *
 * A full or forbidden storage (`QuotaExceededError`, `SecurityError`) rejects; uploads go on without it.
 */
export function localStorageUrlStorage(options: LocalStorageUrlStorageOptions = {}): UrlStorage {
  const { prefix = 'carryon:', maxEntries = 500, nowMs = Date.now } = options
  // Where cookies are blocked even looking at it throws: never outside a method.
  const items = (): Storage => options.storage ?? localStorage
  const sifted = (): Sifted => {
    const all = sift(ownValues(items(), prefix), { nowMs: nowMs(), maxEntries })
    for (const key of all.dropped) items().removeItem(prefix + key)
    return all
  }
  return {
    find: async (fingerprint) => shown(sifted(), fingerprint),
    list: async () => shown(sifted()),
    async put(entry) {
      items().setItem(prefix + entry.key, JSON.stringify(stored({ entry, usedAtMs: nowMs() })))
      if (items().length > maxEntries) sifted()
    },
    remove: async (key) => items().removeItem(prefix + key),
    ...webLock('locks' in options ? options.locks : ownLocks(), prefix),
  }
}

/** An item is ours when its name is the prefix and the key inside: another prefix may begin like this one. */
function* ownValues(items: Storage, prefix: string): Iterable<unknown> {
  for (let index = 0; index < items.length; index += 1) {
    const name = items.key(index)
    if (name?.startsWith(prefix) !== true) continue
    const value = parse(items.getItem(name))
    if (
      typeof value === 'object' &&
      value !== null &&
      'key' in value &&
      value.key === name.slice(prefix.length)
    ) {
      yield value
    }
  }
}

function parse(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return undefined
  }
}
