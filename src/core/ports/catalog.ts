import type { Durability, UploadRecord, UploadStatus } from '../upload.ts'
import type { UploadId } from '../upload-id.ts'

/** A change of a record happens only if the record still looks like this: the fence against a late writer. */
export interface Guard {
  readonly epoch: number
  readonly offset: number
  readonly status: UploadStatus
}

/** What may change in a record. `epoch` moves by `acquire` alone; identity and history never do. */
export type RecordChange = Partial<
  Pick<
    UploadRecord,
    | 'status'
    | 'offset'
    | 'length'
    | 'placement'
    | 'chore'
    | 'lastWriteAtMs'
    | 'expiresAtMs'
    | 'finishedAtMs'
    | 'durability'
  >
>

/** Something that happened to an upload, kept until everybody who asked for it has heard of it. */
export interface UploadEvent {
  readonly uploadId: UploadId
  /** `post-create`, `post-finish`, `post-terminate`, … */
  readonly type: string
  readonly atMs: number
  /** JSON text of what the listener gets. */
  readonly payload: string
}

/** An event with its place in the order of all events. */
export interface OutboxEntry extends UploadEvent {
  readonly sequence: number
}

/** Events written in the same transaction as the state change they tell of. */
export interface Outbox {
  /** Oldest entries after `sequence`, at most `limit`. */
  read(afterSequence: number, limit: number): Promise<readonly OutboxEntry[]>
  /** Forgets all entries up to and including `sequence`. */
  acknowledge(sequence: number): Promise<void>
}

export type Acquired =
  | {
      /** The caller holds the lease: `record` as it is now, `epoch` to guard every change with. */
      readonly kind: 'held'
      readonly record: UploadRecord
    }
  | {
      /** Another live process holds it. It has been asked to stop; ask again soon. */
      readonly kind: 'busy'
    }
  | { readonly kind: 'missing' }

/** Which records a listing returns, oldest id order; a page at a time. */
export interface ListQuery {
  readonly status?: readonly UploadStatus[]
  /** Only records that expire before this time. */
  readonly expiresBeforeMs?: number
  /** Only tombstones that ended before this time (`lastWriteAtMs`). */
  readonly lastWriteBeforeMs?: number
  /** Only records with work left to do. */
  readonly withChore?: boolean
  /** Continue behind this id. */
  readonly after?: UploadId | undefined
  readonly limit: number
}

/**
 * Keeps the records, and because it is transactional also the leases and the outbox.
 *
 * Every promise resolves only when the change is durable under the catalog's durability; changes that wait at
 * the same time share one sync. Catalogs shared by several processes hand leases from one to the other; a
 * process that was declared dead finds every later change of its own refused (`ERR_LEASE_LOST`).
 */
export interface Catalog {
  /** What a promise of this catalog means. */
  readonly durability: Durability
  /** Names this process among those that share the catalog. May change when leases were lost: never keep it. */
  readonly writer: string
  /** Whether no other process can change a record at this moment. */
  readonly isAlone: boolean
  get(id: UploadId): UploadRecord | undefined | Promise<UploadRecord | undefined>
  /** @throws {UploadError} `ERR_UPLOAD_EXISTS` if the id is taken. */
  insert(record: UploadRecord, events?: readonly UploadEvent[]): Promise<void>
  /**
   * Compare-and-set.
   *
   * @returns False when the guard no longer holds: nothing was changed, no event was written.
   */
  update(id: UploadId, guard: Guard, change: RecordChange, events?: readonly UploadEvent[]): Promise<boolean>
  /** Forgets a record for good (a tombstone past its time). False when the guard no longer holds. */
  forget(id: UploadId, guard: Guard): Promise<boolean>
  /**
   * Takes the right to write one upload for this process. Within the process core admits one holder at a
   * time, so a second `acquire` without `release` does not happen.
   */
  acquire(id: UploadId): Promise<Acquired>
  /** Gives the right back. Never fails for a lease that was lost meanwhile. */
  release(id: UploadId): Promise<void>
  /** Whether another live process writes this upload now; if so it is asked to stop when `preempt` is set. */
  heldElsewhere(id: UploadId, preempt: boolean): Promise<boolean>
  /** Whether files written by `writer` may be extended in place: false while it may be a frozen process. */
  mayExtend(writer: string): boolean
  /** Calls back when another process asks this one to stop writing an upload. */
  onWanted(listener: (id: UploadId) => void): void
  /** Calls back once when the catalog can no longer keep its promise (a failed sync): the process should end. */
  onFatal(listener: (error: unknown) => void): void
  list(query: ListQuery): Promise<readonly UploadRecord[]>
  readonly outbox: Outbox
  close(): Promise<void>
}
