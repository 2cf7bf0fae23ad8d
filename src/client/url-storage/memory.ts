import { abortable } from '../abortable.ts'
import type { UrlStorage } from '../ports/url-storage.ts'
import type { Kept } from './entry.ts'
import { recordStorage } from './record-storage.ts'

export interface MemoryUrlStorageOptions {
  /** @default the system's clock */
  readonly nowMs?: () => number
}

/** Remembers uploads as long as the process or page lives: for tests, and for resuming within one run. */
export function memoryUrlStorage(options: MemoryUrlStorageOptions = {}): UrlStorage {
  // As text: nobody else's later change reaches it.
  const texts = new Map<string, string>()
  const records = {
    all: () => [...texts.values()].map((text): unknown => JSON.parse(text)),
    put: (record: Kept) => texts.set(record.key, JSON.stringify(record)),
    remove: (key: string) => texts.delete(key),
  }
  return { ...recordStorage(records, { ...options, maxEntries: Infinity }), lock: memoryLock() }
}

/** Rights within one process, given in the order they were asked for. */
function memoryLock(): NonNullable<UrlStorage['lock']> {
  /** For each right that is held: when it is given back. */
  const held = new Map<string, Promise<void>>()
  return async (name, { signal, onWait }) => {
    signal.throwIfAborted()
    if (held.has(name)) onWait?.()
    while (held.has(name)) await abortable(held.get(name), signal)
    let free = (): void => {}
    const mine = new Promise<void>((resolve) => (free = resolve))
    held.set(name, mine)
    return async () => {
      if (held.get(name) === mine) held.delete(name)
      free()
    }
  }
}
