const SPACE = 0x20
const TAB = 0x09

/**
 * Removes optional white space (RFC 9110 §5.6.3: space and tab, nothing else) at both ends.
 *
 * `String.prototype.trim` would also remove line ends and Unicode spaces, which are errors in a field.
 * A loop, because a regular expression for the trailing part takes quadratic time on long runs of spaces.
 */
export function trimWhitespace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isWhitespace(text.charCodeAt(start))) start++
  while (end > start && isWhitespace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

/** Whether a field was sent with nothing in it. Such an `Upload-Metadata` counts as absent. */
export function isBlankField(raw: string): boolean {
  return trimWhitespace(raw) === ''
}

function isWhitespace(code: number): boolean {
  return code === SPACE || code === TAB
}
