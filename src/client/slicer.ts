import { encodeBase64 } from '../protocol/base64.ts'
import type { ChunkSize } from './chunk-size.ts'
import { TransferError } from './errors.ts'
import type { ChecksumAlgorithm, Hashing } from './ports/platform.ts'
import type { Slice, Source } from './ports/source.ts'
import type { RateLimit } from './rate-limit.ts'

export interface SlicerOptions {
  readonly source: Source
  readonly chunks: ChunkSize
  readonly rateLimit: RateLimit | undefined
  readonly hashing: Hashing
  readonly checksum: ChecksumAlgorithm | undefined
  /** What a source that cannot go back may be asked for at once. */
  readonly streamBytes: number
}

export interface Wanted {
  readonly startBytes: number
  /** Where this upload ends in the source; `Infinity` while nobody knows. */
  readonly endBytes: number
  readonly maxBytes: number
  readonly signal: AbortSignal
}

/** The content of one request. */
export interface Outgoing {
  readonly sizeBytes: number
  readonly isLast: boolean
  /** Value of `Upload-Checksum`. */
  readonly checksum: string | undefined
  /** A fresh slice for each attempt to send it. */
  readonly body: () => Promise<Slice>
}

/** Cuts a source into the contents of requests. Of a file the next one is hashed while this one is sent. */
export class Slicer {
  #options: SlicerOptions
  #ahead:
    | { readonly startBytes: number; readonly sizeBytes: number; readonly digest: Promise<string> }
    | undefined

  constructor(options: SlicerOptions) {
    this.#options = options
  }

  /** The server does not take checksums after all. */
  stopHashing(): void {
    this.#options = { ...this.#options, checksum: undefined }
    this.#ahead = undefined
  }

  async next({ startBytes, endBytes, maxBytes, signal }: Wanted): Promise<Outgoing> {
    const { source, chunks, checksum, streamBytes, rateLimit } = this.#options
    const ahead = this.#ahead?.startBytes === startBytes ? this.#ahead : undefined
    const most = Math.min(
      endBytes - startBytes,
      maxBytes,
      ahead?.sizeBytes ?? chunks.limitBytes,
      source.isRewindable ? Infinity : streamBytes,
    )
    const slice = await this.#slice(startBytes, most, signal)
    const { sizeBytes, isLast } = slice
    if (sizeBytes === 0 && !isLast)
      throw new TransferError('source', `the source yields nothing at ${startBytes}`)
    const digest = ahead?.sizeBytes === sizeBytes ? ahead.digest : this.#hash(startBytes, sizeBytes, signal)
    const value = await digest
    const nextBytes = Math.min(chunks.limitBytes, endBytes - startBytes - sizeBytes)
    this.#ahead = undefined
    if (checksum !== undefined && source.isRewindable && nextBytes > 0) {
      this.#hashAhead(startBytes + sizeBytes, nextBytes, signal)
    }
    let fresh: Slice | undefined = slice
    return {
      sizeBytes,
      isLast,
      checksum: value === '' ? undefined : `${checksum} ${value}`,
      body: async () => {
        const once = fresh ?? (await source.slice(startBytes, sizeBytes, signal))
        fresh = undefined
        return rateLimit === undefined ? once : await rateLimit.pace(once, signal)
      },
    }
  }

  async #slice(startBytes: number, maxBytes: number, signal: AbortSignal): Promise<Slice> {
    const { source, rateLimit } = this.#options
    const slice = await source.slice(startBytes, maxBytes, signal)
    const burstBytes = rateLimit?.burstBytes ?? Infinity
    // Only what is read from a file while it is sent can be held back then; other content is sent in small requests.
    const isPaced = source.isRewindable && slice.content.kind === 'chunks'
    return isPaced || slice.sizeBytes <= burstBytes
      ? slice
      : await source.slice(startBytes, burstBytes, signal)
  }

  #hashAhead(startBytes: number, sizeBytes: number, signal: AbortSignal): void {
    const digest = this.#hash(startBytes, sizeBytes, signal)
    // It is awaited later, if at all.
    digest.catch(() => undefined)
    this.#ahead = { startBytes, sizeBytes, digest }
  }

  async #hash(startBytes: number, sizeBytes: number, signal: AbortSignal): Promise<string> {
    const { source, hashing, checksum } = this.#options
    if (checksum === undefined) return ''
    // A slice of its own: one is read at most once.
    const slice = await source.slice(startBytes, sizeBytes, signal)
    return encodeBase64(await hashing.digest(checksum, slice, signal))
  }
}
