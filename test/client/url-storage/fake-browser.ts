/** `localStorage` with a quota, in UTF-16 code units. */
export class FakeStorage implements Storage {
  readonly #items = new Map<string, string>()
  readonly #quota: number

  constructor(quota: number = Infinity) {
    this.#quota = quota
  }

  get length(): number {
    return this.#items.size
  }

  key(index: number): string | null {
    // Not spread anew for each index: it is asked for all of them in turn.
    if (index === 0) this.#names = [...this.#items.keys()]
    return this.#names[index] ?? null
  }
  #names: string[] = []

  getItem(name: string): string | null {
    return this.#items.get(name) ?? null
  }

  setItem(name: string, value: string): void {
    let size = name.length + value.length
    for (const [other, content] of this.#items)
      if (this.#quota < Infinity) size += other.length + content.length
    if (size > this.#quota) throw new DOMException('full', 'QuotaExceededError')
    this.#items.set(name, value)
  }

  removeItem(name: string): void {
    this.#items.delete(name)
  }

  clear(): void {
    this.#items.clear()
  }
}

interface Asking {
  readonly tab: object
  give(): void
}

/** `navigator.locks` of several tabs of one origin: exclusive locks with `ifAvailable` and `signal`. */
export class FakeLocks {
  readonly #queues = new Map<string, Asking[]>()

  /** What one tab sees. */
  tab(): LockManager {
    const tab = {
      request: (name: string, options: LockOptions, use: (lock: unknown) => unknown) =>
        this.#request({ tab, name, options, use }),
    }
    return tab as unknown as LockManager
  }

  closeTab(tab: object): void {
    for (const [name, queue] of this.#queues) {
      const [holder] = queue
      this.#queues.set(
        name,
        queue.filter((asking) => asking.tab !== tab),
      )
      if (holder?.tab === tab) this.#queues.get(name)?.[0]?.give()
    }
  }

  async #request({ tab, name, options, use }: Request): Promise<unknown> {
    if (name.startsWith('-'))
      throw new DOMException('a name must not begin with a hyphen', 'NotSupportedError')
    if (options.ifAvailable === true && options.signal !== undefined) {
      throw new DOMException('ifAvailable and signal exclude each other', 'NotSupportedError')
    }
    options.signal?.throwIfAborted()
    const queue = this.#queues.get(name) ?? []
    this.#queues.set(name, queue)
    if (options.ifAvailable === true && queue.length > 0) return use(null)
    const asking = await this.#turn(name, tab, options.signal)
    try {
      return await use({ name })
    } finally {
      this.#leave(name, asking)
    }
  }

  #turn(name: string, tab: object, signal: AbortSignal | undefined): Promise<Asking> {
    return new Promise((resolve, reject) => {
      const give = (): void => {
        signal?.removeEventListener('abort', stop)
        resolve(asking)
      }
      const asking: Asking = { tab, give }
      const stop = (): void => {
        this.#leave(name, asking)
        // Older browsers reject with an AbortError of their own.
        reject(new DOMException('aborted', 'AbortError'))
      }
      const queue = this.#queues.get(name)!
      queue.push(asking)
      signal?.addEventListener('abort', stop)
      if (queue.length === 1) give()
    })
  }

  #leave(name: string, asking: Asking): void {
    const queue = this.#queues.get(name)!
    const place = queue.indexOf(asking)
    if (place >= 0) queue.splice(place, 1)
    if (place === 0) queue[0]?.give()
  }
}

interface LockOptions {
  readonly ifAvailable?: boolean
  readonly signal?: AbortSignal
}

interface Request {
  readonly tab: object
  readonly name: string
  readonly options: LockOptions
  readonly use: (lock: unknown) => unknown
}
