import type { UrlStorage } from '../ports/url-storage.ts'
import { recordStorage } from './record-storage.ts'
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
  const { prefix = 'carryon:', maxEntries = 500, nowMs } = options
  // Where cookies are blocked even looking at it throws: never outside a method.
  const items = (): Storage => options.storage ?? localStorage
  const records = {
    all: () => [...ownRecords(items(), prefix)],
    put: (key: string, record: unknown) => items().setItem(prefix + key, JSON.stringify(record)),
    remove: (key: string) => items().removeItem(prefix + key),
  }
  return {
    ...recordStorage(records, { maxEntries, nowMs }),
    ...webLock('locks' in options ? options.locks : ownLocks(), prefix),
  }
}

/** An item is ours when its name is the prefix and the key inside: another prefix may begin like this one. */
function* ownRecords(items: Storage, prefix: string): Iterable<unknown> {
  for (let index = 0; index < items.length; index += 1) {
    const name = items.key(index) ?? ''
    const record = parse(name.startsWith(prefix) ? items.getItem(name) : null)
    if (prefix + String(record?.key) === name) yield record
  }
}

function parse(text: string | null): { readonly key?: unknown } | undefined {
  try {
    return JSON.parse(text ?? 'null') ?? undefined
  } catch {
    return undefined
  }
}
