import { toolsOf } from './calls.ts'
import type { UploadResult } from './events.ts'
import type { UploadOptions } from './options.ts'
import { concatenate } from './parallel.ts'
import { fingerprintFor } from './plan.ts'
import type { Platform } from './ports/platform.ts'
import type { StoredUpload } from './ports/url-storage.ts'
import { SourceKeeper } from './source-keeper.ts'
import { UploadMachine } from './upload.ts'

/** The earlier uploads of this source to this endpoint that are not complete, newest first. */
export async function findPreviousUploads(
  platform: Platform,
  input: unknown,
  options: UploadOptions,
): Promise<readonly StoredUpload[]> {
  const { urlStorage: storage = platform.urlStorage, signal = new AbortController().signal } = options
  if (storage === undefined || storage === false) return []
  const keeper = new SourceKeeper(platform, input, options)
  try {
    const source = await keeper.open()
    const fingerprint = await fingerprintFor({ platform, options, source, signal })
    return fingerprint === undefined ? [] : await storage.find(fingerprint)
  } finally {
    await keeper.close(true)
  }
}

/** Uploads one part of what another device, or a later run, puts together with `createFinal()`. */
export function createPartial(
  platform: Platform,
  input: unknown,
  options: UploadOptions,
): Promise<UploadResult> {
  return new UploadMachine(platform, input, { ...options, partial: true }).start()
}

/**
 * Has the server put finished partial uploads together, in this order.
 *
 * @returns The URL of the final upload.
 * @throws {TransferError} `server` when it refuses, e.g. because one of them is not finished.
 */
export async function createFinal(
  platform: Platform,
  urls: readonly (string | URL)[],
  options: UploadOptions,
): Promise<string> {
  const { endpoint, metadata = {} } = options
  if (endpoint === undefined) throw new TypeError('createFinal() needs an endpoint')
  const { requester, retry, signal } = toolsOf(platform, options)
  const terms = { endpoint: endpoint.toString(), metadata }
  return await retry.run(
    () => concatenate(urls.map(String), { requester, creationSignal: signal, terms }),
    signal,
  )
}
