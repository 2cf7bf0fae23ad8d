import fs from 'node:fs'
import { dirname, join } from 'node:path'

import type { Disk } from './disk.ts'
import { storeError } from './disk-errors.ts'

/**
 * A directory whose entries can be made durable. A new or removed name survives a power cut only once the
 * directory is synced; one sync serves all that ask for it while another is running.
 */
export class Directory {
  readonly path: string
  readonly #disk: Disk
  readonly #durable: boolean
  #fd: Promise<number> | undefined
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(path: string, disk: Disk, durable: boolean) {
    this.path = path
    this.#disk = disk
    this.#durable = durable
  }

  join(name: string): string {
    return join(this.path, name)
  }

  /** Resolves when every change made before this call is durable. */
  sync(): Promise<void> {
    if (!this.#durable) return Promise.resolve()
    if (this.#running === undefined) {
      this.#running = this.#syncOnce().finally(() => {
        this.#running = undefined
      })
      return this.#running
    }
    // The running sync may have begun before the caller's change: it counts for the next one only.
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        return this.sync()
      })
    return this.#next
  }

  /** Syncs some time soon; for removals, which are found and repeated if a power cut undoes them. */
  syncLater(): void {
    this.sync().catch(() => undefined)
  }

  async close(): Promise<void> {
    await (this.#next ?? this.#running)?.catch(() => undefined)
    const fd = await this.#fd?.catch(() => undefined)
    this.#fd = undefined
    if (fd !== undefined) await this.#disk.close(fd)
  }

  async #syncOnce(): Promise<void> {
    try {
      await this.#disk.fsync(await this.#opened())
    } catch (error) {
      throw storeError(error)
    }
  }

  #opened(): Promise<number> {
    this.#fd ??= this.#disk.open(this.path, fs.constants.O_RDONLY).catch((error: unknown) => {
      this.#fd = undefined
      throw error
    })
    return this.#fd
  }
}

/**
 * Makes a directory and what is missing above it. One that exists keeps its mode.
 *
 * @throws the error of `node:fs` if it cannot be made or is no directory.
 */
export function makeDirectory(path: string, mode: number, durable: boolean): void {
  const first = fs.mkdirSync(path, { recursive: true, mode })
  if (first === undefined || !durable) return
  for (let made = path; made.length >= first.length; made = dirname(made)) syncDirectory(dirname(made))
}

function syncDirectory(path: string): void {
  const fd = fs.openSync(path, fs.constants.O_RDONLY)
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}
