import type { Placement, UploadRecord } from '../upload.ts'

/** Bytes `start` (inclusive) to `end` (exclusive) of an upload. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** The right to write one upload, as a store needs to know it. */
export interface WriteRight {
  readonly epoch: number
  /** Names the process that writes; stored with what it writes. */
  readonly writer: string
  /**
   * Whether what `writer` wrote may be extended in place. False for a process that was declared dead but
   * may be frozen: it could wake up and write into its own files, so they are left alone.
   */
  mayExtend(writer: string): boolean
}

/**
 * Moves bytes. Core has checked offset, length, limits, lease and checksum before it calls; a store only
 * stores. The record says how many bytes an upload has and where; nothing is ever derived from a file's
 * size or a listing.
 *
 * A failure that a client may be told of is an `UploadError` (`ERR_STORE_FULL`, `ERR_CORRUPT_RECORD`,
 * `ERR_STORE_UNAVAILABLE`); others are wrapped by core.
 */
export interface Store {
  /** Placement of a new upload without bytes. No I/O: a creation makes a record, not a file. */
  place(record: Pick<UploadRecord, 'id' | 'length'>): Placement
  /**
   * Prepares to add bytes at `record.offset`. What lies beyond the record is cut off first: it was never
   * acknowledged, and after a power cut it may be zeros.
   *
   * @throws {UploadError} `ERR_CORRUPT_RECORD` if fewer bytes are stored than the record says.
   */
  open(record: UploadRecord, right: WriteRight): Promise<Appender>
  /** Reads recorded bytes, in order. The caller keeps `range` inside `0…record.offset`. */
  read(record: UploadRecord, range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>
  /**
   * What completion asks of this store. `none`: the bytes stay where they are. `before-answer`: `finish` is
   * quick and runs before the client hears of completion. `after-answer`: `finish` copies or is batched.
   */
  finishing(record: UploadRecord): 'none' | 'before-answer' | 'after-answer'
  /**
   * Brings complete uploads to their final place. Idempotent: after a crash it runs again with the same records.
   * What it replaces is kept until `tidy`.
   *
   * @returns One outcome per record, in order.
   */
  finish(records: readonly UploadRecord[]): Promise<readonly FinishOutcome[]>
  /** Removes what `before` held and `after` no longer refers to. Called once `after` is recorded. */
  tidy(before: UploadRecord, after: Placement): Promise<void>
  /** Frees everything of an upload, completed files included. Removing twice is fine. */
  remove(record: UploadRecord): Promise<void>
  /** Joins complete uploads without copying their bytes. Absent: `concatenation` is not offered. */
  readonly concatenate?: (parts: readonly UploadRecord[], into: UploadRecord) => Promise<Placement>
  /** Where a complete upload lies as a plain file with exactly its bytes; `undefined`: it does not. */
  readonly pathOf?: (record: UploadRecord) => string | undefined
  /** Whether recorded bytes of an upload are not there any more, at a glance. Absent: they always are. */
  readonly isMissing?: (record: UploadRecord) => Promise<boolean>
  /** Bytes that can still be stored. Absent: unknown, nothing is refused in advance. */
  readonly freeBytes?: () => Promise<number>
  /**
   * Yields what the store holds and nobody needs, so that a reaper can remove it: things of uploads that have no
   * record, and things that the record of their upload does not refer to, such as what a crash left of a finished one.
   * Only things this store has named itself: a foreign file is never yielded. Absent: there can be none.
   *
   * @param olderThanMs - Whatever was made or changed within this time stays: a record may be about to refer to it.
   */
  readonly orphans?: (find: FindRecord, olderThanMs: number) => AsyncIterable<Orphan>
  close(): Promise<void>
}

export type FinishOutcome =
  | { readonly ok: true; readonly placement: Placement }
  | { readonly ok: false; readonly error: unknown }

/**
 * Finds the record of an upload for {@link Store.orphans}. `in-use`: the upload is being written or brought to its
 * place, so everything of it stays, whatever its record says. `undefined`: there is no record.
 */
export type FindRecord = (id: string) => Promise<UploadRecord | 'in-use' | undefined>

/** Something in a store that no record refers to. */
export interface Orphan {
  /** For people: a file name, an object key. */
  readonly name: string
  readonly sizeBytes: number
  remove(): Promise<void>
}

/** Where an appender stands: durable bytes of the upload and their place. */
export interface Commit {
  readonly offset: number
  readonly placement: Placement
}

/** Adds bytes to one upload. Used by one writer; calls to `write` never overlap each other. */
export interface Appender {
  /** Writes all chunks behind what was written before. Resolves when the chunks may be reused. */
  write(chunks: readonly Uint8Array[]): void | Promise<void>
  /**
   * Makes everything durable that was written before this call. May run while a `write` is under way:
   * that write is then not part of it.
   */
  commit(): Promise<Commit>
  /** Takes back everything written since `open`, for a failed checksum. */
  rollback(): Promise<void>
  /** Gives handles back. Keeps what was written. Always called, last. */
  close(): Promise<void>
}
