import type { UploadOptions } from './options.ts'
import type { Hashing } from './ports/platform.ts'
import type { Source } from './ports/source.ts'
import { bytesOf } from './slice-bytes.ts'

const SAMPLE_BYTES = 64 * 1024

export interface FingerprintOptions {
  readonly options: UploadOptions
  readonly source: Source
  readonly hashing: Pick<Hashing, 'sha256'> | undefined
  readonly signal: AbortSignal
}

/**
 * Tells whether two runs mean the same upload: where it goes, what the file is called, its size and time, and samples
 * of its head, middle and tail. Names and times alone let two files be mixed into one.
 *
 * @returns The caller's, where there is one; `undefined` for a source that cannot be read twice.
 */
export async function fingerprintOf(from: FingerprintOptions): Promise<string | undefined> {
  const { options, source, hashing, signal } = from
  const { endpoint, fingerprint, startBytes, endBytes, partial } = options
  const { sizeBytes = 0, traits } = source
  if (fingerprint) return await fingerprint()
  if (!hashing || !source.isRewindable) return undefined
  const identity = [`${endpoint}`, traits, sizeBytes, startBytes, endBytes, partial]
  const pieces: BlobPart[] = [JSON.stringify(identity)]
  const last = Math.max(0, sizeBytes - SAMPLE_BYTES)
  // Of a small file they overlap, and are all of it.
  for (const start of [0, Math.floor(last / 2), last])
    pieces.push(await bytesOf(await source.slice(start, SAMPLE_BYTES, signal), signal))
  const digest = await hashing.sha256(new Uint8Array(await new Blob(pieces).arrayBuffer()))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
