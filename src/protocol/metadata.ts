import { decodeBase64, encodeBase64 } from './base64.ts'
import { excerpt, failure, success } from './parsed.ts'
import type { Parsed } from './parsed.ts'
import { trimWhitespace } from './whitespace.ts'

/** The pairs of `Upload-Metadata`, decoded, in the client's order. A map: a key may be `__proto__`. */
export type MetadataPairs = ReadonlyMap<string, Uint8Array>

/** What {@link parseMetadata} accepts at most. Without a limit any number is accepted. */
export interface MetadataLimits {
  /** Pairs in one header. @default unlimited */
  readonly maxPairs?: number
  /** Length of the raw header, in bytes. @default unlimited */
  readonly maxBytes?: number
}

// tus 1.0 §Upload-Metadata says SHOULD be ASCII; others would come back as mojibake, header bytes being latin1.
const KEY = /^[\x21-\x2b\x2d-\x7e]+$/

/**
 * Parses an `Upload-Metadata` header: pairs separated by commas, each a key, or a key, one space and Base64.
 *
 * White space around the commas is accepted, because that is how two header lines arrive joined. An empty or
 * repeated key, a key that is not visible ASCII and a value that is not strict Base64 are errors. A header
 * without content is an error too: ask `isBlankField` first and treat it as absent.
 * Values are the client's raw bytes; sanitise them before they reach a path, a header or a log.
 *
 * @see tus 1.0 "Upload-Metadata"
 */
export function parseMetadata(raw: string, limits: MetadataLimits = {}): Parsed<MetadataPairs> {
  const { maxPairs = Infinity, maxBytes = Infinity } = limits
  if (raw.length > maxBytes) return failure(`Upload-Metadata is longer than ${maxBytes} bytes.`)
  const pairs = new Map<string, Uint8Array>()
  for (const element of raw.split(',')) {
    if (pairs.size >= maxPairs) return failure(`Upload-Metadata has more than ${maxPairs} pairs.`)
    const pair = parsePair(trimWhitespace(element))
    if (!pair.ok) return pair
    const [key, value] = pair.value
    // tus 1.0 §Upload-Metadata: "All keys MUST be unique"
    if (pairs.has(key)) return failure(`Upload-Metadata has the key ${excerpt(key)} twice.`)
    pairs.set(key, value)
  }
  return success(pairs)
}

function parsePair(element: string): Parsed<readonly [key: string, value: Uint8Array]> {
  const space = element.indexOf(' ')
  const key = space === -1 ? element : element.slice(0, space)
  if (key === '') return failure('Upload-Metadata has an empty key.')
  if (!KEY.test(key)) return failure(`The Upload-Metadata key ${excerpt(key)} is not visible ASCII.`)
  const value = decodeBase64(space === -1 ? '' : element.slice(space + 1))
  if (!value.ok) return failure(`The Upload-Metadata value of ${excerpt(key)} is wrong: ${value.reason}`)
  return success([key, value.value])
}

/**
 * Writes pairs as an `Upload-Metadata` header; an empty value leaves its key alone.
 *
 * @throws {TypeError} if a key is empty or not visible ASCII, or has a comma.
 */
export function formatMetadata(pairs: Iterable<readonly [key: string, value: Uint8Array]>): string {
  const elements: string[] = []
  for (const [key, value] of pairs) {
    if (!KEY.test(key))
      throw new TypeError(`A metadata key must be visible ASCII without a comma: ${excerpt(key)}`)
    elements.push(value.length === 0 ? key : `${key} ${encodeBase64(value)}`)
  }
  return elements.join(',')
}

/** Reads a metadata value as UTF-8; bytes that are not UTF-8 become U+FFFD. The text is not sanitised. */
export function metadataText(value: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(value)
}

/**
 * Turns pairs into a record of texts, as an upload's record keeps them.
 *
 * The record has no prototype: a key such as `__proto__` or `constructor` is a key like any other.
 */
export function metadataRecord(pairs: MetadataPairs): Readonly<Record<string, string>> {
  const record: Record<string, string> = Object.create(null)
  for (const [key, value] of pairs) record[key] = metadataText(value)
  return Object.freeze(record)
}

/**
 * Writes a record of texts as an `Upload-Metadata` header. A key that cannot stand in one is left out.
 *
 * @returns `undefined` for a record without pairs.
 */
export function formatMetadataText(metadata: Readonly<Record<string, string>>): string | undefined {
  const utf8 = new TextEncoder()
  const pairs = Object.entries(metadata).filter(([key]) => KEY.test(key))
  if (pairs.length === 0) return undefined
  return formatMetadata(pairs.map(([key, value]) => [key, utf8.encode(value)]))
}
