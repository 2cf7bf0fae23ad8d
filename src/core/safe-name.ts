/** Options of {@link safeFileName}. */
export interface SafeNameOptions {
  /** Longest result in UTF-8 bytes, at least 32. @default 200 */
  readonly maxBytes?: number
}

/** The two parts of a file name; joined they are the name again. */
export interface NameParts {
  readonly base: string
  /** With its dot, at most 17 characters and 20 bytes; empty if there is none. */
  readonly ext: string
}

/** Room for a mark or two within the 255 bytes of most file systems. */
const SAFE_NAME_BYTES = 200
const LEAST_BYTES = 32
const FALLBACK = 'upload'

const LINE_ENDS = /[\r\n\u2028\u2029]+/g
// Control characters; the bidirectional controls, which make "exe.jpg" look like "gpj.exe"; invisible marks.
// U+200C and U+200D stay: Persian and emoji are written with them.
const INVISIBLE = /[\p{Cc}\p{Bidi_Control}\u00ad\u180e\u200b\u2060-\u206f\ufeff\ufff9-\ufffb]/gu
// Not allowed in Windows names; the colon also opens an alternate stream there.
const FORBIDDEN = /[<>:"|?*]/g
// With a space or more it would be a sentence that holds a dot, not a kind of file.
const EXTENSION = /\.[\p{L}\p{M}\p{N}_+~-]{1,16}$/u
const EXTENSION_BYTES = 20
// Windows reads these as devices, whatever extension follows; the superscript digits count too.
const RESERVED =
  /^(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])[ ]*(?:\.|$)/i
const LEADING = /^[.\s]+/
const encoder = new TextEncoder()

/**
 * Makes a file name out of a name a client gave; for one component of a path, on every operating system.
 *
 * Keeps the last component of a path (`/` and `\` alike), removes control, bidirectional and invisible
 * characters, leading dots and dots or spaces at the end, replaces what Windows forbids, puts `_` before its
 * device names, and shortens the part before the extension. Applying it twice changes nothing more. It does not
 * make names unique and never looks at a disk.
 *
 * @returns `undefined` if nothing is left that tells it from another name.
 * @throws {RangeError} if `maxBytes` is not an integer of at least 32.
 */
export function cleanFileName(name: string, options: SafeNameOptions = {}): string | undefined {
  const { maxBytes = SAFE_NAME_BYTES } = options
  if (!Number.isSafeInteger(maxBytes) || maxBytes < LEAST_BYTES) {
    throw new RangeError(`maxBytes must be an integer of at least ${LEAST_BYTES}`)
  }
  const clean = fit(trimEnds(lastComponent(cleanCharacters(name))), maxBytes)
  const safe = RESERVED.test(clean) ? fit(`_${clean}`, maxBytes) : clean
  return /^_*$/.test(safe) ? undefined : safe
}

/** Like {@link cleanFileName}, but a name of which nothing is left is `upload`. */
export function safeFileName(name: string, options: SafeNameOptions = {}): string {
  return cleanFileName(name, options) ?? FALLBACK
}

/** Whether a piece of a name holds no character that {@link cleanFileName} would take away or replace. */
export function isCleanText(text: string): boolean {
  return !/[/\\]/.test(text) && cleanCharacters(text) === text.normalize('NFC')
}

/**
 * Splits a name before its last dot if a short extension of letters, digits and `_+~-` follows.
 * A name that begins with its only dot has no extension.
 */
export function splitExtension(name: string): NameParts {
  const ext = EXTENSION.exec(name)?.[0] ?? ''
  if (ext.length === name.length || bytesOf(ext) > EXTENSION_BYTES) return { base: name, ext: '' }
  return { base: name.slice(0, name.length - ext.length), ext }
}

/** Joins a name and its ending within `maxBytes`, at the cost of the name; the ending has to leave room for some of it. */
export function joinName(base: string, ending: string, maxBytes: number = SAFE_NAME_BYTES): string {
  const room = maxBytes - bytesOf(ending)
  if (bytesOf(base) <= room) return base + ending
  // encodeInto stops before a character that does not fit: none is cut in two.
  const { read } = encoder.encodeInto(base, new Uint8Array(Math.max(0, room)))
  return trimEnd(base.slice(0, read)) + ending
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
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(encoder.encode(text))
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
  if (bytesOf(name) <= maxBytes) return name
  const { base, ext } = splitExtension(name)
  return joinName(base, ext, maxBytes)
}

function bytesOf(text: string): number {
  return encoder.encode(text).length
}
