import { absolute, page } from './page.ts'
import type { PlatformChoice } from './page.ts'
import { IterableUpload } from './event-iterator.ts'
import { allFeatures } from './all-features.ts'
import * as standalone from './standalone.ts'
import * as downloads from './download.ts'
import type { DownloadOptions, DownloadProgress, DownloadSink } from './download.ts'
import * as calls from './calls.ts'
import type { CallOptions, UploadInfo } from './calls.ts'
import { indexedDbUrlStorage } from './url-storage/indexed-db.ts'
import { wholeOf } from './slice-bytes.ts'
import { xhrTransport as plainXhrTransport } from './transports/xhr.ts'
import type { XhrTransportOptions } from './transports/xhr.ts'
import { openBrowserSource } from './sources/open-browser.ts'
import { browserHashing } from './hashing/browser.ts'
import { fetchTransport } from './transports/fetch.ts'
import type { Capabilities } from './capabilities.ts'
import type { UploadResult } from './events.ts'
import type { UploadOptions } from './options.ts'
import type { Platform } from './ports/platform.ts'
import type { Transport } from './ports/transport.ts'
import type { StoredUpload } from './ports/url-storage.ts'

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

/** What uploads use in a page or worker. */
export function browserPlatform({ transport, platform }: PlatformChoice = {}): Platform {
  const { XMLHttpRequest, indexedDB } = globalThis
  return {
    ...page,
    openSource: openBrowserSource,
    hashing: browserHashing(),
    urlStorage: indexedDB && indexedDbUrlStorage(),
    features: allFeatures,
    ...platform,
    transport: transport ?? platform?.transport ?? (XMLHttpRequest ? xhrTransport() : fetchTransport()),
  }
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

type PageOptions<Options> = Options & PlatformChoice

/** A call as a page makes it: with the browser's platform, unless the options say otherwise. */
function inPage<Input, Result>(
  call: (platform: Platform, input: Input, options: UploadOptions) => Result,
): (input: Input, options?: PageOptions<UploadOptions>) => Result {
  return (input, options = {}) => call(browserPlatform(options), input, absolute(options))
}

/** The earlier uploads of this source to this endpoint, newest first. */
export const findPreviousUploads: (
  input: unknown,
  options: PageOptions<UploadOptions>,
) => Promise<readonly StoredUpload[]> = inPage(standalone.findPreviousUploads)

/** Uploads one part of what `createFinal()` puts together, on this device or another. */
export const createPartial: (input: unknown, options: PageOptions<UploadOptions>) => Promise<UploadResult> =
  inPage(standalone.createPartial)

/** Has the server put finished partial uploads together, in this order. Returns the URL of the final upload. */
export const createFinal: (
  urls: readonly (string | URL)[],
  options: PageOptions<UploadOptions>,
) => Promise<string> = inPage(standalone.createFinal)

/** Asks a server what it can do. */
export const serverInfo: (
  endpoint: string | URL,
  options?: PageOptions<CallOptions>,
) => Promise<Capabilities> = inPage(calls.serverInfo)

/** Asks how much of an upload a server has. An append that is under way may be stopped by it. */
export const getOffset: (url: string | URL, options?: PageOptions<CallOptions>) => Promise<UploadInfo> =
  inPage(calls.getOffset)

/** Removes an upload from its server. One that is not there any more counts as removed. */
export const terminate: (url: string | URL, options?: PageOptions<CallOptions>) => Promise<void> = inPage(
  calls.terminate,
)

/** Downloads a complete upload, and goes on after a broken line where it was. */
export function download(
  url: string | URL,
  sink: DownloadSink,
  options: PageOptions<DownloadOptions> = {},
): Promise<DownloadProgress> {
  return downloads.download(browserPlatform(options), url, { ...options, sink })
}
