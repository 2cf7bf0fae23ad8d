/**
 * Where the bytes of an upload come from.
 *
 * A source is either rewindable (a file, a Blob, bytes in memory: any range can be read at any time, nothing is
 * buffered) or a stream behind a replay buffer, which can go back only as far as the buffer reaches.
 */
export interface Source {
  /** Bytes in all; `undefined` while a stream has not ended. */
  readonly sizeBytes: number | undefined
  /** What is known of it: default metadata and the fingerprint are made of this. */
  readonly traits: SourceTraits
  /** Whether any range can be read again at any time. */
  readonly isRewindable: boolean
  /** What one request should take of a stream at most, so that the next can be gathered while it is sent. */
  readonly maxSliceBytes?: number | undefined
  /**
   * Hands out the bytes from `start` on, at most `maxBytes` of them.
   *
   * A rewindable source answers at once and reads while the slice is sent; a stream first gathers the slice and looks
   * one byte further, so that `isLast` is known.
   *
   * @throws {SourceNotRewindable} when a stream no longer holds the byte at `start`.
   * @throws {TransferError} `source` when it cannot be read or ended before `start`.
   * @throws `signal.reason` when aborted.
   */
  slice(start: number, maxBytes: number, signal: AbortSignal): Promise<Slice>
  /** Bytes before `offset` are safe on the server: a replay buffer may let them go. */
  release(offset: number): void
  /**
   * Compares size and modification time with what they were at the start.
   *
   * @throws {SourceChanged}
   */
  verify(): Promise<void>
  /** Releases descriptors and stops streams. Idempotent. */
  close(): Promise<void>
}

/** Facts about a source, as far as its kind has them. */
export interface SourceTraits {
  /** The last part of the path, or the name of a `File`. */
  readonly name?: string | undefined
  /** Media type. */
  readonly type?: string | undefined
  /** Absolute path, or the relative path of a file picked with its folder. */
  readonly path?: string | undefined
  readonly modifiedMs?: number | undefined
}

/** A range of a source on its way into one request. It is sent at most once. */
export interface Slice {
  readonly start: number
  /** Always known: requests carry a `Content-Length`, because some servers refuse bodies without one. */
  readonly sizeBytes: number
  /** Whether the source ends where the slice ends. */
  readonly isLast: boolean
  readonly content: SliceContent
}

/**
 * What a transport sends. A Blob goes to the browser as it is; `chunks` is read with back-pressure and must yield
 * exactly `sizeBytes` bytes. A yielded chunk may be used again by the source once the next one is asked for.
 */
export type SliceContent =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'blob'; readonly blob: Blob }
  | { readonly kind: 'chunks'; chunks(signal: AbortSignal): AsyncIterable<Uint8Array> }

/** Turns what a user passes to `new Upload(…)` into a source. One per platform. */
export type OpenSource = (input: unknown, options: SourceOptions) => Promise<Source>

export interface SourceOptions {
  /** First byte of the range to send. @default 0 */
  readonly startBytes?: number | undefined
  /** End of the range, exclusive. @default the end of the source */
  readonly endBytes?: number | undefined
  /** The size, where the caller knows it and the input does not say (a stream). */
  readonly sizeBytes?: number | undefined
  /** What a stream may hold for replay. @default 16 MiB */
  readonly replayBufferBytes?: number | undefined
}
