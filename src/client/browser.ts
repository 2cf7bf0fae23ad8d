import { allFeatures } from './all-features.ts'
import * as calls from './calls.ts'
import type { CallOptions, UploadInfo } from './calls.ts'
import type { Capabilities } from './capabilities.ts'
import * as downloads from './download.ts'
import type { DownloadOptions, DownloadProgress, DownloadSink } from './download.ts'
import type { UploadResult } from './events.ts'
import { browserHashing } from './hashing/browser.ts'
import type { UploadOptions } from './options.ts'
import { absolute, page } from './page.ts'
import type { PlatformChoice } from './page.ts'
import type { Platform } from './ports/platform.ts'
import type { Transport } from './ports/transport.ts'
import type { StoredUpload } from './ports/url-storage.ts'
import { wholeOf } from './slice-bytes.ts'
import { openBrowserSource } from './sources/open-browser.ts'
import * as standalone from './standalone.ts'
import { fetchTransport } from './transports/fetch.ts'
import { xhrTransport as plainXhrTransport } from './transports/xhr.ts'
import type { XhrTransportOptions } from './transports/xhr.ts'
import { IterableUpload } from './event-iterator.ts'
import { indexedDbUrlStorage } from './url-storage/indexed-db.ts'

export * from './index.ts'
export type { PlatformChoice } from './page.ts'
export { fetchTransport } from './transports/fetch.ts'
export type { FetchTransportOptions } from './transports/fetch.ts'
export type { XhrTransportOptions } from './transports/xhr.ts'
export { indexedDbUrlStorage } from './url-storage/indexed-db.ts'
export type { IndexedDbUrlStorageOptions } from './url-storage/indexed-db.ts'
export { localStorageUrlStorage } from './url-storage/local-storage.ts'
export type { LocalStorageUrlStorageOptions } from './url-storage/local-storage.ts'

/**
 * The transport of pages: only `XMLHttpRequest` tells there how much of a body has been sent, and it sends a Blob
 * without copying it. The browser follows redirects by itself. Downloads go through `fetch`.
 */
export function xhrTransport(options: XhrTransportOptions = {}): Transport {
  const xhr = plainXhrTransport(options, wholeOf)
  const fetching = fetchTransport(options)
  return { ...xhr, send: (request) => (request.onData ? fetching : xhr).send(request) }
}

let shared: Platform | undefined

/** What uploads use in a page or worker. */
export function browserPlatform({ transport, platform }: PlatformChoice = {}): Platform {
  shared ??= {
    ...page,
    transport: typeof XMLHttpRequest === 'undefined' ? fetchTransport() : xhrTransport(),
    openSource: openBrowserSource,
    hashing: browserHashing(),
    urlStorage: typeof indexedDB === 'undefined' ? undefined : indexedDbUrlStorage(),
    features: allFeatures,
  }
  return { ...shared, ...platform, ...(transport && { transport }) }
}

/**
 * An upload of a File, Blob, `FileSystemFileHandle`, bytes, stream or iterable.
 *
 * It is remembered in IndexedDB unless `urlStorage` says otherwise.
 */
export class Upload extends IterableUpload {
  constructor(input: unknown, options: UploadOptions & PlatformChoice) {
    super(browserPlatform(options), input, absolute(options))
  }
}

/** The earlier uploads of this source to this endpoint, newest first. */
export function findPreviousUploads(
  input: unknown,
  options: UploadOptions & PlatformChoice,
): Promise<readonly StoredUpload[]> {
  return standalone.findPreviousUploads(browserPlatform(options), input, absolute(options))
}

/** Uploads one part of what `createFinal()` puts together, on this device or another. */
export function createPartial(
  input: unknown,
  options: UploadOptions & PlatformChoice,
): Promise<UploadResult> {
  return standalone.createPartial(browserPlatform(options), input, absolute(options))
}

/** Has the server put finished partial uploads together, in this order. Returns the URL of the final upload. */
export function createFinal(
  urls: readonly (string | URL)[],
  options: UploadOptions & PlatformChoice,
): Promise<string> {
  return standalone.createFinal(browserPlatform(options), urls, absolute(options))
}

/** Asks a server what it can do. */
export function serverInfo(
  endpoint: string | URL,
  options: CallOptions & PlatformChoice = {},
): Promise<Capabilities> {
  return calls.serverInfo(browserPlatform(options), endpoint, options)
}

/** Asks how much of an upload a server has. An append that is under way may be stopped by it. */
export function getOffset(
  url: string | URL,
  options: CallOptions & PlatformChoice = {},
): Promise<UploadInfo> {
  return calls.getOffset(browserPlatform(options), url, options)
}

/** Removes an upload from its server. One that is not there any more counts as removed. */
export function terminate(url: string | URL, options: CallOptions & PlatformChoice = {}): Promise<void> {
  return calls.terminate(browserPlatform(options), url, options)
}

/** Downloads a complete upload, and goes on after a broken line where it was. */
export function download(
  url: string | URL,
  sink: DownloadSink,
  options: DownloadOptions & PlatformChoice = {},
): Promise<DownloadProgress> {
  return downloads.download(browserPlatform(options), url, { ...options, sink })
}
