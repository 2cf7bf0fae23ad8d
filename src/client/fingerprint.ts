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
  const { endpoint = '', fingerprint, startBytes = 0, endBytes, partial = false } = options
  if (fingerprint) return await fingerprint()
  const { sizeBytes, traits } = source
  if (!hashing || !source.isRewindable || sizeBytes === undefined) return undefined
  const { name, path, modifiedMs } = traits
  const identity = [String(endpoint), name, path, sizeBytes, modifiedMs, startBytes, endBytes, partial]
  const pieces: BlobPart[] = [JSON.stringify(identity)]
  const last = sizeBytes - SAMPLE_BYTES
  const samples = last > 2 * SAMPLE_BYTES ? [0, Math.floor(last / 2), last] : [0]
  const length = samples.length > 1 ? SAMPLE_BYTES : sizeBytes
  for (const start of samples) pieces.push(await bytesOf(await source.slice(start, length, signal), signal))
  const digest = await hashing.sha256(new Uint8Array(await new Blob(pieces).arrayBuffer()))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
