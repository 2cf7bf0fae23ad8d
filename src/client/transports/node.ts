import * as http from 'node:http'
import * as https from 'node:https'
import { createSecureContext } from 'node:tls'
import type { SecureContextOptions } from 'node:tls'
import { TransferError } from '../errors.ts'
import type { ResponseHead, Transport, TransportRequest, TransportResponse } from '../ports/transport.ts'
import { StaleConnection, exchange } from './node-exchange.ts'
import type { TunnelRequestOptions } from './node-proxy.ts'
import { TunnelAgent, parseProxy, proxyAuthorization, proxyFromEnvironment } from './node-proxy.ts'

export interface NodeTransportOptions {
  /** Certificates of authorities to trust instead of the well-known ones, PEM. */
  readonly ca?: SecureContextOptions['ca']
  /** Client certificate and its key, PEM: mutual TLS. */
  readonly cert?: SecureContextOptions['cert']
  readonly key?: SecureContextOptions['key']
  /** Of the key. */
  readonly passphrase?: string | undefined
  /** `false` trusts any certificate: whoever sits on the line can read and change everything. @default true */
  readonly rejectUnauthorized?: boolean | undefined
  /** Address of a proxy for every request, `false` for none. @default from the environment */
  readonly proxy?: string | false | undefined
  /** Path of a Unix socket that the server listens on. */
  readonly socketPath?: string | undefined
}

/**
 * A transport over Node's `http` and `https`: connections are kept and used again.
 *
 * `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are obeyed, in lower case too; a proxy's user and password
 * are part of its address. A request whose kept connection turns out to be closed is sent once more on a new one.
 *
 * @throws when a certificate or key cannot be read, the passphrase is wrong, or the proxy is no `http:` address.
 */
export function nodeTransport(options: NodeTransportOptions = {}): Transport {
  return new NodeTransport(options)
}

const MAX_REDIRECTS = 5
const FOLLOWED = new Set(['GET', 'HEAD', 'OPTIONS'])
const REDIRECTS = new Set([301, 302, 303, 307, 308])
const SECRETS = new Set(['authorization', 'cookie'])
const WITH_BODY = new Set(['POST', 'PUT', 'PATCH'])

interface PlainRequest {
  readonly method: string
  readonly fields: Readonly<Record<string, string>>
}

type Headers = ReadonlyMap<string, string>

interface Outgoing {
  readonly request: TransportRequest
  readonly headers: Headers
}

class NodeTransport implements Transport {
  readonly reportsSent = true
  readonly #proxy: URL | false | undefined
  readonly #socketPath: string | undefined
  readonly #plain = new http.Agent({ keepAlive: true })
  readonly #secure: https.Agent
  /** For proxies: they are not shown the client certificate. */
  readonly #proxyTls: https.AgentOptions
  readonly #secureProxy: https.Agent
  readonly #tls: https.AgentOptions
  readonly #tunnels = new Map<string, https.Agent>()

  constructor(options: NodeTransportOptions) {
    const { ca, cert, key, passphrase, rejectUnauthorized = true, proxy } = options
    this.#proxy = typeof proxy === 'string' ? parseProxy(proxy) : proxy
    this.#socketPath = options.socketPath
    this.#proxyTls = { rejectUnauthorized, ...(ca === undefined ? {} : { ca }) }
    this.#tls = {
      ...this.#proxyTls,
      keepAlive: true,
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(passphrase === undefined ? {} : { passphrase }),
    }
    // A wrong passphrase is told here, not by the first request as if it were the network's fault.
    if (cert !== undefined || key !== undefined || ca !== undefined) createSecureContext(this.#tls)
    this.#secure = new https.Agent(this.#tls)
    this.#secureProxy = new https.Agent({ ...this.#proxyTls, keepAlive: true })
  }

  async send(request: TransportRequest): Promise<TransportResponse> {
    let url = new URL(request.url)
    let { headers } = request
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
      const response = await this.#sendTo(request, url, headers)
      const next = redirectOf(request.method, response, url)
      if (next === undefined) return response
      if (next.origin !== url.origin) headers = withoutSecrets(headers)
      url = next
    }
    throw new TransferError('protocol', `${request.method} was redirected more than ${MAX_REDIRECTS} times`, {
      hint: 'The server sends the request round in circles: check the address.',
      method: request.method,
      url: request.url,
    })
  }

  close(): Promise<void> {
    this.#dropIdle()
    return Promise.resolve()
  }

  async #sendTo(request: TransportRequest, url: URL, headers: Headers): Promise<TransportResponse> {
    const proxy = this.#proxyFor(url)
    const leg = {
      request: withoutRedirectBodies(request, url),
      url,
      // In a tunnel it is the server that one speaks to.
      proxy: url.protocol === 'https:' ? undefined : proxy,
      open: () => this.#open(proxy, url, { request, headers }),
    }
    try {
      return await exchange(leg)
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error
      // Whatever closed one idle connection has probably closed them all.
      this.#dropIdle()
      return exchange(leg)
    }
  }

  #open(proxy: URL | undefined, url: URL, { request, headers }: Outgoing): http.ClientRequest {
    const { method, body, signal } = request
    const fields = Object.fromEntries(headers)
    if (body !== undefined || WITH_BODY.has(method)) fields['Content-Length'] = String(body?.sizeBytes ?? 0)
    const place = this.#socketPath === undefined ? {} : { socketPath: this.#socketPath }
    if (url.protocol === 'https:') {
      const agent = proxy === undefined ? this.#secure : this.#tunnel(proxy)
      const options: TunnelRequestOptions = { method, headers: fields, agent, abandon: signal, ...place }
      return https.request(url, options)
    }
    if (proxy !== undefined) return this.#openThrough(proxy, url, { method, fields })
    return http.request(url, { method, headers: fields, agent: this.#plain, ...place })
  }

  /** A proxy is asked for an `http:` address by its absolute form (RFC 9112 §3.2.2). */
  #openThrough(proxy: URL, url: URL, { method, fields }: PlainRequest): http.ClientRequest {
    const isSecure = proxy.protocol === 'https:'
    const { request } = isSecure ? https : http
    return request(proxy, {
      method,
      auth: url.username === '' ? null : decodeURIComponent(`${url.username}:${url.password}`),
      path: `${url.origin}${url.pathname}${url.search}`,
      headers: { Host: url.host, ...proxyAuthorization(proxy), ...fields },
      agent: isSecure ? this.#secureProxy : this.#plain,
    })
  }

  #proxyFor(url: URL): URL | undefined {
    if (this.#proxy === false || this.#socketPath !== undefined) return undefined
    return this.#proxy ?? proxyFromEnvironment(url, process.env)
  }

  #tunnel(proxy: URL): https.Agent {
    const agent = this.#tunnels.get(proxy.href) ?? new TunnelAgent(proxy, this.#proxyTls, this.#tls)
    this.#tunnels.set(proxy.href, agent)
    return agent
  }

  #dropIdle(): void {
    for (const agent of [this.#plain, this.#secure, this.#secureProxy, ...this.#tunnels.values()]) {
      for (const sockets of Object.values(agent.freeSockets))
        for (const socket of sockets ?? []) socket.destroy()
    }
  }
}

/** A sink gets the body of the last answer only. */
function withoutRedirectBodies(request: TransportRequest, url: URL): TransportRequest {
  if (request.onData === undefined) return request
  return {
    ...request,
    onSent: (bytes) => request.onSent?.(bytes),
    onData: (chunk, head) =>
      redirectOf(request.method, head, url) === undefined ? request.onData?.(chunk, head) : undefined,
  }
}

/** Where a redirect leads to. One from `https:` to `http:` is not followed: the caller sees it as the answer. */
function redirectOf(method: string, response: ResponseHead, from: URL): URL | undefined {
  const location = response.header('location')
  if (location === undefined || !FOLLOWED.has(method) || !REDIRECTS.has(response.status)) return undefined
  if (!URL.canParse(location, from.href)) return undefined
  const next = new URL(location, from)
  const isDowngrade = from.protocol === 'https:' && next.protocol !== 'https:'
  return isDowngrade || !next.protocol.startsWith('http') ? undefined : next
}

function withoutSecrets(headers: Headers): Headers {
  return new Map([...headers].filter(([name]) => !SECRETS.has(name.toLowerCase())))
}
