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
import type { Durability, UploadRecord } from '../../core/upload.ts'
import type { UploadId } from '../../core/upload-id.ts'
import { withOwnBytes } from '../own-copy.ts'
import { matches, SortedIds } from './listing.ts'
import { Owners } from './owners.ts'
import { memoryQueues, type MemoryQueues } from './queues.ts'

export interface MemoryCatalogOptions {
  /**
   * Names this process in what stores write.
   *
   * @default a random UUID
   */
  readonly writer?: string
  /**
   * What records claim to survive. Nothing here survives the end of the process, whatever it says.
   *
   * @default 'process'
   */
  readonly durability?: Durability
}

/**
 * Keeps records in memory: for tests, and for servers whose uploads need not outlive the process.
 *
 * Always alone, so leases are always granted and never asked back.
 *
 * @returns A catalog that forgets everything when the process ends.
 */
export function memoryCatalog(options: MemoryCatalogOptions = {}): Catalog {
  return new MemoryCatalog(options.writer ?? crypto.randomUUID(), options.durability ?? 'process')
}

class MemoryCatalog implements Catalog {
  readonly durability: Durability
  readonly writer: string
  readonly isAlone = true
  readonly queues: Queues
  readonly #records = new Map<UploadId, UploadRecord>()
  readonly #ids = new SortedIds()
  readonly #owners = new Owners()
  readonly #queues: MemoryQueues
  #closed = false

  constructor(writer: string, durability: Durability) {
    this.writer = writer
    this.durability = durability
    this.#queues = memoryQueues(
      () => this.#assertOpen(),
      () => this.#records.values(),
    )
    this.queues = this.#queues
  }

  get(id: UploadId): UploadRecord | undefined {
    this.#assertOpen()
    return this.#records.get(id)
  }

  async insert(
    record: UploadRecord,
    events: readonly UploadEvent[] = [],
    bounds?: OwnerBounds,
  ): Promise<void> {
    this.#assertOpen()
    if (this.#records.has(record.id)) throw new UploadError('ERR_UPLOAD_EXISTS')
    this.#owners.check(record, bounds)
    this.#ids.add(record.id)
    this.#change(undefined, withOwnBytes(record), events)
  }

  async update(
    id: UploadId,
    guard: Guard,
    change: RecordChange,
    events: readonly UploadEvent[] = [],
  ): Promise<boolean> {
    const record = this.#guarded(id, guard)
    if (record === undefined) return false
    this.#change(record, { ...record, ...withOwnBytes(change) }, events)
    return true
  }

  async forget(id: UploadId, guard: Guard): Promise<boolean> {
    const record = this.#guarded(id, guard)
    if (record === undefined) return false
    this.#records.delete(id)
    this.#ids.remove(id)
    this.#owners.changed(record, undefined)
    this.#queues.changed(record, undefined)
    return true
  }

  async acquire(id: UploadId): Promise<Acquired> {
    const record = this.get(id)
    return record === undefined ? { kind: 'missing' } : { kind: 'held', record }
  }

  async release(_id: UploadId): Promise<void> {
    // Nothing is kept for a lease: there is nobody to keep it from.
  }

  async heldElsewhere(_id: UploadId, _preempt: boolean): Promise<boolean> {
    this.#assertOpen()
    return false
  }

  mayExtend(_writer: string): boolean {
    return true
  }

  onWanted(_listener: (id: UploadId) => void): void {
    // Nobody else can want an upload.
  }

  onFatal(_listener: (error: unknown) => void): void {
    // Memory does not fail to sync.
  }

  async list(query: ListQuery): Promise<readonly UploadRecord[]> {
    this.#assertOpen()
    const page: UploadRecord[] = []
    for (const id of this.#ids.from(query.after)) {
      if (page.length >= query.limit) break
      const record = this.#records.get(id)
      if (record !== undefined && matches(record, query)) page.push(record)
    }
    return page
  }

  async usage(owner: string): Promise<OwnerUsage> {
    this.#assertOpen()
    return this.#owners.usage(owner)
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #change(before: UploadRecord | undefined, after: UploadRecord, events: readonly UploadEvent[]): void {
    this.#records.set(after.id, after)
    this.#owners.changed(before, after)
    this.#queues.changed(before, after)
    this.#queues.append(events)
  }

  #guarded(id: UploadId, guard: Guard): UploadRecord | undefined {
    this.#assertOpen()
    const record = this.#records.get(id)
    const holds =
      record?.epoch === guard.epoch && record.offset === guard.offset && record.status === guard.status
    return holds ? record : undefined
  }

  #assertOpen(): void {
    if (this.#closed) throw new UploadError('ERR_STORE_UNAVAILABLE', { reason: 'The catalog is closed.' })
  }
}
