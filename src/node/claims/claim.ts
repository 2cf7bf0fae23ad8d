import type { Engine } from '../../core/engine.ts'
import type { Durability, UploadRecord } from '../../core/upload.ts'
import type { Destination, SaveOptions } from './types.ts'
import type {
  Claim,
  ClaimRecord,
  ContentAlgorithm,
  DoneOptions,
  ReleaseOptions,
  SaveRecordOptions,
} from './types.ts'
import { placeOf } from './destination.ts'
import { digestOf } from './digest.ts'
import type { Folders } from './files.ts'
import type { KeepAlive } from './keep-alive.ts'
import type { ClaimLease } from './lease.ts'
import { claimRecord } from './record.ts'
import { clearLeftover, saveFile } from './save.ts'

interface ClaimParts {
  readonly engine: Engine
  readonly lease: ClaimLease
  readonly alive: KeepAlive
  readonly folders: Folders
  readonly durability: Durability
  readonly leaseMs: number
  readonly maxAttempts: number
  readonly report: (error: unknown) => void
}

/** How soon what could not be cleared after `done()` is tried again. */
const CLEAR_RETRY_MS = 5000

export class HeldClaim implements Claim {
  readonly #upload: UploadRecord
  readonly #parts: ClaimParts
  readonly #digests = new Map<ContentAlgorithm, Promise<string>>()
  #record: ClaimRecord
  #saved: string | undefined
  #leftovers: string[] = []

  constructor(upload: UploadRecord, parts: ClaimParts) {
    this.#upload = upload
    this.#parts = parts
    this.#record = claimRecord(upload)
  }

  get id(): string {
    return this.#upload.id
  }

  get record(): ClaimRecord {
    return this.#record
  }

  get sentMetadata(): Readonly<Record<string, string>> {
    return this.#upload.metadata
  }

  get attempt(): number {
    return this.#lease.attempt
  }

  get signal(): AbortSignal {
    return this.#lease.signal
  }

  read(): AsyncIterable<Uint8Array> {
    this.#lease.assertOpen()
    const range = { start: 0, end: this.#upload.offset }
    return this.#parts.engine.read(this.#upload, range, this.signal)
  }

  async path(): Promise<string> {
    const path = await this.#place()
    if (path === undefined) throw new Error('This store does not keep the upload as a plain file.')
    return path
  }

  async digest(algorithm: ContentAlgorithm = 'sha256'): Promise<string> {
    let computing = this.#digests.get(algorithm)
    if (computing === undefined) {
      computing = digestOf(algorithm, this.read())
      this.#digests.set(algorithm, computing)
      // One that failed can be asked for again.
      computing.catch(() => this.#digests.delete(algorithm))
    }
    const hex = await computing
    this.#record = { ...this.#record, digest: { algorithm, hex } }
    return hex
  }

  async save(destination: Destination, options: SaveOptions = {}): Promise<string> {
    const { overwrite = false, unsafeName = false, mode } = options
    const { filename } = this.#record.metadata
    const place = placeOf(destination, { id: this.id, filename, unsafeName })
    const source = await this.#place()
    const { durability, maxAttempts, folders } = this.#parts
    const { path, leftover } = await saveFile(
      {
        ...place,
        id: this.id,
        attempt: this.attempt,
        maxAttempts,
        source,
        read: () => this.read(),
        sizeBytes: this.#upload.offset,
        overwrite,
        mode,
        durable: durability === 'power',
        isSynced: this.#upload.durability === 'power',
        signal: this.signal,
      },
      folders,
    )
    // Whoever has lost the upload must not call it saved.
    this.#lease.assertOpen()
    this.#saved = path
    if (leftover !== undefined) this.#leftovers.push(leftover)
    return path
  }

  async saveRecord(path?: string, { digest = 'sha256' }: SaveRecordOptions = {}): Promise<string> {
    const beside = this.#saved === undefined ? undefined : `${this.#saved}.json`
    if (path === undefined && beside === undefined) {
      throw new TypeError('saveRecord() needs a path, or the content has to be saved first.')
    }
    this.#lease.assertOpen()
    if (digest !== false) await this.digest(digest)
    const naming = { id: this.id, filename: `${this.#record.metadata.filename}.json`, unsafeName: false }
    const place = placeOf(path ?? beside ?? '', { ...naming, unsafeName: path === undefined })
    const facts = { ...this.#record, metadata: this.#upload.metadata }
    const { saveRecordFile } = await import('./record-file.ts')
    return saveRecordFile(facts, { ...place, attempt: this.attempt }, this.#parts.folders)
  }

  async extend(ms: number = this.#parts.leaseMs): Promise<void> {
    if (!(Number.isFinite(ms) && ms > 0))
      throw new RangeError('A claim can be extended by a positive time only.')
    await this.#lease.extend(ms)
  }

  async done({ remove = false }: DoneOptions = {}): Promise<void> {
    const lease = this.#lease
    lease.assertOpen()
    const hasToFree = remove || this.#saved !== undefined
    const isCleared = hasToFree ? await this.#parts.alive.during(() => this.#free(remove)) : true
    if (isCleared) await lease.done()
    // What the application wanted is recorded. The next one to take it only clears up.
    else await lease.release(undefined, CLEAR_RETRY_MS)
  }

  async release(error?: unknown, { delayMs }: ReleaseOptions = {}): Promise<void> {
    await this.#lease.release(error, delayMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave('The claim was left without done() or release().')
  }

  /** Releases what is still open. Never fails: whatever it is, the lease ends by itself. */
  async leave(why: string): Promise<void> {
    if (this.#lease.isOpen) await this.#lease.release(why, undefined).catch(this.#parts.report)
  }

  /** At the end of the process. Never fails. */
  async giveBack(): Promise<void> {
    if (this.#lease.isOpen) await this.#lease.giveBack().catch(this.#parts.report)
  }

  get #lease(): ClaimLease {
    return this.#parts.lease
  }

  async #place(): Promise<string | undefined> {
    this.#lease.assertOpen()
    const { engine, alive } = this.#parts
    return alive.during(() => engine.claims.place(this.#upload.id, this.signal))
  }

  /** @returns Whether everything is cleared away that has to be. */
  async #free(remove: boolean): Promise<boolean> {
    const { claims } = this.#parts.engine
    await this.#lease.assure()
    let isCleared = true
    if (remove) await claims.remove(this.#upload.id, this.signal)
    else isCleared = await claims.handOver(this.#upload.id, this.#leftovers, this.signal)
    try {
      for (const path of this.#leftovers) await clearLeftover(this.id, path)
    } catch (error) {
      this.#parts.report(error)
      isCleared = false
    }
    return isCleared
  }
}
