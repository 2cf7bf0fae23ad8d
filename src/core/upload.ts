import type { UploadId } from './upload-id.ts'

/** Which protocol created an upload: it decides what ends it and what happens to bytes past its length. */
export type Dialect = 'tus1' | 'ietf'

/**
 * What an acknowledged byte survives. `power`: data and record are synced before the answer.
 * `process`: both are handed to the operating system, so they survive `kill -9` but not a power cut.
 */
export type Durability = 'power' | 'process'

/**
 * States move one way: `receiving → finishing → complete`; `receiving → cancelled | expired | failed`;
 * `complete → cancelled`. `finishing` exists only while there is something to do before the upload counts as complete.
 */
export type UploadStatus = 'receiving' | 'finishing' | 'complete' | 'cancelled' | 'expired' | 'failed'

/** How an upload takes part in a concatenation (tus 1.0 §Concatenation). */
export type Concat =
  | { readonly kind: 'partial' }
  | { readonly kind: 'final'; readonly parts: readonly UploadId[] }

/** Values that survive `JSON.parse(JSON.stringify(value))`. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json | undefined }

/**
 * Where the bytes of an upload are. Written and read by the store alone, kept by the catalog,
 * opaque to everybody else.
 */
export interface Placement {
  readonly where: Json
  /** A small body kept in the record itself, so that it needs no file of its own. */
  readonly inline?: Uint8Array | undefined
}

/** What one owner may have at most; checked in the transaction of an insert. */
export interface OwnerBounds {
  /** Sum of `quotaBytes`, that of the new record included. */
  readonly maxBytes?: number | undefined
  /** Unfinished uploads, the new one included. */
  readonly maxUploads?: number | undefined
}

/** Bounds of one upload, set when it was created; each stands in the place of the engine's own. */
export interface UploadLimits {
  readonly maxSizeBytes?: number | undefined
  /** Most content that one request may bring. */
  readonly maxAppendBytes?: number | undefined
  /** Time without activity after which it expires while it is unfinished. */
  readonly expireAfterMs?: number | undefined
  readonly ownerBounds?: OwnerBounds | undefined
}

/** An application's answer to the request that completed an upload; given again to a client that has lost it. */
export interface StoredAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** How far an application's finish handler has come with an upload. */
export interface Handling {
  /** Attempts begun. */
  readonly attempts: number
  /** Set once, together with `complete`: the handler is never called again. */
  readonly answer?: StoredAnswer | undefined
}

/** What of the creating request is kept for a handler that runs later. Never cookies, never credentials. */
export interface KeptRequest {
  readonly method: string
  /** The request target: path and query. */
  readonly target: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

/** Work that is left for an upload after its answer; found again after a crash. */
export type Chore = 'settle' | 'remove'

/** Everything that is known of one upload. The single truth about its offset and the place of its bytes. */
export interface UploadRecord {
  readonly id: UploadId
  readonly dialect: Dialect
  readonly status: UploadStatus
  /** Durable bytes, counted from zero. Never decreases. */
  readonly offset: number
  /** Total bytes; `undefined` until the client has declared it. */
  readonly length: number | undefined
  /** From the client, decoded as UTF-8 text. Never used as a path, header or log line without sanitising. */
  readonly metadata: Readonly<Record<string, string>>
  /** Request fields that answers echo exactly as received (`upload-metadata`, `upload-concat`). */
  readonly echo: Readonly<Record<string, string>>
  readonly concat: Concat | undefined
  /** Who uploads, in the application's words; `undefined` where nobody has said. */
  readonly owner: string | undefined
  /** From the application. Clients neither see nor set it. */
  readonly serverMetadata: Readonly<Record<string, Json>>
  readonly limits: UploadLimits
  readonly request: KeptRequest | undefined
  /** `undefined` where no finish handler has been called. */
  readonly handling: Handling | undefined
  /** Bytes that count for the owner's quota: promised ones before they are here, none once they are gone. */
  readonly quotaBytes: number
  readonly placement: Placement
  readonly durability: Durability
  /** Grows each time the right to write moves to another holder; guards every change of the record. */
  readonly epoch: number
  readonly chore: Chore | undefined
  /** Unix time in milliseconds, as are all times below. */
  readonly createdAtMs: number
  readonly lastWriteAtMs: number
  /** `undefined`: does not expire. */
  readonly expiresAtMs: number | undefined
  readonly finishedAtMs: number | undefined
}

/** What a record has of an application that has said nothing about its upload. */
export const NO_APPLICATION: Pick<
  UploadRecord,
  'owner' | 'serverMetadata' | 'limits' | 'request' | 'handling' | 'quotaBytes'
> = {
  owner: undefined,
  serverMetadata: {},
  limits: {},
  request: undefined,
  handling: undefined,
  quotaBytes: 0,
}

/** Whether nothing more can happen to the bytes: answers say 410 until the tombstone is forgotten. */
export function isGone({ status }: UploadRecord): boolean {
  return status === 'cancelled' || status === 'expired' || status === 'failed'
}

/**
 * Whether an upload is past its time, though the reaper may not have come by yet. Complete uploads never are; a
 * complete partial is still a piece of something unfinished.
 */
export function isExpired(record: UploadRecord, nowMs: number): boolean {
  const { status, concat, expiresAtMs } = record
  const canExpire = status === 'receiving' || (status === 'complete' && concat?.kind === 'partial')
  return canExpire && expiresAtMs !== undefined && expiresAtMs <= nowMs
}
