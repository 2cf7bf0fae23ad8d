import { excerpt, failure, success } from './parsed.ts'
import type { Parsed } from './parsed.ts'
import { trimWhitespace } from './whitespace.ts'

const HOST_AND_PORT = /^(?<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(?<port>[0-9]{0,5}))?$/
const NAME_CHARACTERS = 253
const LABEL = /^[a-z0-9_-]{1,63}$/
const NUMERIC = /^[0-9]+$/
const OCTET = /^(?:0|[1-9][0-9]{0,2})$/
const GROUP = /^[0-9a-f]{1,4}$/

/**
 * Parses a `Host` field: a DNS name, an IPv4 address or a bracketed IPv6 address, and maybe a port.
 *
 * Narrower than RFC 3986 §3.2.2, because the value is written into `Location`: no user information, no
 * percent-encoding, no punctuation other than dot, hyphen and underscore, no zone.
 *
 * @returns The host in lower case, with `:port` if one was given.
 */
export function parseHost(raw: string): Parsed<string> {
  const text = trimWhitespace(raw)
  const parts = HOST_AND_PORT.exec(text)?.groups
  const host = parts?.['host']?.toLowerCase()
  if (host === undefined || !isHost(host)) return failure(`${excerpt(text)} is not a host.`)
  const digits = parts?.['port'] ?? ''
  // RFC 3986 §3.2.3: a colon without a port means the default one
  if (digits === '') return success(host)
  const port = Number(digits)
  if (port < 1 || port > 65_535) return failure(`${excerpt(text)} has a port that does not exist.`)
  return success(`${host}:${port}`)
}

function isHost(host: string): boolean {
  return host.startsWith('[') ? isIpv6(host.slice(1, -1)) : isName(host)
}

function isName(host: string): boolean {
  const name = host.endsWith('.') ? host.slice(0, -1) : host
  if (name.length > NAME_CHARACTERS) return false
  const labels = name.split('.')
  // A name that ends in a number is read as an IPv4 address by URL parsers: then it has to be one.
  if (NUMERIC.test(labels.at(-1) ?? '')) return isIpv4(host)
  return labels.every((label) => LABEL.test(label))
}

function isIpv4(text: string): boolean {
  const octets = text.split('.')
  return octets.length === 4 && octets.every((octet) => OCTET.test(octet) && Number(octet) <= 255)
}

// RFC 4291 §2.2: eight groups; one "::" stands for one or more groups of zeros; the last two may be IPv4.
function isIpv6(text: string): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  const [head = '', tail] = halves
  const before = countGroups(head, tail === undefined)
  const after = tail === undefined ? 0 : countGroups(tail, true)
  if (before === undefined || after === undefined) return false
  return tail === undefined ? before === 8 : before + after <= 7
}

function countGroups(text: string, mayEndInIpv4: boolean): number | undefined {
  if (text === '') return 0
  const groups = text.split(':')
  const last = groups.at(-1) ?? ''
  const ipv4 = mayEndInIpv4 && isIpv4(last)
  const hex = ipv4 ? groups.slice(0, -1) : groups
  if (!hex.every((group) => GROUP.test(group))) return undefined
  return hex.length + (ipv4 ? 2 : 0)
}
