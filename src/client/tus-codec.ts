import type { ResponseHead } from './ports/transport.ts'

// The parsers of servers answer with a reason for every way to be wrong; here a field is understood or it is not.

// tus 1.0 §Upload-Metadata says SHOULD be ASCII; others would come back as mojibake, header bytes being latin1.
// Visible, which is from ! to ~, without comma.
const KEY = /^[!-+\--~]+$/

/** A field that is a non-negative decimal integer up to 2^53 - 1; `undefined` for anything else. */
export function integerOf(head: ResponseHead, name: string): number | undefined {
  return integer(head.header(name))
}

export function integer(text: string = ''): number | undefined {
  const value = Number(text)
  return /^\d+$/.test(text) && Number.isSafeInteger(value) ? value : undefined
}

/** Base64 with padding (RFC 4648 §4). */
export function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}

/** @throws {TypeError} if a key is no visible ASCII, or has a comma. */
export function metadataField(metadata: Readonly<Record<string, string>> = {}): string {
  const pairs = Object.entries(metadata).map(([key, value]) => {
    if (!KEY.test(key)) throw new TypeError(`bad metadata key "${key}"`)
    return `${key} ${base64(new TextEncoder().encode(value))}`.trim()
  })
  return pairs.join()
}

/** `Upload-Metadata`, values as text; `undefined` if missing or malformed. A key may be `__proto__`. */
export function metadataOf(head: ResponseHead): Readonly<Record<string, string>> | undefined {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  try {
    const pairs = head
      .header('Upload-Metadata')
      ?.split(',')
      .map((pair) => {
        const [key, value = ''] = pair.trim().split(' ')
        const bytes = Uint8Array.from(atob(value), (character) => character.charCodeAt(0))
        return [key, decoder.decode(bytes)]
      })
    return pairs && Object.fromEntries(pairs)
  } catch {
    return undefined
  }
}
