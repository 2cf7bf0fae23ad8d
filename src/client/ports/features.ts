import type { Clock } from '../../core/ports/clock.ts'
import type { Capabilities } from '../capabilities.ts'
import type { TransferError } from '../errors.ts'
import type { ExchangeLog } from '../exchange-log.ts'
import type { UploadOptions } from '../options.ts'
import type { Requester } from '../requester.ts'
import type { Retry } from '../retry.ts'
import type { Terms } from '../terms.ts'
import type { Part, Run, Transfer, TransferTask } from '../transfer.ts'
import type { ChecksumAlgorithm, Platform } from './platform.ts'
import type { Slice, Source } from './source.ts'
import type { ResponseHead, Transport, TransportResponse } from './transport.ts'
import type { StoredPart, StoredUpload } from './url-storage.ts'

/**
 * What an upload may do besides, each under the name of the option that asks for it. A feature is an object that is
 * there or not: a page that leaves one out does not load its code.
 */
export interface Features {
  /** Asks the server what it can do. `parallel`, `checksum` and `deferLength` need it. */
  readonly required?: NegotiationFeature | undefined
  readonly parallel?: ParallelFeature | undefined
  readonly checksum?: ChecksumFeature | undefined
  readonly maxBytesPerSecond?: RateFeature | undefined
  /** Sizes that follow the time requests take, and what breaks them. */
  readonly chunkSizeBytes?: ChunkFeature | undefined
  readonly urlStorage?: MemoryFeature | undefined
  /** What the user can do about a refusal. */
  readonly hints?: ((response: ResponseHead, isHtml: boolean) => string | undefined) | undefined
  /** Remembers exchanges for `report()`, which is empty without it. */
  readonly report?: ((transport: Transport, clock: Clock) => ExchangeLog) | undefined
}

/** The work of one upload before it is settled how it is done. */
export interface OpenTask {
  readonly platform: Platform
  readonly options: UploadOptions
  readonly requester: Requester
  readonly source: Source
  /** What the caller wants to go on with. */
  readonly previous: Previous | undefined
  readonly warn: (message: string, cause?: unknown) => void
  /** `state` is where a wait leads back to. @default 'uploading' */
  readonly retry: (run: Pick<Run, 'signal' | 'enter'>, state?: 'preparing' | 'uploading') => Retry
}

/** The work of one upload, as its transfers and features see it. */
export interface Task extends OpenTask {
  readonly terms: Terms
  readonly ledger: Ledger | undefined
  readonly transfers: readonly Transfer[]
  /** Of an upload in parts: the final one, once it is made. */
  readonly url: string | undefined
  readonly isDivided: boolean
  /** The upload is there now. */
  readonly announce: (url: string | undefined) => void
}

export type NegotiationFeature = (task: OpenTask, endpoint: string, run: Run) => Promise<Terms>

/** Parts that are sent at once and put together by the server. */
export interface ParallelFeature {
  /** Whether a source can be sent to a server in parts. */
  isPossible(capabilities: Capabilities | undefined, source: Source): boolean
  /** The parts of a plan that was stored, as far as it fits, else of a new one; `undefined`: in one piece. */
  parts(sizeBytes: number | undefined, count: number, entry?: Previous): readonly StoredPart[] | undefined
  place(task: Task): Promise<Place>
  /** Sends the parts, and has them put together when the server has all of them. */
  send(task: TransferTask, run: Run): Promise<void>
}

export type ChunkFeature = (clock: Clock, origin: string, fixedBytes?: number) => ChunkSize

/** How many bytes go into one request. */
export interface ChunkSize {
  readonly limitBytes: number
  /**
   * A request with `sentBytes` was refused as too large (413).
   *
   * @returns Whether a smaller one is worth a try.
   */
  shrink(sentBytes: number): boolean
  /** There must be an end: a checksum is sent before the content. */
  limit?(): void
  /**
   * Again nothing is left of a request that broke off after `sentBytes`: a proxy may cut what it finds too large. Or
   * the line was bad for a while: then requests grow again.
   */
  ease?(sentBytes: number): void
  /** A full request was accepted after so long. */
  took?(sentBytes: number, elapsedMs: number): void
}

/** Checksums of what requests carry. */
export interface ChecksumFeature {
  /** Whether both sides know the algorithm. @param algorithm - SHA-1 unless given. */
  isPossible(
    capabilities: Capabilities | undefined,
    platform: Pick<Platform, 'hashing'>,
    algorithm: ChecksumAlgorithm | undefined,
  ): boolean
  /** For one transfer; `undefined`: it goes without. */
  make(task: TransferTask): Checksums | undefined
}

export interface Checksums {
  /** Bytes of the chunk at `start`, where its checksum was made ahead. */
  aheadBytes(start: number): number | undefined
  /** Value of `Upload-Checksum`. The checksum of the chunk after it is begun, where it can be. */
  of(slice: Slice, nextBytes: number, signal: AbortSignal): Promise<string | undefined>
  /**
   * A request with a checksum was refused.
   *
   * @returns What is to be thrown; `undefined` when the next step shall follow at once.
   */
  refused(error: TransferError): TransferError | undefined
}

/** Cuts slices so that no more than so many bytes are sent in a second. */
export type RateFeature = (clock: Clock, bytesPerSecond: number) => Cut

export type Cut = (source: Source, ...place: Parameters<Source['slice']>) => Promise<Slice>

/** An upload to go on with: its URL, or an entry. */
export type Previous =
  | { readonly url: string; readonly endpoint?: undefined; readonly parts?: undefined }
  | StoredUpload

/** Where an upload goes on. */
export interface Place {
  /** One without an end, or more. */
  readonly parts: readonly Part[]
  /** The URL was remembered: if it is another upload's, a new one is made instead. */
  readonly isRemembered: boolean
}

/** Remembers where uploads are. */
export interface MemoryFeature {
  /** @returns `undefined` when this upload cannot be found again. */
  open(task: Task, signal: AbortSignal): Promise<Ledger | undefined>
  place(task: Task): Promise<Place>
}

/** The entry of one upload in a storage. Never fails: a broken storage must not break an upload. */
export interface Ledger {
  /** Where another process with the same upload was uploading to while this one waited for it. */
  readonly seenUrl: string | undefined
  /**
   * Waits until no other process or tab works on this upload.
   *
   * @returns A function that lets the next one in.
   * @throws `signal.reason` when aborted.
   */
  hold(signal: AbortSignal, onWait: () => void): Promise<() => Promise<void>>
  /** What the caller wants, or the newest entry that fits and has not expired; what has expired is removed. */
  find(previous: Previous | undefined): Promise<Previous | undefined>
  /** Writes down where the upload stands; what is nowhere is removed. */
  save(): Promise<unknown>
  /** An answer may say when the upload expires. */
  heard(transfer: Transfer, response: TransportResponse): Promise<unknown>
  remove(): Promise<unknown>
}
