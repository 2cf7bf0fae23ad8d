/** Options of {@link safeFileName}. */
export interface SafeNameOptions {
  /** Longest result in UTF-8 bytes, at least 32. @default 200 */
  readonly maxBytes?: number
}

/** The two parts of a file name; joined they are the name again. */
export interface NameParts {
  readonly base: string
  /** With its dot, at most 17 characters of ASCII; empty if there is none. */
  readonly ext: string
}

const DEFAULT_BYTES = 200
const LEAST_BYTES = 32
const FALLBACK = 'upload'

const LINE_ENDS = /[\r\n\u2028\u2029]+/g
// Control characters; the bidirectional controls, which make "exe.jpg" look like "gpj.exe"; invisible marks.
// U+200C and U+200D stay: Persian and emoji are written with them.
const INVISIBLE = /[\p{Cc}\p{Bidi_Control}\u00ad\u180e\u200b\u2060-\u206f\ufeff\ufff9-\ufffb]/gu
// Not allowed in Windows names; the colon also opens an alternate stream there.
const FORBIDDEN = /[<>:"|?*]/g
const EXTENSION = /\.[A-Za-z0-9_+~-]{1,16}$/
// Windows reads these as devices, whatever extension follows; the superscript digits count too.
const RESERVED =
  /^(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])[ ]*(?:\.|$)/i
const LEADING = /^[.\s]+/

/**
 * Makes a file name out of a name a client gave; for one component of a path, on every operating system.
 *
 * Keeps the last component of a path (`/` and `\` alike), removes control, bidirectional and invisible
 * characters, leading dots and dots or spaces at the end, replaces what Windows forbids, puts `_` before its
 * device names, and shortens the part before the extension. A name of which nothing is left is `upload`.
 * Applying it twice changes nothing more. It does not make names unique and never looks at a disk.
 *
 * @throws {RangeError} if `maxBytes` is not an integer of at least 32.
 */
export function safeFileName(name: string, options: SafeNameOptions = {}): string {
  const { maxBytes = DEFAULT_BYTES } = options
  if (!Number.isSafeInteger(maxBytes) || maxBytes < LEAST_BYTES) {
    throw new RangeError(`maxBytes must be an integer of at least ${LEAST_BYTES}`)
  }
  const clean = fit(trimEnds(lastComponent(cleanCharacters(name))), maxBytes)
  const safe = RESERVED.test(clean) ? fit(`_${clean}`, maxBytes) : clean
  return safe === '' ? FALLBACK : safe
}

/**
 * Splits a name before its last dot if a short extension of letters, digits and `_+~-` follows.
 * A name that begins with its only dot has no extension.
 */
export function splitExtension(name: string): NameParts {
  const ext = EXTENSION.exec(name)?.[0] ?? ''
  if (ext.length === name.length) return { base: name, ext: '' }
  return { base: name.slice(0, name.length - ext.length), ext }
}

function lastComponent(name: string): string {
  const parts = name.split(/[/\\]/)
  return parts.findLast((part) => trimEnds(part) !== '') ?? ''
}

function cleanCharacters(text: string): string {
  const visible = wellFormed(text).replaceAll(LINE_ENDS, ' ').replaceAll(INVISIBLE, '')
  return visible.replaceAll(FORBIDDEN, '_').normalize('NFC')
}

// A lone surrogate cannot be written as UTF-8; encoding turns it into U+FFFD.
function wellFormed(text: string): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text))
}

function trimEnds(text: string): string {
  return trimEnd(text.replace(LEADING, ''))
}

// A loop: a regular expression for this takes quadratic time on long runs of dots.
function trimEnd(text: string): string {
  let end = text.length
  while (end > 0 && (text[end - 1] === '.' || text.slice(end - 1, end).trim() === '')) end--
  return text.slice(0, end)
}

function fit(name: string, maxBytes: number): string {
  const encoder = new TextEncoder()
  if (encoder.encode(name).length <= maxBytes) return name
  const { base, ext } = splitExtension(name)
  // encodeInto stops before a character that does not fit: none is cut in two.
  const { read } = encoder.encodeInto(base, new Uint8Array(maxBytes - ext.length))
  return trimEnd(base.slice(0, read)) + ext
}
