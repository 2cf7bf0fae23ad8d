import type { LockOptions, UrlStorage } from '../ports/url-storage.ts'
import { shown, sift, type Sifted, stored } from './entry.ts'

export interface MemoryUrlStorageOptions {
  /** @default the system's clock */
  readonly nowMs?: () => number
}

/** Remembers uploads as long as the process or page lives: for tests, and for resuming within one run. */
export function memoryUrlStorage({ nowMs = Date.now }: MemoryUrlStorageOptions = {}): UrlStorage {
  const entries = new Map<string, string>()
  const rights = new Rights()
  const sifted = (): Sifted => {
    const values = [...entries.values()].map((text): unknown => JSON.parse(text))
    const all = sift(values, { nowMs: nowMs() })
    for (const key of all.dropped) entries.delete(key)
    return all
  }
  return {
    find: async (fingerprint) => shown(sifted(), fingerprint),
    list: async () => shown(sifted()),
    // As text: nobody else's later change reaches it.
    put: async (entry) => void entries.set(entry.key, JSON.stringify(stored({ entry, usedAtMs: nowMs() }))),
    remove: async (key) => void entries.delete(key),
    lock: (name, options) => rights.take(name, options),
  }
}

type Give = () => void

/** Rights within one process, given in the order they were asked for. */
class Rights {
  /** For each right that is held: those who wait for it. */
  readonly #held = new Map<string, Give[]>()

  async take(name: string, options: LockOptions): Promise<() => Promise<void>> {
    options.signal.throwIfAborted()
    const queue = this.#held.get(name)
    if (queue === undefined) this.#held.set(name, [])
    else {
      options.onWait?.()
      await waitIn(queue, options.signal)
    }
    let isHeld = true
    return async () => {
      if (isHeld) this.#pass(name)
      isHeld = false
    }
  }

  #pass(name: string): void {
    const next = this.#held.get(name)?.shift()
    if (next === undefined) this.#held.delete(name)
    else next()
  }
}

function waitIn(queue: Give[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const give = (): void => {
      signal.removeEventListener('abort', stop)
      resolve()
    }
    const stop = (): void => {
      queue.splice(queue.indexOf(give), 1)
      reject(signal.reason)
    }
    queue.push(give)
    signal.addEventListener('abort', stop, { once: true })
  })
}
