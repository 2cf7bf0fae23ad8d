import type { Durability, OwnerBounds, UploadRecord, UploadStatus } from '../upload.ts'

import type { UploadId } from '../upload-id.ts'

export type { OwnerBounds }

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
    | 'handling'
    | 'quotaBytes'
  >
>

/** Something that happened to an upload, kept in a queue until everybody who asked for it has heard of it. */
export interface UploadEvent {
  /** Which queue it goes to: one per listener outside the process. */
  readonly queue: string
  readonly uploadId: UploadId
  /** `post-create`, `post-finish`, `post-terminate`, … */
  readonly type: string
  readonly atMs: number
  /** JSON text of what the listener gets. */
  readonly payload: string
}

/** An entry of a queue. */
export interface QueueEntry extends UploadEvent {
  /** Its place in the order of everything that was ever queued; never used twice. */
  readonly sequence: number
  /** How often it was taken, this time included. Also the fence: who took it before can no longer change it. */
  readonly attempts: number
  /** When it can be taken (again), Unix time in milliseconds. */
  readonly dueAtMs: number
  /** Given up: nobody takes it until it is replayed. */
  readonly isDead: boolean
  /** What went wrong last, for people. */
  readonly lastError: string | undefined
}

/** What identifies an entry that was taken. */
export type TakenEntry = Pick<QueueEntry, 'sequence' | 'attempts'>

export interface TakeOptions {
  readonly limit: number
  readonly nowMs: number
  /** An entry that is neither done nor released by then can be taken again. */
  readonly leaseMs: number
}

export interface QueueQuery {
  readonly queue?: string | undefined
  readonly uploadId?: UploadId | undefined
  /** Only given-up entries, or only the others. */
  readonly isDead?: boolean | undefined
  /** Continue behind this sequence. */
  readonly after?: number | undefined
  readonly limit: number
}

/** The queue that {@link Queues.enableClaims} fills: one entry of type `claim` for each complete upload. */
export const CLAIMS_QUEUE = 'claims'

/**
 * Queues of what happened to uploads. Entries are written in the same transaction as the change they tell of, taken by
 * one process at a time, oldest first, and never two of one upload and queue at once: what comes later waits until
 * what came before is done or given up.
 */
export interface Queues {
  /**
   * From now on, and for ever, every upload that completes gets a claim in the same transaction, whichever process
   * completes it; partial uploads do not. Uploads that are complete already get theirs now, oldest first.
   */
  enableClaims(): Promise<void>
  /**
   * Takes what is due, exclusively among all processes, and counts the attempt. What is new can be taken at once, whatever
   * the clock says.
   */
  take(queue: string, options: TakeOptions): Promise<readonly QueueEntry[]>
  /** Keeps an entry for longer. @returns False when it is somebody else's by now. */
  extend(entry: TakenEntry, untilMs: number): Promise<boolean>
  /** Removes an entry for good. @returns False when it is somebody else's by now. */
  done(entry: TakenEntry): Promise<boolean>
  /**
   * Gives an entry back. From then on it is nobody's, until it is taken again.
   *
   * @param outcome - When it is due again, or that it is given up.
   * @returns False when it is somebody else's by now.
   */
  release(
    entry: TakenEntry,
    outcome: { readonly dueAtMs: number; readonly isDead: boolean; readonly error?: string | undefined },
  ): Promise<boolean>
  /**
   * Brings given-up entries back as if they had never been tried: behind what waits, under a new sequence.
   *
   * @returns How many.
   */
  replay(sequences: readonly number[]): Promise<number>
  list(query: QueueQuery): Promise<readonly QueueEntry[]>
  /** When the earliest entry of a queue can be taken; `undefined`: there is none. A past time: now. */
  nextDueMs(queue: string): Promise<number | undefined>
}

/** What one owner has. */
export interface OwnerUsage {
  readonly bytes: number
  /** Unfinished uploads: `receiving` and `finishing`. */
  readonly uploads: number
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
  /** Only complete uploads that finished before this time. */
  readonly finishedBeforeMs?: number
  /** Only records with work left to do. */
  readonly withChore?: boolean
  /** Continue behind this id. */
  readonly after?: UploadId | undefined
  readonly limit: number
}

/**
 * Keeps the records, and because it is transactional also the leases and the queues.
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
  /**
   * @param bounds - What the record's owner may have at most.
   * @throws {UploadError} `ERR_UPLOAD_EXISTS` if the id is taken; `ERR_QUOTA_EXCEEDED`, `ERR_TOO_MANY_UPLOADS` if the
   *   owner would have too much: nothing was inserted.
   */
  insert(record: UploadRecord, events?: readonly UploadEvent[], bounds?: OwnerBounds): Promise<void>
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
  /** What an owner has now; gone uploads do not count. */
  usage(owner: string): Promise<OwnerUsage>
  readonly queues: Queues
  close(): Promise<void>
}
