import type { HttpScheme } from '../protocol/forwarded.ts'
import {
  forwardedFromEnd,
  listFromEnd,
  parseHopAddress,
  parsePort,
  parsePrefix,
  parseScheme,
} from '../protocol/forwarded.ts'
import { parseHost } from '../protocol/host.ts'
import type { Parsed } from '../protocol/parsed.ts'
import { makeTrust } from './trust.ts'
import type { Trust } from './trust.ts'
import type { Exchange } from './exchange.ts'

/** What is asked of a request to know where it comes from. */
export type Arrival = Pick<Exchange, 'peerAddress' | 'isSecure' | 'httpVersion' | 'header'>

/** A request as its client sees it, as far as that can be believed. */
export interface RequestView {
  /** Address of the client; that of the connection's peer where no trusted proxy tells of another. */
  readonly clientAddress: string | undefined
  /** What the client came by; that of the connection where no trusted proxy tells. */
  readonly scheme: HttpScheme
  /** What the client calls this server, with a port where it has one. */
  readonly host: string | undefined
  /** `scheme` and `host`, such as `https://files.example`, if they are sure enough to be sent to the client. */
  readonly origin: string | undefined
  /** What proxies have taken off the front of the path, such as `/api`; empty for nothing. */
  readonly prefix: string
}

/** Reads what trusted proxies tell. */
export interface Proxies {
  /** Somebody has said which proxies are trusted, be it none. */
  readonly areConfigured: boolean
  view(arrival: Arrival): RequestView
}

/** What a chain of trusted proxies tells. `undefined`: nothing; a failure: nothing that can be used. */
interface Told {
  readonly clientAddress: string | undefined
  readonly scheme?: Parsed<HttpScheme> | undefined
  readonly host?: Parsed<string> | undefined
  readonly port?: Parsed<number> | undefined
  readonly prefix: string
}

const PROXY_SIGNS = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'via',
  'x-real-ip',
]

/**
 * Reads `Forwarded` and `X-Forwarded-{For,Proto,Host,Port,Prefix}` of proxies that are trusted, and of nobody else.
 *
 * The list of hops is walked from its end. The first that is not trusted is the client, and so is the last trusted
 * one before an entry that is no address: whatever stands further left can be written by anybody. `Forwarded` wins
 * over `X-Forwarded-*`, except for the prefix, which it has no word for.
 *
 * @param trustedProxies - Addresses, CIDR ranges, and the words `loopback`, `linklocal`, `uniquelocal`, `unix`.
 * @throws {TypeError} for an entry that is none of these; the message names it.
 */
export function makeProxies(trustedProxies: readonly string[] | undefined): Proxies {
  const trust = makeTrust(trustedProxies ?? [])
  return {
    areConfigured: trustedProxies !== undefined,
    view(arrival) {
      const told = trust.trusts(arrival.peerAddress) ? listen(arrival, trust) : unproxied(arrival)
      return { clientAddress: told.clientAddress, prefix: told.prefix, ...originOf(arrival, told) }
    },
  }

  function unproxied({ peerAddress }: Arrival): Told {
    // Who asks for nothing of this gets the address as the runtime spells it.
    return {
      clientAddress: trustedProxies === undefined ? peerAddress : trust.normal(peerAddress),
      prefix: '',
    }
  }
}

function originOf(arrival: Arrival, told: Told): Pick<RequestView, 'scheme' | 'host' | 'origin'> {
  const scheme = told.scheme?.ok ? told.scheme.value : arrival.isSecure ? 'https' : 'http'
  const named = told.host ?? parseHost(arrival.header('host') ?? '')
  const host = named.ok ? withPort(named.value, scheme, told.port) : undefined
  // Behind a proxy the connection tells nothing of what the client came by: then the proxy has to.
  const isSure = told.scheme?.ok === true || !hasProxySign(arrival)
  return { scheme, host, origin: isSure && host !== undefined ? `${scheme}://${host}` : undefined }
}

function listen(arrival: Arrival, trust: Trust): Told {
  const elements = arrival.header('forwarded') ?? ''
  const isTold = listFromEnd(elements).length > 0
  const { hops, ...told } = isTold
    ? listenToForwarded(elements, arrival, trust)
    : listenToLists(arrival, trust)
  const prefixes = believed(listFromEnd(arrival.header('x-forwarded-prefix')), hops, parsePrefix)
  return {
    ...told,
    prefix: prefixes
      .map((prefix) => (prefix.ok ? prefix.value : ''))
      .toReversed()
      .join(''),
  }
}

type Heard = Omit<Told, 'prefix'> & { readonly hops: number }

function listenToForwarded(raw: string, { peerAddress }: Arrival, trust: Trust): Heard {
  let clientAddress = trust.normal(peerAddress)
  let scheme: Told['scheme']
  let host: Told['host']
  let hops = 0
  for (const element of forwardedFromEnd(raw)) {
    hops++
    if (!element.ok) break
    const { node } = element.value
    scheme = outer(scheme, element.value.scheme)
    host = outer(host, element.value.host)
    if (!node.ok) break
    clientAddress = trust.normal(node.value)
    if (!trust.trusts(node.value)) break
  }
  return { clientAddress, scheme, host, hops: Math.max(hops, 1) }
}

function listenToLists(arrival: Arrival, trust: Trust): Heard {
  let clientAddress = trust.normal(arrival.peerAddress)
  let hops = 0
  for (const text of listFromEnd(arrival.header('x-forwarded-for'))) {
    hops++
    const node = parseHopAddress(text)
    if (!node.ok) break
    clientAddress = trust.normal(node.value)
    if (!trust.trusts(node.value)) break
  }
  hops = Math.max(hops, 1)
  const last = <T>(name: string, parse: (text: string) => Parsed<T>): Parsed<T> | undefined =>
    believed(listFromEnd(arrival.header(name)), hops, parse).reduce<Parsed<T> | undefined>(outer, undefined)
  return {
    clientAddress,
    scheme: last('x-forwarded-proto', parseScheme),
    host: last('x-forwarded-host', parseHost),
    port: last('x-forwarded-port', parsePort),
    hops,
  }
}

/** The entries that trusted proxies can have written, one each; a malformed one is the last. */
function believed<T>(
  values: readonly string[],
  hops: number,
  parse: (text: string) => Parsed<T>,
): readonly Parsed<T>[] {
  const parsed = values.slice(0, hops).map(parse)
  const broken = parsed.findIndex(({ ok }) => !ok)
  return broken === -1 ? parsed : parsed.slice(0, broken + 1)
}

/** A proxy nearer to the client knows better, if what it tells can be used. */
function outer<T>(inner: Parsed<T> | undefined, next: Parsed<T> | undefined): Parsed<T> | undefined {
  return next?.ok === true ? next : (inner ?? next)
}

/** A port that the host has is what the client has typed: it counts more than `X-Forwarded-Port`. */
function withPort(host: string, scheme: HttpScheme, port: Parsed<number> | undefined): string {
  if (port?.ok !== true || /:[0-9]+$/.test(host)) return host
  return port.value === (scheme === 'https' ? 443 : 80) ? host : `${host}:${port.value}`
}

function hasProxySign(arrival: Arrival): boolean {
  // Nginx speaks HTTP/1.0 to its upstream by default; no client of today does.
  return arrival.httpVersion === '1.0' || PROXY_SIGNS.some((name) => arrival.header(name) !== undefined)
}
