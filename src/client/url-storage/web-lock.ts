import type { UrlStorage } from '../ports/url-storage.ts'

/** Rights shared by all tabs and workers of an origin; the browser gives back those of a tab that is gone. */
export function webLock(locks: LockManager | undefined, scope: string): Pick<UrlStorage, 'lock'> {
  if (!locks) return {}
  return {
    lock: (right, { signal, onWait }) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted()
        const name = `carryon:${scope}:${right}`
        const hold = (): Promise<void> => {
          // Again, because the first request below cannot be aborted.
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
      }),
  }
}

/** The browser's locks, where it has them: in secure contexts only. */
export function ownLocks(): LockManager | undefined {
  return typeof navigator === 'undefined' ? undefined : navigator.locks
}
