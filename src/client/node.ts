import { allFeatures } from './all-features.ts'
import * as calls from './calls.ts'
import type { CallOptions, UploadInfo } from './calls.ts'
import type { Capabilities } from './capabilities.ts'
import * as downloads from './download.ts'
import type { DownloadOptions, DownloadProgress, DownloadSink } from './download.ts'
import type { UploadResult } from './events.ts'
import { nodeHashing } from './hashing/node.ts'
import type { UploadOptions } from './options.ts'
import type { Platform } from './ports/platform.ts'
import type { Transport } from './ports/transport.ts'
import type { StoredUpload } from './ports/url-storage.ts'
import { pacedRate } from './rate-limit.ts'
import { openNodeSource } from './sources/open-node.ts'
import * as standalone from './standalone.ts'
import { newId, wakefulClock } from './surroundings.ts'
import { nodeTransport } from './transports/node.ts'
import { IterableUpload } from './event-iterator.ts'

export * from './index.ts'
export { fetchTransport } from './transports/fetch-streaming.ts'
export type { FetchTransportOptions } from './transports/fetch.ts'
export { nodeTransport } from './transports/node.ts'
export type { NodeTransportOptions } from './transports/node.ts'
export { fileUrlStorage } from './url-storage/file.ts'
export type { FileUrlStorageOptions } from './url-storage/file.ts'
export { sqliteUrlStorage } from './url-storage/sqlite.ts'
export type { SqliteUrlStorageOptions } from './url-storage/sqlite.ts'

export interface PlatformChoice {
  /** E.g. `nodeTransport({ ca })`. @default one shared by all, with a proxy from the environment */
  readonly transport?: Transport | undefined
  /** Parts of the platform to use instead of Node's. */
  readonly platform?: Partial<Platform> | undefined
}

let shared: Platform | undefined

/** What uploads use under Node, Bun and Deno. One for all, because connections are kept in it. */
export function nodePlatform({ transport, platform }: PlatformChoice = {}): Platform {
  shared ??= {
    transport: nodeTransport(),
    clock: wakefulClock,
    random: Math.random,
    newId,
    openSource: openNodeSource,
    hashing: nodeHashing(),
    urlStorage: undefined,
    connectivity: undefined,
    features: { ...allFeatures, maxBytesPerSecond: pacedRate },
  }
  return { ...shared, ...platform, ...(transport && { transport }) }
}

/**
 * An upload of a path, `file:` URL, `FileHandle`, Blob, bytes, stream or iterable.
 *
 * Nothing is remembered for another run unless `urlStorage` says where.
 */
export class Upload extends IterableUpload {
  constructor(input: unknown, options: UploadOptions & PlatformChoice) {
    const { endpoint } = options
    if (endpoint !== undefined && !URL.canParse(endpoint))
      throw new TypeError(`the endpoint must be an absolute URL, not ${JSON.stringify(endpoint)}`)
    super(nodePlatform(options), input, options)
  }
}

/** The earlier uploads of this source to this endpoint, newest first. */
export function findPreviousUploads(
  input: unknown,
  options: UploadOptions & PlatformChoice,
): Promise<readonly StoredUpload[]> {
  return standalone.findPreviousUploads(nodePlatform(options), input, options)
}

/** Uploads one part of what `createFinal()` puts together, on this device or another. */
export function createPartial(
  input: unknown,
  options: UploadOptions & PlatformChoice,
): Promise<UploadResult> {
  return standalone.createPartial(nodePlatform(options), input, options)
}

/** Has the server put finished partial uploads together, in this order. Returns the URL of the final upload. */
export function createFinal(
  urls: readonly (string | URL)[],
  options: UploadOptions & PlatformChoice,
): Promise<string> {
  return standalone.createFinal(nodePlatform(options), urls, options)
}

/** Asks a server what it can do. */
export function serverInfo(
  endpoint: string | URL,
  options: CallOptions & PlatformChoice = {},
): Promise<Capabilities> {
  return calls.serverInfo(nodePlatform(options), endpoint, options)
}

/** Asks how much of an upload a server has. An append that is under way may be stopped by it. */
export function getOffset(
  url: string | URL,
  options: CallOptions & PlatformChoice = {},
): Promise<UploadInfo> {
  return calls.getOffset(nodePlatform(options), url, options)
}

/** Removes an upload from its server. One that is not there any more counts as removed. */
export function terminate(url: string | URL, options: CallOptions & PlatformChoice = {}): Promise<void> {
  return calls.terminate(nodePlatform(options), url, options)
}

/** Downloads a complete upload, and goes on after a broken line where it was. */
export function download(
  url: string | URL,
  sink: DownloadSink,
  options: DownloadOptions & PlatformChoice = {},
): Promise<DownloadProgress> {
  return downloads.download(nodePlatform(options), url, { ...options, sink })
}
