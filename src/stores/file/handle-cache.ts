import type { Disk } from './disk.ts'

/** A file this process has extended, kept open for the next append. */
export interface CachedHandle {
  readonly fd: number
  /** Its length by the last commit. */
  readonly committed: number
  /** Its length on disk: longer, if bytes were written and never committed. */
  readonly size: number
}

/** The most recently used file handles: a series of small PATCHes opens its file once. */
export class HandleCache {
  readonly #disk: Disk
  readonly #limit: number
  readonly #handles = new Map<string, CachedHandle>()

  constructor(disk: Disk, limit: number) {
    this.#disk = disk
    this.#limit = limit
  }

  /** The handle of a file, which then belongs to the caller. */
  take(file: string): CachedHandle | undefined {
    const handle = this.#handles.get(file)
    this.#handles.delete(file)
    return handle
  }

  async put(file: string, handle: CachedHandle): Promise<void> {
    this.#handles.set(file, handle)
    const oldest = this.#handles.keys().next()
    if (this.#handles.size > this.#limit && oldest.done !== true) await this.drop(oldest.value)
  }

  async drop(file: string): Promise<void> {
    const handle = this.take(file)
    // Nothing depends on the result: what was committed is synced.
    if (handle !== undefined) await this.#disk.close(handle.fd).catch(() => undefined)
  }

  async clear(): Promise<void> {
    for (const file of this.#handles.keys()) await this.drop(file)
  }
}
