import * as http from 'node:http'
import * as https from 'node:https'
import { BlockList, isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { TransferError } from '../errors.ts'
import { networkError } from './node-network-error.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The proxy for an address: `HTTPS_PROXY` or `HTTP_PROXY` by its scheme, else `ALL_PROXY`, unless `NO_PROXY` names
 * the host. Lower case wins, as in curl.
 *
 * @throws {TransferError} `protocol` for a proxy of a kind that is not spoken here.
 */
export function proxyFromEnvironment(url: URL, env: Environment): URL | undefined {
  const read = (name: string): string | undefined => env[name] ?? env[name.toUpperCase()]
  // In a CGI program HTTP_PROXY is the client's `Proxy` header, not a setting.
  const isCgi = env['REQUEST_METHOD'] !== undefined
  const own = url.protocol === 'https:' ? read('https_proxy') : isCgi ? env['http_proxy'] : read('http_proxy')
  const proxy = own ?? read('all_proxy')
  if (proxy === undefined || proxy === '') return undefined
  return isExempt(url, read('no_proxy') ?? '') ? undefined : parseProxy(proxy)
}

/** @throws {TransferError} `protocol` unless it is an `http:` or `https:` address; without a scheme it is `http:`. */
export function parseProxy(text: string): URL {
  const address = text.includes('://') ? text : `http://${text}`
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  // The text may hold a password.
  throw new TransferError('protocol', `the proxy is not an http: or https: address`, {
    hint: 'Check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY; SOCKS is not spoken here.',
  })
}

/** Credentials of a proxy's address as a header field. */
export function proxyAuthorization(proxy: URL): Readonly<Record<string, string>> {
  if (proxy.username === '' && proxy.password === '') return {}
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  return { 'Proxy-Authorization': `Basic ${Buffer.from(credentials).toString('base64')}` }
}

/** `NO_PROXY`: names cover their subdomains; also `*`, a port, addresses and their ranges (`10.0.0.0/8`). */
function isExempt(url: URL, list: string): boolean {
  const host = bare(url.hostname)
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => {
      const [, name = '', itsPort = port] = /^(\[.*\]|[^:]*|.*:.*:.*?)(?::(\d+))?$/.exec(entry) ?? []
      if (name === '' || itsPort !== port) return false
      const domain = bare(name).replace(/^\*?\./, '')
      return name === '*' || host === domain || host.endsWith(`.${domain}`) || isInRange(host, name)
    })
}

const bare = (host: string): string => host.replace(/^\[|\]$/g, '').replace(/\.$/, '')

function isInRange(host: string, range: string): boolean {
  const [, network = '', bits = ''] = /^([^/]+)\/(\d+)$/.exec(range) ?? []
  const family = isIP(host)
  if (family === 0 || family !== isIP(network)) return false
  if (Number(bits) > (family === 6 ? 128 : 32)) return false
  const type = family === 6 ? 'ipv6' : 'ipv4'
  const addresses = new BlockList()
  addresses.addSubnet(network, Number(bits), type)
  return addresses.check(host, type)
}

/** What a request hands to its agent in addition. `signal` is taken away by Node before. */
export interface TunnelRequestOptions extends https.RequestOptions {
  readonly abandon?: AbortSignal
}

/** TLS through a proxy: asks it for a tunnel (RFC 9110 §9.3.6) and speaks TLS to the server inside. */
export class TunnelAgent extends https.Agent {
  readonly #proxy: URL
  readonly #proxyTls: https.RequestOptions

  constructor(proxy: URL, proxyTls: https.RequestOptions, options: https.AgentOptions) {
    super(options)
    this.#proxy = proxy
    this.#proxyTls = proxyTls
  }

  override createConnection(
    options: TunnelRequestOptions,
    callback: (error: Error | null, socket?: Duplex) => void,
  ): undefined {
    const { protocol, host } = this.#proxy
    const connect = this.#ask(options)
    connect.once('error', (error) => {
      callback(networkError(error, { method: 'CONNECT', url: this.#proxy, proxy: this.#proxy }))
    })
    connect.once('connect', (answer: http.IncomingMessage, tunnel: Duplex) => {
      const status = answer.statusCode ?? 0
      if (status >= 200 && status < 300) {
        const connection = { ...options, socket: tunnel }
        callback(null, super.createConnection(connection) ?? tunnel)
        return
      }
      tunnel.destroy()
      callback(
        new TransferError('network', `the proxy ${protocol}//${host} refused a tunnel: ${status}`, {
          status,
          hint: status === 407 ? 'Put user and password into the address of the proxy.' : undefined,
        }),
      )
    })
    connect.end()
  }

  #ask({ host, port, abandon }: TunnelRequestOptions): http.ClientRequest {
    const name = String(host)
    const target = `${name.includes(':') ? `[${name}]` : name}:${port ?? 443}`
    const { request } = this.#proxy.protocol === 'https:' ? https : http
    return request({
      ...this.#proxyTls,
      hostname: bare(this.#proxy.hostname),
      port: this.#proxy.port,
      method: 'CONNECT',
      path: target,
      headers: { Host: target, ...proxyAuthorization(this.#proxy) },
      agent: false,
      ...(abandon === undefined ? {} : { signal: abandon }),
    })
  }
}
