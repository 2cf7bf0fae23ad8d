import { abortable } from '../abortable.ts'
import type { UrlStorage } from '../ports/url-storage.ts'
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
    put: (key: string, record: unknown) => texts.set(key, JSON.stringify(record)),
    remove: (key: string) => texts.delete(key),
  }
  return { ...recordStorage(records, options), lock: memoryLock() }
}

/** Rights within one process, given in the order they were asked for. */
function memoryLock(): NonNullable<UrlStorage['lock']> {
  /** For each right that is held: when the last of those who hold it or wait for it gives it back. */
  const lasts = new Map<string, Promise<void>>()
  return async (name, { signal, onWait }) => {
    signal.throwIfAborted()
    const before = lasts.get(name)
    let free = (): void => undefined
    const mine = new Promise<void>((resolve) => (free = resolve))
    const last = Promise.resolve(before)
      .then(() => mine)
      .then(() => {
        if (lasts.get(name) === last) lasts.delete(name)
      })
    lasts.set(name, last)
    if (before) {
      onWait?.()
      await abortable(before, signal).catch((reason: unknown) => {
        free()
        throw reason
      })
    }
    return async () => {
      free()
      await last
    }
  }
}
