import { excerpt, failure, success } from './parsed.ts'
import type { Parsed } from './parsed.ts'
import { trimWhitespace } from './whitespace.ts'

const DIGITS = /^[0-9]+$/

/**
 * Parses a non-negative decimal integer such as `Upload-Offset`, in bytes.
 *
 * Signs, fractions, exponents, other bases and lists (`0, 5` is two header lines joined) are errors.
 * Leading zeros are accepted. The largest value is 2^53 - 1: above it numbers would silently be rounded.
 */
export function parseDecimal(text: string): Parsed<number> {
  const digits = trimWhitespace(text)
  if (!DIGITS.test(digits)) return failure(`${excerpt(digits)} is not a non-negative decimal integer.`)
  const value = Number(digits)
  if (!Number.isSafeInteger(value)) return failure(`${excerpt(digits)} is larger than 9007199254740991.`)
  return success(value)
}
