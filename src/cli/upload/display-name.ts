/** Control, format (bidi overrides, zero width), private, unassigned and lone surrogates; separators other than a space. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu
const SHORT_FORMS: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }
/** Drawn two columns wide by terminals: East Asian scripts and pictures. Near enough to cut a line. */
const WIDE =
  /[\p{Extended_Pictographic}\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{20000}-\u{3fffd}]/u
const MARK = /\p{M}/u

/**
 * A file name as one line of printable characters: what could steer a terminal, or hide, is written as `\n` or
 * `\u{202e}`, a backslash twice.
 */
export function displayName(name: string): string {
  return name.replaceAll('\\', '\\\\').replaceAll(UNPRINTABLE, escapeOf)
}

function escapeOf(character: string): string {
  const short = SHORT_FORMS[character]
  return short ?? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}

/** Columns that printable text takes on a terminal. */
export function columnsOf(text: string): number {
  let columns = 0
  for (const character of text) columns += widthOf(character)
  return columns
}

/** Printable text in exactly this many columns: filled up with spaces, or its middle left out. */
export function fit(text: string, columns: number): string {
  const missing = columns - columnsOf(text)
  if (missing >= 0) return text + ' '.repeat(missing)
  if (columns < 2) return '…'.slice(0, columns)
  // The end of a name says more than its beginning.
  const tailColumns = Math.ceil((columns - 1) / 2)
  const head = take(Array.from(text), columns - 1 - tailColumns)
  const tail = take(Array.from(text).toReversed(), tailColumns).toReversed()
  const cut = `${head.join('')}…${tail.join('')}`
  return cut + ' '.repeat(Math.max(0, columns - columnsOf(cut)))
}

function take(characters: readonly string[], columns: number): string[] {
  let left = columns
  const end = characters.findIndex((character) => (left -= widthOf(character)) < 0)
  return characters.slice(0, end === -1 ? characters.length : end)
}

function widthOf(character: string): number {
  if (character < '\u0300') return 1
  return MARK.test(character) ? 0 : WIDE.test(character) ? 2 : 1
}
