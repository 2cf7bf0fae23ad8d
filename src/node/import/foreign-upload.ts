import type { Concat } from '../../core/upload.ts'
import type { UploadId } from '../../core/upload-id.ts'
import type { MetadataPairs } from '../../protocol/metadata.ts'
import { excerpt, failure, success } from '../../protocol/parsed.ts'
import type { Parsed } from '../../protocol/parsed.ts'

/** Whose files a directory holds. */
export type ForeignKind = 'tusd' | 'file-store'

/** An upload as another server has written it down. How many bytes it has only the size of its data file says. */
export interface ForeignUpload {
  readonly id: UploadId
  /** `undefined`: not declared yet. */
  readonly length: number | undefined
  readonly metadata: MetadataPairs
  readonly concat: Concat | undefined
  /** Its data file, below the directory; never leads out of it by dots. */
  readonly dataPath: string
  /** Unix time in milliseconds; `undefined` where it was not written down. */
  readonly createdAtMs: number | undefined
}

/** Said of an id that this server cannot answer to. */
export const FOREIGN_ID =
  'its id cannot be kept (22 to 64 of A-Z, a-z, 0-9, _ and - can): let its client finish at the old server'

/** What `JSON.parse` made of an object. */
export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** JSON text to an object. */
export function parseObject(text: string): Parsed<JsonObject> {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? success(value) : failure('it is not a JSON object')
  } catch {
    return failure('it is not JSON')
  }
}

/** A size in bytes, exactly as written: what is not a whole number or is rounded by JavaScript is no size. */
export function parseSize(value: unknown, name: string): Parsed<number> {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return success(Math.abs(value))
  return failure(`its ${name} is not a whole number of bytes from 0 to 2^53 - 1`)
}

/** `true`, `false`, or absent for `false`. */
export function parseFlag(value: unknown, name: string): Parsed<boolean> {
  if (value === undefined || typeof value === 'boolean') return success(value ?? false)
  return failure(`its ${name} is neither true nor false`)
}

/**
 * Metadata as texts, back to bytes. A key without a value is `null` in some of them.
 *
 * @param name - What the member is called, for the message.
 */
export function parseTexts(value: unknown, name: string): Parsed<MetadataPairs> {
  const pairs = new Map<string, Uint8Array>()
  if (value === undefined || value === null) return success(pairs)
  if (!isObject(value)) return failure(`its ${name} is not an object`)
  const encoder = new TextEncoder()
  for (const [key, text] of Object.entries(value)) {
    if (text !== null && typeof text !== 'string') return failure(`its ${name} ${excerpt(key)} is not text`)
    pairs.set(key, encoder.encode(text ?? ''))
  }
  return success(pairs)
}
