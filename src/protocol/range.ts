import { trimWhitespace } from './whitespace.ts'

/**
 * What a `Range` asks of a representation: all of it, the bytes `start` to `end` (inclusive, zero-based), or
 * bytes it does not have (416).
 */
export type RangeChoice =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly start: number; readonly end: number }
  | { readonly kind: 'unsatisfiable' }

const WHOLE: RangeChoice = Object.freeze({ kind: 'whole' })
const UNSATISFIABLE: RangeChoice = Object.freeze({ kind: 'unsatisfiable' })

const UNIT = 'bytes='
const INT_RANGE = /^(?<first>[0-9]+)-(?<last>[0-9]*)$/
const SUFFIX_RANGE = /^-(?<length>[0-9]+)$/

/**
 * Chooses the bytes to serve for a `Range` field.
 *
 * A field that is not valid, has another unit or asks for several ranges is ignored, as RFC 9110 §14.2 allows:
 * the whole representation is a right answer to each of them.
 *
 * @param raw - The field's value, `undefined` if absent.
 * @param sizeBytes - Length of the representation.
 * @see RFC 9110 §14.1.2
 */
export function chooseRange(raw: string | undefined, sizeBytes: number): RangeChoice {
  const text = trimWhitespace(raw ?? '')
  if (text.slice(0, UNIT.length).toLowerCase() !== UNIT) return WHOLE
  const specs = text
    .slice(UNIT.length)
    .split(',')
    .map(trimWhitespace)
    .filter((spec) => spec !== '')
  const [only] = specs
  if (only === undefined || specs.length > 1) return WHOLE
  const suffix = SUFFIX_RANGE.exec(only)?.groups?.['length']
  return suffix === undefined ? intRange(only, sizeBytes) : suffixRange(Number(suffix), sizeBytes)
}

/** Writes `Content-Range` of a 206 (`bytes 0-4/10`) or of a 416 (`bytes` and a star for the range). */
export function formatContentRange(
  choice: Exclude<RangeChoice, { kind: 'whole' }>,
  sizeBytes: number,
): string {
  const range = choice.kind === 'part' ? `${choice.start}-${choice.end}` : '*'
  return `bytes ${range}/${sizeBytes}`
}

// A position above 2^53 is rounded by Number, but still lies behind every possible size.
function intRange(spec: string, sizeBytes: number): RangeChoice {
  const parts = INT_RANGE.exec(spec)?.groups
  if (parts === undefined) return WHOLE
  const { first = '', last = '' } = parts
  const start = Number(first)
  const end = last === '' ? Infinity : Number(last)
  // RFC 9110 §14.1.1: a last-pos below the first-pos makes the field invalid, and so ignored.
  if (end < start) return WHOLE
  if (start >= sizeBytes) return UNSATISFIABLE
  return { kind: 'part', start, end: Math.min(end, sizeBytes - 1) }
}

function suffixRange(length: number, sizeBytes: number): RangeChoice {
  if (length === 0) return UNSATISFIABLE
  // Satisfiable by RFC 9110 §14.1.2, but no Content-Range can say "none of nothing".
  if (sizeBytes === 0) return WHOLE
  return { kind: 'part', start: Math.max(0, sizeBytes - length), end: sizeBytes - 1 }
}
