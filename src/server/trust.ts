import ipaddr from 'ipaddr.js'
import { parseHopAddress } from '../protocol/forwarded.ts'

/** Which peers are proxies whose word counts. */
export interface Trust {
  /** @param address - `undefined`: a Unix socket. */
  trusts(address: string | undefined): boolean
  /** One spelling for each address: no zone, IPv4 for IPv4-mapped IPv6. Text that is no address stays as it is. */
  normal(address: string | undefined): string | undefined
}

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Range = readonly [Address, number]

const WORDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['loopback', ['127.0.0.0/8', '::1/128']],
  ['linklocal', ['169.254.0.0/16', 'fe80::/10']],
  ['uniquelocal', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']],
])

/**
 * @param entries - Addresses, CIDR ranges and words, see `makeProxies`.
 * @throws {TypeError} for an entry that is none of these; the message names it.
 */
export function makeTrust(entries: readonly string[]): Trust {
  const ranges = entries.filter((entry) => entry !== 'unix').flatMap(rangesOf)
  const hasUnix = entries.includes('unix')
  return {
    trusts(text) {
      if (text === undefined) return hasUnix
      const address = ranges.length === 0 ? undefined : addressOf(text)
      return address !== undefined && ranges.some((range) => isWithin(address, range))
    },
    normal: (text) => (text === undefined ? undefined : (addressOf(text)?.toString() ?? text)),
  }
}

function rangesOf(entry: unknown): readonly Range[] {
  const texts = typeof entry === 'string' ? (WORDS.get(entry) ?? [entry]) : []
  const ranges = texts.map(rangeOf)
  const known = ranges.filter((range) => range !== undefined)
  if (known.length > 0 && known.length === ranges.length) return known
  throw new TypeError(
    `trustedProxies: ${JSON.stringify(entry)} is no address, no CIDR range, and none of ${[...WORDS.keys()].join(', ')}, unix`,
  )
}

function rangeOf(text: string): Range | undefined {
  const [given = '', digits, ...rest] = text.split('/')
  // Only an address that means itself: no port, no brackets, none of the short forms `ipaddr.js` takes (`10.1`).
  const parsed = parseHopAddress(given)
  if (!parsed.ok || parsed.value !== given.toLowerCase() || rest.length > 0) return undefined
  const address = ipaddr.parse(parsed.value)
  const bits = address.kind() === 'ipv4' ? 32 : 128
  const prefix = digits === undefined ? bits : /^(?:0|[1-9][0-9]{0,2})$/.test(digits) ? Number(digits) : -1
  if (prefix < 0 || prefix > bits) return undefined
  if (!isMapped(address)) return [address, prefix]
  // Wider than ::ffff:0:0/96 it would be half IPv4, half IPv6.
  return prefix < 96 ? undefined : [address.toIPv4Address(), prefix - 96]
}

function addressOf(text: string): Address | undefined {
  // Link-local peers come with a zone: fe80::1%eth0.
  const parsed = parseHopAddress(text.replace(/%[A-Za-z0-9_.-]+$/, ''))
  return parsed.ok ? ipaddr.process(parsed.value) : undefined
}

function isMapped(address: Address): address is ipaddr.IPv6 {
  return address.kind() === 'ipv6' && (address as ipaddr.IPv6).isIPv4MappedAddress()
}

function isWithin(address: Address, [network, prefix]: Range): boolean {
  return address.kind() === network.kind() && address.match(network, prefix)
}
