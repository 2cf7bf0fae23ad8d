import { randomUUID } from 'node:crypto'
import { UploadError } from '../../core/errors.ts'
import type {
  Acquired,
  Catalog,
  Guard,
  ListQuery,
  OwnerBounds,
  OwnerUsage,
  Queues,
  RecordChange,
  UploadEvent,
} from '../../core/ports/catalog.ts'
import type { Clock } from '../../core/ports/clock.ts'
import { systemClock } from '../../core/system-clock.ts'
import type { Durability, UploadRecord } from '../../core/upload.ts'
import type { UploadId } from '../../core/upload-id.ts'
import { withOwnBytes } from '../own-copy.ts'
import { CommitQueue } from './commit-queue.ts'
import { openConnection } from './connection.ts'
import { ensureDatabaseFile } from './database-file.ts'
import { type Database, loadDriver, type OpenDatabase, RESULT, resultCode } from './driver.ts'
import { Membership } from './membership.ts'
import type { GuardValues, Operation } from './operations.ts'
import { type Processes, systemProcesses } from './processes.ts'
import { sqliteQueues } from './queues.ts'
import { Reader } from './reader.ts'
import { giveUpUnsynced } from './reboot.ts'
import { RecordCache } from './record-cache.ts'
import { boundValues, changeValues, eventValues, insertValues } from './record-row.ts'
import { assertKnownSchema, migrate } from './schema.ts'
import { sameThread, startWorker, type WriterEvents } from './writer-thread.ts'

export type { ProcessIdentity, Processes } from './processes.ts'

export interface SqliteCatalogOptions {
  /** The database file. It and its directory are made when missing; SQLite puts two more files beside it. */
  readonly path: string
  /**
   * What a resolved promise survives: `power` syncs every group of changes, `process` leaves that to the kernel.
   *
   * @default 'power'
   */
  readonly durability?: Durability
  /**
   * Names this process among those that share the database. Must never have been used by another one.
   *
   * @default a random UUID
   */
  readonly writer?: string
  /**
   * Where changes are written. `same` blocks the event loop at every sync; it is also what happens when a
   * bundler has lost the worker's file.
   *
   * @default 'worker'
   */
  readonly thread?: 'worker' | 'same'
  /** For tests. @default the machine's clock */
  readonly clock?: Clock
  /** For tests: who this process is, and which others are dead. @default the machine's processes */
  readonly processes?: Processes
}

/**
 * Keeps records, leases and queues in one SQLite file that several processes of one machine may share.
 *
 * Changes that wait at the same time are committed together with one sync by a worker thread; reads happen here.
 *
 * @returns The catalog once this process takes part. Waits for up to about 3 s when another process that was
 * alone with the file does not answer.
 * @throws {Error} with one sentence when the file was written by a newer version.
 */
export async function sqliteCatalog(options: SqliteCatalogOptions): Promise<Catalog> {
  const { path, durability = 'power', clock = systemClock, processes = systemProcesses() } = options
  const open = await loadDriver()
  ensureDatabaseFile(path)
  const database = await prepareDatabase(open, path, durability)
  try {
    giveUpUnsynced(database, processes.self.boot, clock.nowMs())
    const reader = new Reader(database)
    const nextName = names(options.writer ?? randomUUID())
    const catalog = new SqliteCatalog(
      durability,
      reader,
      (queue, cache) => new Membership({ queue, reader, cache, clock, processes, nextName }),
    )
    await catalog.start(open, path, options.thread ?? 'worker')
    return catalog
  } catch (error) {
    database.close()
    throw error
  }
}

const OPEN_ATTEMPTS = 50
const OPEN_RETRY_MS = 100

/** Opens and migrates. Switching a new file to its log needs it alone, and SQLite does not wait for that by itself. */
async function prepareDatabase(open: OpenDatabase, path: string, durability: Durability): Promise<Database> {
  for (let attempt = 1; ; attempt += 1) {
    let database: Database | undefined
    try {
      database = open(path)
      assertKnownSchema(database)
      database.close()
      database = openConnection(open, path, durability)
      migrate(database)
      return database
    } catch (error) {
      closeQuietly(database)
      if (resultCode(error) !== RESULT.busy || attempt === OPEN_ATTEMPTS) throw error
      await new Promise((resolve) => void setTimeout(resolve, OPEN_RETRY_MS))
    }
  }
}

function closeQuietly(database: Database | undefined): void {
  try {
    database?.close()
  } catch {
    // It was closed already.
  }
}

/** `name`, then `name~1`, … : an expelled process comes back under a new name. */
function names(first: string): () => string {
  let used = 0
  return () => {
    const name = used === 0 ? first : `${first}~${used}`
    used += 1
    return name
  }
}

class SqliteCatalog implements Catalog {
  readonly durability: Durability
  readonly queues: Queues
  readonly #reader: Reader
  readonly #cache = new RecordCache()
  readonly #queue: CommitQueue
  readonly #membership: Membership
  #closing: Promise<void> | undefined

  constructor(
    durability: Durability,
    reader: Reader,
    membership: (queue: CommitQueue, cache: RecordCache) => Membership,
  ) {
    this.durability = durability
    this.#reader = reader
    this.#queue = new CommitQueue((name) => this.#membership.expelled(name))
    this.#membership = membership(this.#queue, this.#cache)
    const assertOpen = (): void => this.#assertOpen()
    this.queues = sqliteQueues({ membership: this.#membership, reader, assertOpen })
  }

  async start(open: OpenDatabase, path: string, where: 'worker' | 'same'): Promise<void> {
    const setup = { path, durability: this.durability }
    const events: WriterEvents = {
      reply: (reply) => this.#queue.reply(reply),
      fatal: (reason) => this.#queue.fail(reason),
    }
    const worker = where === 'worker' ? await startWorker(setup, events) : undefined
    this.#queue.attach(worker ?? sameThread(open, setup, events))
    try {
      await this.#membership.start()
    } catch (error) {
      await this.#queue.close()
      throw error
    }
  }

  get writer(): string {
    return this.#membership.writer
  }

  get isAlone(): boolean {
    return this.#membership.isAlone
  }

  get(id: UploadId): UploadRecord | undefined {
    this.#assertOpen()
    if (!this.#membership.knowsAll) return this.#reader.get(id)
    const known = this.#cache.get(id)
    if (known !== undefined) return known
    const record = this.#reader.get(id)
    if (record !== undefined) this.#cache.put(record)
    return record
  }

  async insert(inserted: UploadRecord, events?: readonly UploadEvent[], bounds?: OwnerBounds): Promise<void> {
    const record = withOwnBytes(inserted)
    const outcome = await this.#membership.commit([
      'insert',
      insertValues(record),
      record.placement.inline ?? null,
      eventValues(events),
      boundValues(record, bounds),
    ])
    if (outcome === 'ERR_QUOTA_EXCEEDED' || outcome === 'ERR_TOO_MANY_UPLOADS') throw new UploadError(outcome)
    if (outcome !== true) throw new UploadError('ERR_UPLOAD_EXISTS')
    if (this.#membership.isAlone) this.#cache.put(record)
  }

  async update(
    id: UploadId,
    guard: Guard,
    changed: RecordChange,
    events?: readonly UploadEvent[],
  ): Promise<boolean> {
    this.#membership.assertNotLost(id)
    const change = withOwnBytes(changed)
    const { columns, values } = changeValues(change)
    const bytes = change.placement?.inline ?? null
    const told = eventValues(events)
    const operation: Operation = ['update', guardValues(id, guard), columns, values, bytes, told]
    const isDone = (await this.#membership.commit(operation)) === true
    if (isDone) this.#cache.change(id, change)
    else this.#cache.delete(id)
    return isDone
  }

  async forget(id: UploadId, guard: Guard): Promise<boolean> {
    this.#membership.assertNotLost(id)
    const isDone = (await this.#membership.commit(['forget', guardValues(id, guard)])) === true
    this.#cache.delete(id)
    return isDone
  }

  async acquire(id: UploadId): Promise<Acquired> {
    this.#assertOpen()
    return this.#membership.acquire(id)
  }

  release(id: UploadId): Promise<void> {
    return this.#membership.release(id)
  }

  async heldElsewhere(id: UploadId, preempt: boolean): Promise<boolean> {
    this.#assertOpen()
    return this.#membership.heldElsewhere(id, preempt)
  }

  mayExtend(writer: string): boolean {
    return this.#membership.mayExtend(writer)
  }

  onWanted(listener: (id: UploadId) => void): void {
    this.#membership.onWanted(listener)
  }

  onFatal(listener: (error: unknown) => void): void {
    this.#queue.onFatal(listener)
  }

  async list(query: ListQuery): Promise<readonly UploadRecord[]> {
    this.#assertOpen()
    return this.#reader.list(query)
  }

  async usage(owner: string): Promise<OwnerUsage> {
    this.#assertOpen()
    return this.#reader.usage(owner)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#membership.close()
    await this.#queue.close()
    this.#reader.close()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) {
      throw new UploadError('ERR_STORE_UNAVAILABLE', {}, { cause: new Error('The catalog is closed.') })
    }
  }
}

function guardValues(id: UploadId, guard: Guard): GuardValues {
  return [id, guard.epoch, guard.offset, guard.status]
}
