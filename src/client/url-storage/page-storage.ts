import type { UrlStorage } from '../ports/url-storage.ts'
import { recordStorage } from './record-storage.ts'
import type { Records, RecordStorageOptions } from './record-storage.ts'

/** What the storages of a page have in common. */
export interface PageStorageOptions extends RecordStorageOptions {
  /** @default `navigator.locks`; without locks the storage has no `lock` */
  readonly locks?: LockManager | undefined
}

/** A storage shared by all tabs and workers of an origin. */
export function pageStorage(records: Records, scope: string, options: PageStorageOptions): UrlStorage {
  // Browsers have locks in secure contexts only.
  const locks = 'locks' in options ? options.locks : globalThis.navigator?.locks
  return { ...recordStorage(records, options), ...(locks && { lock: webLock(locks, scope) }) }
}

/** Rights shared by all tabs; the browser gives back those of a tab that is gone. */
function webLock(locks: LockManager, scope: string): NonNullable<UrlStorage['lock']> {
  return (right, { signal, onWait }) =>
    new Promise((resolve, reject) => {
      const name = `carryon:${scope}:${right}`
      const hold = (): Promise<void> => {
        // Here, because the first request below cannot be aborted.
        signal.throwIfAborted()
        return new Promise((free) => {
          resolve(async () => {
            free()
            await ended
          })
        })
      }
      const ended = locks
        .request(name, { ifAvailable: true }, async (lock) => {
          if (lock) return await hold()
          onWait?.()
          await locks.request(name, { signal }, hold)
        })
        // Browsers differ in what they reject with.
        .catch((error: unknown) => reject(signal.aborted ? signal.reason : error))
    })
}
