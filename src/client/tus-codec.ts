import type { ResponseHead } from './ports/transport.ts'

// The parsers of servers answer with a reason for every way to be wrong; here a field is understood or it is not.

// tus 1.0 §Upload-Metadata says SHOULD be ASCII; others would come back as mojibake, header bytes being latin1.
const KEY = /^[\x21-\x2b\x2d-\x7e]+$/

/** A field that is a non-negative decimal integer up to 2^53 - 1; `undefined` for anything else. */
export function integerOf(head: ResponseHead, name: string): number | undefined {
  return integer(head.header(name))
}

export function integer(text: string | undefined): number | undefined {
  const value = /^\d+$/.test(text ?? '') ? Number(text) : NaN
  return Number.isSafeInteger(value) ? value : undefined
}

/** Base64 with padding (RFC 4648 §4). */
export function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}

/** @throws {TypeError} if a key is no visible ASCII, or has a comma. */
export function metadataField(metadata: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(metadata).map(([key, value]) => {
    if (!KEY.test(key)) throw new TypeError(`a metadata key must be visible ASCII without comma: "${key}"`)
    return `${key} ${base64(new TextEncoder().encode(value))}`.trim()
  })
  return pairs.join()
}

/** The pairs of `Upload-Metadata` as text. A key may be `__proto__`. */
export function parseMetadata(field: string): Readonly<Record<string, string>> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const pairs = field.split(',').map((pair) => {
    const [key = '', value = ''] = pair.trim().split(' ')
    return [
      key,
      decoder.decode(Uint8Array.from(atob(value), (character) => character.charCodeAt(0))),
    ] as const
  })
  return Object.fromEntries(pairs)
}
