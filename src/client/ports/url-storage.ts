/**
 * Remembers uploads that have begun, so that another run, tab or process can go on with them.
 *
 * A storage that fails never breaks an upload: callers report the failure and go on without it.
 */
export interface UrlStorage {
  /** Entries with this fingerprint, newest first. */
  find(fingerprint: string): Promise<readonly StoredUpload[]>
  /** Every entry, newest first. */
  list(): Promise<readonly StoredUpload[]>
  /** Inserts or replaces the entry with this key, all or nothing. */
  put(entry: StoredUpload): Promise<void>
  /** Removes an entry; none is no error. */
  remove(key: string): Promise<void>
  /**
   * Exclusive right to an upload over everything that shares the storage: tabs, processes. Absent where it cannot be had.
   *
   * Waits until the right is free; one held by a process that is gone is taken over.
   *
   * @returns A function that gives the right back. Idempotent.
   * @throws `signal.reason` when aborted while waiting.
   */
  lock?(name: string, options: LockOptions): Promise<() => Promise<void>>
  close?(): Promise<void>
}

export interface LockOptions {
  readonly signal: AbortSignal
  /** Called once when somebody else holds the right and waiting begins. */
  readonly onWait?: (() => void) | undefined
}

/** One upload that has begun. Plain JSON. */
export interface StoredUpload {
  /** Random; the identity of the entry. */
  readonly key: string
  readonly fingerprint: string
  readonly endpoint: string
  /** The upload, or for one in parts the final upload once it is made. */
  readonly url?: string | undefined
  /** Bytes in all, where known. */
  readonly sizeBytes?: number | undefined
  readonly metadata: Readonly<Record<string, string>>
  readonly createdAtMs: number
  /** From the server's `Upload-Expires`. */
  readonly expiresAtMs?: number | undefined
  /** The plan of an upload in parts, stored before the first byte is sent. */
  readonly parts?: readonly StoredPart[] | undefined
  /** Where the source was, for people who list what can be resumed. */
  readonly path?: string | undefined
}

export interface StoredPart {
  readonly startBytes: number
  /** Exclusive. */
  readonly endBytes: number
  readonly url?: string | undefined
}
