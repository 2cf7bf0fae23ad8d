import type { Json } from '../../core/upload.ts'

export interface ClaimsOptions {
  /**
   * How long a worker that has gone silent keeps its claim, in milliseconds, at least 100. While the process lives and
   * the claim is open it is extended by itself.
   *
   * @default 60000
   */
  readonly leaseMs?: number | undefined
  /** So often an upload is handed out before it is given up. @default 5 */
  readonly maxAttempts?: number | undefined
  /** False: a claim ends with its lease unless `extend()` is called. @default true */
  readonly autoExtend?: boolean | undefined
  /**
   * How often to look for uploads that another process has completed, in milliseconds. Those of this process are
   * seen at once.
   *
   * @default 200
   */
  readonly pollMs?: number | undefined
  /** Gives up waiting for the next upload after this long. @default waits for ever */
  readonly timeoutMs?: number | undefined
  /** Ends the waiting for the next upload. A claim that is open stays so. */
  readonly signal?: AbortSignal | undefined
}

/** What a client has said of its file. `filename` is a plain file name whatever was said: see {@link ClaimRecord}. */
export type ClaimMetadata = Readonly<Record<string, string>> & { readonly filename: string }

export type ContentAlgorithm = 'md5' | 'sha1' | 'sha256' | 'sha512'

export interface ContentDigest {
  readonly algorithm: ContentAlgorithm
  readonly hex: string
}

/** What is known of an upload that has been claimed, or was when its record was saved. */
export interface UploadFacts {
  readonly id: string
  /** From the client, as it was sent. */
  readonly metadata: Readonly<Record<string, string>>
  /** From the application. */
  readonly serverMetadata: Readonly<Record<string, Json>>
  readonly owner: string | undefined
  /** Bytes. */
  readonly length: number
  readonly createdAt: Date
  readonly lastWriteAt: Date
  readonly finishedAt: Date
  /** From creation to completion, in milliseconds. */
  readonly durationMs: number
  /** Of the whole content, where somebody has asked for it. */
  readonly digest?: ContentDigest | undefined
}

export interface ClaimRecord extends UploadFacts {
  /**
   * From the client, as it was sent, except for `filename`, which is one component of a path on every system: what was
   * sent, made safe, or `name`, or the id. The raw value is in {@link Claim.sentMetadata}.
   */
  readonly metadata: ClaimMetadata
}

/** Where to save: a path, of which the last part is made a safe file name, or a folder and such a name. */
export type Destination =
  | string
  | {
      readonly dir: string
      /** @default the client's file name, or the id */
      readonly name?: string | undefined
    }

export interface SaveOptions {
  /** Replace a file of that name, rather than taking the next free one, `name (2).ext`. @default false */
  readonly overwrite?: boolean | undefined
  /** Take the path as it is. Only for paths in which nothing comes from a client. @default false */
  readonly unsafeName?: boolean | undefined
  /** Mode of the file. @default that of the store's files, 0600 */
  readonly mode?: number | undefined
}

export interface SaveRecordOptions {
  /** Which digest of the content to include; `false`: none that is not computed yet. @default 'sha256' */
  readonly digest?: ContentAlgorithm | false | undefined
}

export interface DoneOptions {
  /** End the upload as a DELETE would: its bytes are freed, a client that asks is told that it has gone. @default false */
  readonly remove?: boolean | undefined
}

export interface ReleaseOptions {
  /** When it can be claimed again, in milliseconds from now. @default 1 s after the first attempt, then twice as long each time, at most 5 min */
  readonly delayMs?: number | undefined
}

/** A complete upload that this process, and no other, may process until its lease ends. */
export interface Claim {
  /** The same for every attempt: a key that makes effects elsewhere happen once. */
  readonly id: string
  readonly record: ClaimRecord
  /** Metadata exactly as the client has sent it. Not for paths. */
  readonly sentMetadata: Readonly<Record<string, string>>
  /** 1 for the first one. */
  readonly attempt: number
  /** Aborts when the claim was lost to another process: stop what you do. */
  readonly signal: AbortSignal
  /** The whole content, from the start. */
  read(): AsyncIterable<Uint8Array>
  /**
   * Where the content lies as a plain file, which is made for this where it is not one yet. Only to read.
   *
   * @throws where the store keeps no such files (`completedDir: false`).
   */
  path(): Promise<string>
  /** @returns Of the content, in hexadecimal. Computed once. */
  digest(algorithm?: ContentAlgorithm): Promise<string>
  /**
   * Gives the content its place in the application's files, durably. Nothing is copied on the same file system; the
   * store's own file goes with `done()`. Done again after a crash it finds its own file.
   *
   * @returns The path that was used.
   * @throws {RangeError} for a path that climbs with `..` behind a folder.
   */
  save(destination: Destination, options?: SaveOptions): Promise<string>
  /**
   * Writes what is known of the upload as JSON.
   *
   * @param path - `<saved file>.json` if absent.
   * @returns The path that was used.
   */
  saveRecord(path?: string, options?: SaveRecordOptions): Promise<string>
  /**
   * Ends the claim for good. What was saved is the application's; the store's bytes are freed and the upload stays
   * known as complete. Without `save` the upload stays as it is.
   *
   * @throws {UploadError} `ERR_LEASE_LOST` if another process has it by now.
   */
  done(options?: DoneOptions): Promise<void>
  /**
   * Gives the upload back, to be claimed again after a while; after the last attempt it is given up. Does nothing for a
   * claim that was lost.
   *
   * @param error - Why; kept for people.
   */
  release(error?: unknown, options?: ReleaseOptions): Promise<void>
  /**
   * Keeps the claim for this long from now, in milliseconds. @default the lease
   *
   * @throws {UploadError} `ERR_LEASE_LOST` if another process has it by now.
   */
  extend(ms?: number): Promise<void>
  /** Releases the claim if it is still open: for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** An upload that no worker has come to an end with. */
export interface DeadClaim {
  readonly id: string
  readonly attempts: number
  readonly lastError: string | undefined
  /** Brings it back, as if it had never been tried. */
  replay(): Promise<void>
}
