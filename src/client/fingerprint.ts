import type { Hashing } from './ports/platform.ts'
import type { Source } from './ports/source.ts'
import { bytesOf } from './slice-bytes.ts'

const SAMPLE_BYTES = 64 * 1024

export interface FingerprintOptions {
  readonly endpoint: string
  readonly source: Source
  readonly hashing: Pick<Hashing, 'sha256'>
  /** What else makes two uploads of one file different. */
  readonly scope: readonly unknown[]
  readonly signal: AbortSignal
}

/**
 * Tells whether two runs mean the same upload: where it goes, what the file is called, its size and time, and samples
 * of its head, middle and tail. Names and times alone let two files be mixed into one.
 *
 * @returns `undefined` for a source that cannot be read twice.
 */
export async function fingerprintOf(options: FingerprintOptions): Promise<string | undefined> {
  const { endpoint, source, hashing, scope, signal } = options
  const { sizeBytes, traits } = source
  if (!source.isRewindable || sizeBytes === undefined) return undefined
  const identity = [endpoint, traits.name, traits.path, sizeBytes, traits.modifiedMs, ...scope]
  const pieces = [new TextEncoder().encode(JSON.stringify(identity))]
  for (const [start, length] of samples(sizeBytes)) {
    pieces.push(await bytesOf(await source.slice(start, length, signal), signal))
  }
  const digest = await hashing.sha256(new Uint8Array(await new Blob(pieces).arrayBuffer()))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function samples(sizeBytes: number): readonly (readonly [start: number, length: number])[] {
  if (sizeBytes <= 3 * SAMPLE_BYTES) return [[0, sizeBytes]]
  const middle = Math.floor((sizeBytes - SAMPLE_BYTES) / 2)
  return [0, middle, sizeBytes - SAMPLE_BYTES].map((start) => [start, SAMPLE_BYTES])
}
