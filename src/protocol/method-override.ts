import { excerpt, failure, success } from './parsed.ts'
import type { Parsed } from './parsed.ts'
import { trimWhitespace } from './whitespace.ts'

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS'])
const LETTERS = /^[A-Za-z]+$/

/**
 * Decides the method a request is treated as.
 *
 * `X-HTTP-Method-Override` counts on any actual method (tus 1.0: "the actual method MUST be ignored"), in any
 * case. Whether overrides are on at all is for the caller, who then passes `undefined`.
 *
 * @param method - The method of the request line, as received.
 * @param override - The field's value, `undefined` if absent.
 * @returns The method in upper case if overridden; a failure for a method nobody serves, which means 405.
 */
export function effectiveMethod(method: string, override: string | undefined): Parsed<string> {
  if (override === undefined) return success(method)
  const asked = trimWhitespace(override)
  // Letters first: upper-casing maps the dotless i to I, and so a text that is not ASCII to a method.
  const name = LETTERS.test(asked) ? asked.toUpperCase() : ''
  if (!METHODS.has(name)) return failure(`X-HTTP-Method-Override cannot be ${excerpt(asked)}.`)
  return success(name)
}
