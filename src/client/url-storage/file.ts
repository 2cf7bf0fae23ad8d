import { createHash } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Clock } from '../../core/ports/clock.ts'
import { systemClock } from '../../core/system-clock.ts'
import type { LockOptions, StoredUpload, UrlStorage } from '../ports/url-storage.ts'
import { isEntry, shown, sift, type Sifted } from './entry.ts'
import { codeOf, type HeldLock, takeLockFile } from './lock-file-node.ts'
import { type Processes, systemProcesses } from './process-node.ts'
import { SILENT_MS, waitingOf } from './waiting-node.ts'

export interface FileUrlStorageOptions {
  /** Told when the file was damaged and has been moved aside. */
  readonly onTrouble?: (error: Error) => void
  /** @default the system's clock */
  readonly clock?: Clock
  /** @default the processes of this machine */
  readonly processes?: Processes
}

/** Others write for milliseconds only. */
const WRITING = { pollMs: 10, silentMs: 5000 }
/** A process that was stopped while it wrote must not stop the others for ever. */
const WRITE_PATIENCE_MS = 15_000
const WORKING = { pollMs: 200, silentMs: SILENT_MS }

/**
 * Remembers uploads in one JSON file, which any number of processes may share.
 *
 * Each change replaces the file as a whole: written beside it, synced, renamed. A file that is no JSON is moved to
 * `<path>.corrupt-<n>`, and the storage goes on empty. Beside it stand `<path>.lock`, while somebody writes, and
 * `<path>.lock.d/`, one file for each upload that somebody works on.
 *
 * @param path - Made when it is missing, its directory too, readable by the user alone.
 */
export function fileUrlStorage(path: string, options: FileUrlStorageOptions = {}): UrlStorage {
  return new FileUrlStorage(resolve(path), options)
}

type Change = { readonly put: StoredUpload } | { readonly remove: string }

interface Batch {
  readonly changes: Change[]
  readonly written: Promise<void>
}

class FileUrlStorage implements UrlStorage {
  readonly #path: string
  readonly #clock: Clock
  readonly #processes: Processes
  readonly #onTrouble: ((error: Error) => void) | undefined
  readonly #held = new Set<HeldLock>()
  /** Changes made while others are written go into the file together. */
  #next: Batch | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(
    path: string,
    { onTrouble, clock = systemClock, processes = systemProcesses() }: FileUrlStorageOptions,
  ) {
    this.#path = path
    this.#onTrouble = onTrouble
    this.#clock = clock
    this.#processes = processes
  }

  async find(fingerprint: string): Promise<readonly StoredUpload[]> {
    return shown(await this.#look(), fingerprint)
  }

  async list(): Promise<readonly StoredUpload[]> {
    return shown(await this.#look())
  }

  async put(entry: StoredUpload): Promise<void> {
    // A copy: it is written later. What could not be read again would take the others of its batch with it.
    const copy = structuredClone(entry)
    if (!isEntry(copy)) throw new TypeError('not an upload that can be stored')
    await this.#change({ put: copy })
  }

  remove(key: string): Promise<void> {
    return this.#change({ remove: key })
  }

  async lock(name: string, options: LockOptions): Promise<() => Promise<void>> {
    options.signal.throwIfAborted()
    const directory = `${this.#path}.lock.d`
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const file = join(directory, createHash('sha256').update(name).digest('hex'))
    const held = await takeLockFile(file, { ...WORKING, ...this.#world(), ...waitingOf(options) })
    this.#held.add(held)
    return () => {
      this.#held.delete(held)
      return held.release()
    }
  }

  async close(): Promise<void> {
    await this.#last
    for (const held of this.#held) await held.release()
    this.#held.clear()
  }

  #world(): { clock: Clock; processes: Processes } {
    return { clock: this.#clock, processes: this.#processes }
  }

  async #look(): Promise<Sifted> {
    const values = await this.#read()
    if (values !== undefined) return this.#sift(values)
    // Somebody may be just mending it, so it is looked at again as a writer.
    await this.#write([])
    return this.#sift((await this.#read()) ?? [])
  }

  #sift(values: readonly unknown[]): Sifted {
    return sift(values, { nowMs: this.#clock.nowMs() })
  }

  #change(change: Change): Promise<void> {
    this.#next ??= this.#newBatch()
    this.#next.changes.push(change)
    return this.#next.written
  }

  #newBatch(): Batch {
    const changes: Change[] = []
    const written = this.#last.then(() => {
      this.#next = undefined
      return this.#write(changes)
    })
    this.#last = written.catch(() => undefined)
    return { changes, written }
  }

  async #write(changes: readonly Change[]): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 })
    const lock = await this.#lockFile()
    try {
      // A writer that was killed has left its half behind.
      if (lock.takenFrom !== undefined) await rm(this.#temporary(lock.takenFrom), { force: true })
      let values = await this.#read()
      if (values === undefined) await this.#moveAside()
      values ??= []
      const uploads = this.#changed(values, changes)
      if (uploads !== undefined) await this.#replace(uploads, lock.token)
    } finally {
      await lock.release()
    }
  }

  async #lockFile(): Promise<HeldLock> {
    const path = `${this.#path}.lock`
    const patience = new AbortController()
    const cancel = this.#clock.after(WRITE_PATIENCE_MS, () =>
      patience.abort(new Error(`another process has been holding ${path} for ${WRITE_PATIENCE_MS / 1000} s`)),
    )
    try {
      return await takeLockFile(path, { ...WRITING, ...this.#world(), signal: patience.signal })
    } finally {
      cancel()
    }
  }

  #temporary(token: string): string {
    return `${this.#path}.${token}.tmp`
  }

  /** `undefined`: it stays as it is. */
  #changed(values: readonly unknown[], changes: readonly Change[]): unknown[] | undefined {
    const usedAtMs = this.#clock.nowMs()
    const kept = new Map(this.#sift(values).kept.map((entry) => [entry.key, entry]))
    let isChanged = kept.size < values.length
    for (const change of changes) {
      if ('put' in change) kept.set(change.put.key, { ...change.put, usedAtMs })
      isChanged = 'put' in change || kept.delete(change.remove) || isChanged
    }
    return isChanged ? [...kept.values()] : undefined
  }

  /** What the file holds; `undefined`: it is damaged. */
  async #read(): Promise<readonly unknown[] | undefined> {
    let text: string
    try {
      text = await readFile(this.#path, 'utf8')
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    }
    if (text.trim() === '') return []
    try {
      const content: unknown = JSON.parse(text)
      const uploads: unknown =
        typeof content === 'object' && content !== null && 'uploads' in content ? content.uploads : undefined
      return Array.isArray(uploads) ? uploads : undefined
    } catch {
      return undefined
    }
  }

  async #replace(uploads: readonly unknown[], token: string): Promise<void> {
    const temporary = this.#temporary(token)
    try {
      const file = await open(temporary, 'wx', 0o600)
      try {
        await file.writeFile(`${JSON.stringify({ uploads }, undefined, 1)}\n`)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(temporary, this.#path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }

  async #moveAside(): Promise<void> {
    for (let number = 1; ; number += 1) {
      const aside = `${this.#path}.corrupt-${number}`
      if (await isThere(aside)) continue
      await rename(this.#path, aside)
      this.#onTrouble?.(
        new Error(`${this.#path} is damaged and was moved to ${aside}; its uploads cannot be resumed`),
      )
      return
    }
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await (await open(path)).close()
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}
