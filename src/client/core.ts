/**
 * The client of pages without what not every page needs: uploads of Blobs, Files and bytes over XHR, from the first
 * byte to the last, with all that keeps them going. Features are added one by one, so that a page loads what it uses:
 *
 * ```ts
 * import { Upload, negotiation, parallelParts, rememberedUploads, browserHashing, indexedDbUrlStorage } from 'carryon/client/core'
 *
 * const platform = {
 *   features: { required: negotiation, parallel: parallelParts, urlStorage: rememberedUploads },
 *   hashing: browserHashing(),
 *   urlStorage: indexedDbUrlStorage(),
 * }
 * await new Upload(file, { endpoint, parallel: 4, platform }).start()
 * ```
 */
import type { UploadOptions } from './options.ts'
import { absolute, page } from './page.ts'
import type { PlatformChoice } from './page.ts'
import { openBlob } from './sources/open-blob.ts'
import type { Transport } from './ports/transport.ts'
import { xhrTransport as plainXhrTransport } from './transports/xhr.ts'
import type { XhrTransportOptions } from './transports/xhr.ts'
import { UploadMachine } from './upload.ts'

export * from './index.ts'
export { adaptiveChunks } from './chunk-size.ts'
export { checksums } from './checksum.ts'
export { exchangeLog } from './exchange-log.ts'
export { hintFor } from './hints.ts'
export { browserHashing } from './hashing/browser.ts'
export { rememberedUploads } from './ledger.ts'
export { negotiation } from './negotiate.ts'
export type { PlatformChoice } from './page.ts'
export { parallelParts } from './parallel.ts'
export { rateLimit } from './rate-bursts.ts'
export { openBrowserSource } from './sources/open-browser.ts'
export { fetchTransport } from './transports/fetch.ts'
export type { FetchTransportOptions } from './transports/fetch.ts'
export type { XhrTransportOptions } from './transports/xhr.ts'
export { indexedDbUrlStorage } from './url-storage/indexed-db.ts'
export type { IndexedDbUrlStorageOptions } from './url-storage/indexed-db.ts'
export { localStorageUrlStorage } from './url-storage/local-storage.ts'
export type { LocalStorageUrlStorageOptions } from './url-storage/local-storage.ts'

/**
 * The transport of pages: only `XMLHttpRequest` tells there how much of a body has been sent, and it sends a Blob
 * without copying it. It takes Blobs and bytes only, as they are where nothing is read piece by piece.
 */
export function xhrTransport(options: XhrTransportOptions = {}): Transport {
  return plainXhrTransport(options, ({ content }) => {
    if (content.kind === 'chunks') throw new TypeError('only Blobs and bytes')
    return content.kind === 'blob' ? content.blob : content.bytes
  })
}

/** An upload of a File, Blob, text or bytes. It is remembered only with the feature that does so. */
export class Upload extends UploadMachine {
  /** @throws {TypeError} when an option needs a feature that was left out. */
  constructor(input: unknown, options: UploadOptions & PlatformChoice) {
    const { transport = xhrTransport(), platform } = options
    const own = { ...page, transport, openSource: openBlob, features: {} }
    super({ ...own, ...platform }, input, absolute(options))
  }
}
