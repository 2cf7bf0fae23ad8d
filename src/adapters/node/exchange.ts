import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import type { Exchange } from '../../server/exchange.ts'
import { NodeBody } from './body.ts'

export type NodeRequest = IncomingMessage | Http2ServerRequest
export type NodeResponse = ServerResponse | Http2ServerResponse

/** `stream.close` code for "the request is no longer wanted" (RFC 9113 §7). */
const HTTP2_CANCEL = 8

/** A request of Node's `http`, `https` or `http2` (compatibility API). */
export class NodeExchange implements Exchange {
  readonly #request: NodeRequest
  readonly #response: NodeResponse
  readonly expectsContinue: boolean
  readonly body: NodeBody
  readonly readsTrailers = true
  #controller: AbortController | undefined

  constructor(request: NodeRequest, response: NodeResponse, expectsContinue: boolean) {
    this.#request = request
    this.#response = response
    this.expectsContinue = expectsContinue
    this.body = new NodeBody(request)
  }

  get method(): string {
    return this.#request.method ?? ''
  }

  get target(): string {
    // Express and its like take the mount path off `url` and keep the whole in `originalUrl`.
    const { originalUrl } = this.#request as { readonly originalUrl?: unknown }
    return typeof originalUrl === 'string' ? originalUrl : (this.#request.url ?? '')
  }

  get httpVersion(): string {
    return this.#request.httpVersion
  }

  get isSecure(): boolean {
    return 'encrypted' in this.#request.socket && this.#request.socket.encrypted
  }

  get peerAddress(): string | undefined {
    return this.#request.socket.remoteAddress
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController()
      this.#controller = controller
      if (this.#response.destroyed) controller.abort()
      this.#response.once('close', () => {
        if (!this.#response.writableFinished) controller.abort()
      })
    }
    return this.#controller.signal
  }

  header(name: string): string | undefined {
    if (name === 'host') return this.#host()
    const value = this.#request.headers[name]
    return typeof value === 'object' ? value.join(', ') : value
  }

  headers(): Readonly<Record<string, readonly string[]>> {
    const { rawHeaders } = this.#request
    const fields = new Map<string, string[]>()
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      const name = (rawHeaders[i] ?? '').toLowerCase()
      // HTTP/2 has method, path and the like in the same list.
      if (name.startsWith(':')) continue
      const values = fields.get(name)
      const value = rawHeaders[i + 1] ?? ''
      if (values === undefined) fields.set(name, [value])
      else values.push(value)
    }
    // Not by assignment: `__proto__` is a name that a client may send.
    return Object.fromEntries(fields)
  }

  sendContinue(): void {
    if (this.expectsContinue && !this.#response.headersSent) this.#response.writeContinue()
  }

  terminate(): void {
    // Not the client's fault: it is answered.
    if (this.body.isRefused) return
    if ('stream' in this.#request) this.#request.stream.close(HTTP2_CANCEL)
    else cutOff(this.#request.socket)
  }

  /** Node keeps the first of two `Host` lines and hides the second: only the raw list shows both. */
  #host(): string | undefined {
    const { rawHeaders, headers } = this.#request
    const lines: string[] = []
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      const name = rawHeaders[i]
      if (name?.length === 4 && name.toLowerCase() === 'host') lines.push(rawHeaders[i + 1] ?? '')
    }
    if (lines.length > 0) return lines.join(', ')
    const authority = headers[':authority']
    return typeof authority === 'string' ? authority : undefined
  }
}

/** A reset, so that the client learns at once: a plain close would first try to send what is buffered. */
function cutOff(socket: Socket): void {
  try {
    socket.resetAndDestroy()
  } catch {
    // Node resets plain TCP only: for TLS and Unix sockets it throws.
    socket.destroy()
  }
}
