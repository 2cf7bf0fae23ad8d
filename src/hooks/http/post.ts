import type {
  Agent,
  ClientRequest,
  IncomingHttpHeaders,
  IncomingMessage,
  OutgoingHttpHeaders,
} from 'node:http'
import { request as requestPlain } from 'node:http'
import { request as requestSecure } from 'node:https'

/** One POST, and how much of its answer is read. */
export interface Post {
  /** Without credentials. */
  readonly url: URL
  readonly agent: Agent
  readonly headers: OutgoingHttpHeaders
  readonly body: string
  readonly limitBytes: number
  readonly signal: AbortSignal
}

export interface PostAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** `undefined`: there was more than may be read. */
  readonly text: string | undefined
}

/** A server may close idle connections just when they are used again; each of them may be such a one. */
const STALE_CONNECTIONS = 3

/** Sends it and reads the answer. Follows nothing. @throws what the connection fails with. */
export async function post(message: Post): Promise<PostAnswer> {
  for (let stale = 0; ; stale += 1) {
    const outgoing = open(message)
    try {
      return await converse(outgoing, message)
    } catch (error) {
      outgoing.destroy()
      const isStale = outgoing.reusedSocket && codeOf(error) === 'ECONNRESET'
      if (!isStale || stale >= STALE_CONNECTIONS || message.signal.aborted) throw error
    }
  }
}

function open({ url, agent, headers, body, signal }: Post): ClientRequest {
  const request = url.protocol === 'https:' ? requestSecure : requestPlain
  const outgoing = request(url, { method: 'POST', agent, headers, signal })
  outgoing.end(body)
  return outgoing
}

function converse(outgoing: ClientRequest, { limitBytes }: Post): Promise<PostAnswer> {
  return new Promise((resolve, reject) => {
    outgoing.on('error', reject)
    outgoing.once('response', (incoming) => {
      read(incoming, limitBytes).then((text) => {
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text })
      }, reject)
    })
  })
}

function read(incoming: IncomingMessage, limitBytes: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= limitBytes) return void chunks.push(chunk)
      resolve(undefined)
      incoming.destroy()
    })
    incoming.once('end', () => resolve(new TextDecoder().decode(Buffer.concat(chunks))))
    incoming.on('error', reject)
    // Cut off: some runtimes tell it by this alone.
    incoming.once('close', () => reject(new Error('the connection broke off in the middle of the answer')))
  })
}

/** The code of a system error, such as `ECONNREFUSED`. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}
