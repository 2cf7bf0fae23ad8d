import { toolsOf } from './calls.ts'
import type { UploadResult } from './events.ts'
import { fingerprintOf } from './fingerprint.ts'
import type { UploadOptions } from './options.ts'
import { concatenate } from './parallel.ts'
import type { Platform } from './ports/platform.ts'
import type { StoredUpload } from './ports/url-storage.ts'
import { UploadMachine } from './upload.ts'

/** The earlier uploads of this source to this endpoint that are not complete, newest first. */
export async function findPreviousUploads(
  platform: Platform,
  input: unknown,
  options: UploadOptions,
): Promise<readonly StoredUpload[]> {
  const { urlStorage: storage = platform.urlStorage, signal = new AbortController().signal } = options
  if (!storage) return []
  const source = await platform.openSource(input, options)
  try {
    const fingerprint = await fingerprintOf({ options, source, hashing: platform.hashing, signal })
    return fingerprint ? await storage.find(fingerprint) : []
  } finally {
    await source.close()
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
  if (!endpoint) throw new TypeError('no endpoint')
  const { requester, retry, signal } = toolsOf(platform, options)
  const final = { endpoint: `${endpoint}`, metadata, signal }
  return await retry.run(() => concatenate(urls.map(String), requester, final))
}
