import { parseHost } from './host.ts'
import { excerpt, failure, success } from './parsed.ts'
import type { Parsed } from './parsed.ts'
import { trimWhitespace } from './whitespace.ts'

/** Schemes that an upload can come by. */
export type HttpScheme = 'http' | 'https'

/** One element of `Forwarded`: what one proxy tells of the request that it was sent. */
export interface ForwardedElement {
  /** Address of whoever sent the request to that proxy; a failure for `unknown`, a hidden name, or none at all. */
  readonly node: Parsed<string>
  /** `undefined`: not told. */
  readonly scheme: Parsed<HttpScheme> | undefined
  /** `undefined`: not told. */
  readonly host: Parsed<string> | undefined
}

const PAIR = /(?<name>[!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:"(?<quoted>(?:[^"\\]|\\.)*)"|(?<plain>[^",;=\s\\]+))/y
const SEPARATOR = /[ \t]*(?:;[ \t]*)+|$/y
const ADDRESS = /^(?:\[(?<ipv6>[0-9A-Fa-f:.]+)\]|(?<ipv4>[0-9.]+))(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?$/
const BARE_IPV6 = /^[0-9A-Fa-f:.]+$/
const SEGMENT = /^[A-Za-z0-9_~!$&'()*+;=:@.-]+$/
const PREFIX_CHARACTERS = 256

/**
 * Reads a `Forwarded` field from its end, where the nearest proxy writes, one element at a time.
 *
 * Elements are also separated from the end: a quote that a client leaves open in its part would otherwise swallow
 * what proxies append. More is taken than RFC 7239 §4 allows, because proxies write it: addresses and ports that are
 * not quoted, and spaces around semicolons.
 *
 * @returns Elements, the nearest proxy's first. The first that is malformed is a failure, and the last.
 * @see RFC 7239
 */
export function* forwardedFromEnd(raw: string): Generator<Parsed<ForwardedElement>, void, undefined> {
  let end = raw.length
  while (end >= 0) {
    const start = startOfElement(raw, end)
    const text = trimWhitespace(raw.slice(start, end))
    end = start - 1
    // RFC 9110 §5.6.1.2: empty elements of a list are ignored.
    if (text === '') continue
    const element = parseElement(text)
    yield element
    if (!element.ok) return
  }
}

/**
 * Values of a comma-separated `X-Forwarded-…` field, the nearest proxy's first; empty ones are left out.
 *
 * @param raw - Several lines are joined by commas; `undefined`: not sent.
 */
export function listFromEnd(raw: string | undefined): readonly string[] {
  if (raw === undefined) return []
  return raw
    .split(',')
    .map(trimWhitespace)
    .filter((value) => value !== '')
    .toReversed()
}

/**
 * Parses the address of a hop, as `X-Forwarded-For` and the `for` of `Forwarded` have it: IPv4, or IPv6 with or without
 * brackets, and maybe a port.
 *
 * @returns The address in lower case, without brackets and port. A failure for names and hidden ones.
 */
export function parseHopAddress(raw: string): Parsed<string> {
  const text = trimWhitespace(raw)
  const parts = ADDRESS.exec(text)?.groups
  const ipv4 = parts?.['ipv4']
  const ipv6 = parts?.['ipv6'] ?? (BARE_IPV6.test(text) && text.includes(':') ? text : undefined)
  // A host of digits and dots is a whole IPv4 address, see `parseHost`.
  if (ipv4 !== undefined && parseHost(ipv4).ok) return success(ipv4)
  if (ipv6 !== undefined && parseHost(`[${ipv6}]`).ok) return success(ipv6.toLowerCase())
  return failure(`${excerpt(text)} is not an address.`)
}

/** Parses `X-Forwarded-Proto`, one value of it, or the `proto` of `Forwarded`. */
export function parseScheme(raw: string): Parsed<HttpScheme> {
  const text = trimWhitespace(raw).toLowerCase()
  if (text === 'http' || text === 'https') return success(text)
  return failure(`${excerpt(text)} is neither http nor https.`)
}

/** Parses one value of `X-Forwarded-Port`: 1 to 65535, digits only. */
export function parsePort(raw: string): Parsed<number> {
  const text = trimWhitespace(raw)
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0
  return port >= 1 && port <= 65_535 ? success(port) : failure(`${excerpt(text)} is not a port.`)
}

/**
 * Parses one value of `X-Forwarded-Prefix`. Only a clean path passes, because it is written into `Location`: segments
 * that are not empty, no dot segment, no percent-encoding, no query, at most 256 characters.
 *
 * @returns The path without a slash at its end; empty for `/`.
 */
export function parsePrefix(raw: string): Parsed<string> {
  const text = trimWhitespace(raw)
  const path = text.endsWith('/') ? text.slice(0, -1) : text
  const [first, ...segments] = path.split('/')
  const isClean =
    text.startsWith('/') &&
    text.length <= PREFIX_CHARACTERS &&
    first === '' &&
    segments.every((segment) => SEGMENT.test(segment) && segment !== '.' && segment !== '..')
  return isClean ? success(path) : failure(`${excerpt(text)} is not a clean path.`)
}

/** Where the element that ends at `end` starts: after the last comma that is in no quotes. */
function startOfElement(raw: string, end: number): number {
  let isQuoted = false
  for (let index = end - 1; index >= 0; index--) {
    const character = raw.charAt(index)
    if (character === '"') {
      // Coming from the end, a quote outside of quotes closes; within, one that is not escaped opens.
      const backslashes: number = isQuoted ? countBackslashes(raw, index) : 0
      isQuoted = !isQuoted || backslashes % 2 === 1
      index -= backslashes
    } else if (character === ',' && !isQuoted) return index + 1
  }
  return 0
}

function countBackslashes(raw: string, before: number): number {
  let count = 0
  while (count < before && raw.charAt(before - 1 - count) === '\\') count++
  return count
}

function parseElement(text: string): Parsed<ForwardedElement> {
  const pairs = new Map<string, string>()
  let index = skip(SEPARATOR, text, 0)
  while (index < text.length) {
    PAIR.lastIndex = index
    const groups = PAIR.exec(text)?.groups
    const name = groups?.['name']?.toLowerCase()
    // RFC 7239 §4: a parameter MUST NOT occur more than once.
    if (groups === undefined || name === undefined || pairs.has(name)) return malformed(text)
    pairs.set(name, groups['plain'] ?? (groups['quoted'] ?? '').replaceAll(/\\(.)/g, '$1'))
    const next = skip(SEPARATOR, text, PAIR.lastIndex)
    if (next === PAIR.lastIndex && next < text.length) return malformed(text)
    index = next
  }
  const [node, scheme, host] = [pairs.get('for'), pairs.get('proto'), pairs.get('host')]
  return success({
    node: node === undefined ? failure('Forwarded names no address.') : parseHopAddress(node),
    scheme: scheme === undefined ? undefined : parseScheme(scheme),
    host: host === undefined ? undefined : parseHost(host),
  })
}

function malformed(text: string): Parsed<never> {
  return failure(`${excerpt(text)} is not an element of Forwarded.`)
}

function skip(pattern: RegExp, text: string, index: number): number {
  pattern.lastIndex = index
  return pattern.test(text) ? pattern.lastIndex : index
}
