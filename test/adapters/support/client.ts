import { Agent, request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { connect } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { Agent as TlsAgent, request as httpsRequest } from 'node:https'

interface Asked {
  readonly method: string
  /** Path on the server. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: Uint8Array | string
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** A request whose body is still open. */
export interface HalfOpen {
  write(bytes: Uint8Array): void
  end(): void
  /** Breaks the connection or the stream off. */
  break(): void
  /** `broken`: it ended without a whole answer. */
  readonly outcome: Promise<Answer | 'broken'>
}

/** A client of one server, over whatever that server speaks. */
export interface Client {
  /** Rejects when the connection breaks before the answer is whole. */
  ask(asked: Asked): Promise<Answer>
  begin(asked: Omit<Asked, 'body'>): HalfOpen
  close(): void
}

/** HTTP/1.1, in plain or over TLS. */
export function http1Client(origin: string, ca?: string): Client {
  const isSecure = ca !== undefined
  const agent = isSecure ? new TlsAgent({ keepAlive: true, ca }) : new Agent({ keepAlive: true })
  const begin = ({ method, path, headers = {} }: Asked): HalfOpen => {
    const options = { method, headers, agent }
    const url = new URL(path, origin)
    // Not normalised: some cases are about odd paths.
    const sent = isSecure ? httpsRequest(url, { ...options, path }) : httpRequest(url, { ...options, path })
    // The head goes out at once: some cases send nothing more for a while.
    sent.flushHeaders()
    return {
      write: (bytes) => void sent.write(bytes),
      end: () => void sent.end(),
      break: () => void sent.destroy(),
      outcome: http1Outcome(sent),
    }
  }
  return { begin, ask: (asked) => askBy(begin, asked), close: () => agent.destroy() }
}

function http1Outcome(sent: ClientRequest): Promise<Answer | 'broken'> {
  return new Promise((resolve) => {
    sent.on('error', () => resolve('broken'))
    sent.on('close', () => resolve('broken'))
    sent.on('response', (response: IncomingMessage) => {
      const chunks: Buffer[] = []
      const { statusCode: status = 0, headers } = response
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', () => resolve('broken'))
      response.on('end', () => resolve({ status, headers, body: Buffer.concat(chunks) }))
    })
  })
}

/** HTTP/2 without TLS. */
export function http2Client(origin: string): Client & { readonly session: ClientHttp2Session } {
  const session = connect(origin)
  session.on('error', () => undefined)
  const begin = ({ method, path, headers = {} }: Asked): HalfOpen => {
    const stream = session.request(
      { ':method': method, ':path': path, ...headers },
      { endStream: method === 'GET' || method === 'HEAD' },
    )
    return {
      write: (bytes) => void stream.write(bytes),
      end: () => void stream.end(),
      break: () => stream.close(),
      outcome: http2Outcome(stream),
    }
  }
  return { session, begin, ask: (asked) => askBy(begin, asked), close: () => session.destroy() }
}

function http2Outcome(stream: ClientHttp2Stream): Promise<Answer | 'broken'> {
  return new Promise((resolve) => {
    let headers: IncomingHttpHeaders & { readonly ':status'?: number | undefined } = {}
    const chunks: Buffer[] = []
    stream.on('response', (fields) => (headers = fields))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', () => resolve('broken'))
    stream.on('close', () => {
      const status = headers[':status']
      resolve(status === undefined ? 'broken' : { status, headers, body: Buffer.concat(chunks) })
    })
  })
}

async function askBy(begin: (asked: Asked) => HalfOpen, asked: Asked): Promise<Answer> {
  const { body = '' } = asked
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const isBodyless = asked.method === 'GET' || asked.method === 'HEAD'
  const length = isBodyless ? {} : { 'Content-Length': bytes.length }
  const running = begin({ ...asked, headers: { ...length, ...asked.headers } })
  if (bytes.length > 0) running.write(bytes)
  running.end()
  const outcome = await running.outcome
  if (outcome === 'broken') throw new Error(`${asked.method} ${asked.path}: broken off without an answer`)
  return outcome
}
