import { failure, success } from './parsed.ts'
import type { Parsed } from './parsed.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const INVALID = 255
const ASCII_CODES = 128

const VALUES = decodingTable()

/**
 * Decodes Base64 as in RFC 4648 §4.
 *
 * Strict: the standard alphabet only (not base64url), padding required, no white space or line ends.
 * The unused bits of the last character are not checked (RFC 4648 §3.5 leaves that open): tusd and Node
 * accept such text, and Carryon never compares the encoded form. The empty string is zero bytes.
 */
export function decodeBase64(text: string): Parsed<Uint8Array> {
  if (text.length % 4 !== 0) return failure('The Base64 text is not padded to a multiple of four characters.')
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const bytes = new Uint8Array((text.length / 4) * 3 - padding)
  let bits = 0
  let written = 0
  for (let index = 0; index < text.length; index++) {
    const pad = index >= text.length - padding
    const value = pad ? 0 : (VALUES[text.charCodeAt(index)] ?? INVALID)
    if (value === INVALID) return failure('The text has a character outside the Base64 alphabet.')
    bits = (bits << 6) | value
    if (index % 4 !== 3) continue
    // Writes past the end of a typed array are dropped: that is how the padded bytes go away.
    bytes[written++] = bits >> 16
    bytes[written++] = bits >> 8
    bytes[written++] = bits
    bits = 0
  }
  return success(bytes)
}

/** Encodes bytes as Base64 with padding (RFC 4648 §4), without line ends. */
export function encodeBase64(bytes: Uint8Array): string {
  let text = ''
  for (let index = 0; index < bytes.length; index += 3) {
    const second = bytes[index + 1]
    const third = bytes[index + 2]
    const bits = ((bytes[index] ?? 0) << 16) | ((second ?? 0) << 8) | (third ?? 0)
    text += ALPHABET.charAt(bits >> 18) + ALPHABET.charAt((bits >> 12) & 63)
    text += second === undefined ? '=' : ALPHABET.charAt((bits >> 6) & 63)
    text += third === undefined ? '=' : ALPHABET.charAt(bits & 63)
  }
  return text
}

function decodingTable(): Uint8Array {
  const table = new Uint8Array(ASCII_CODES).fill(INVALID)
  for (let value = 0; value < ALPHABET.length; value++) table[ALPHABET.charCodeAt(value)] = value
  return table
}
