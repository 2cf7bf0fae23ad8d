import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request } from 'node:http'
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { HandlerAnswer } from './answer.ts'
import { collectBody } from './answer.ts'
import type { Content } from './content.ts'
import type { HandlerCall } from './handler-call.ts'
import type { OrdinaryRequest } from './ordinary-request.ts'
import { rememberUpload } from './resumed-upload.ts'

/** A handler that has answered gets so long for what is left in buffers. */
const TAIL_MS = 10_000

/**
 * Answers a request of Node's `http`.
 *
 * @param fail - The handler has given up without an answer.
 */
export type NodeAnswerer = (
  request: IncomingMessage,
  response: ServerResponse,
  fail: (error: unknown) => void,
  ordinary: OrdinaryRequest,
) => void

/**
 * Calls a handler of Node's `http`, over a connection that exists only in memory: it meets a real `IncomingMessage` and
 * a real `ServerResponse`, with their back-pressure, and nothing in it has to be made for the purpose.
 */
export function nodeCall(answerer: NodeAnswerer): HandlerCall {
  return async (ordinary) => {
    const [near, far] = duplexPair()
    dress(near, {})
    dress(far, { remoteAddress: ordinary.peerAddress, encrypted: ordinary.isSecure })
    // A pair does not pass this on: what the handler breaks off is broken for us too, after what it had sent.
    far.once('close', () => near.push(null))
    const cut = (): void => {
      near.destroy()
      far.destroy()
    }
    ordinary.signal.addEventListener('abort', cut)
    try {
      return await exchange(near, far, answerer, ordinary)
    } finally {
      ordinary.signal.removeEventListener('abort', cut)
      cut()
      await ordinary.content.end()
    }
  }
}

async function exchange(
  near: Duplex,
  far: Duplex,
  answerer: NodeAnswerer,
  ordinary: OrdinaryRequest,
): Promise<HandlerAnswer> {
  const { content } = ordinary
  const server = createServer({ requireHostHeader: false, maxHeaderSize: 256 * 1024, requestTimeout: 0 })
  return new Promise<HandlerAnswer>((resolve, reject) => {
    const reader = new Promise<IncomingMessage | undefined>((tell) => {
      server.on('request', (message: IncomingMessage, response: ServerResponse) => {
        rememberUpload(message, ordinary.upload)
        // First of all listeners: Node's own begins to read what nobody else has begun to read, to throw it away.
        response.prependListener('finish', () => tell(isBeingRead(message) ? message : undefined))
        response.once('close', () => tell(undefined))
        try {
          answerer(message, response, reject, ordinary)
        } catch (error) {
          reject(error)
        }
      })
    })
    server.emit('connection', far)
    const sent = send(near, ordinary)
    sent.on('error', (error) => reject(new Error('the handler broke the connection off', { cause: error })))
    sent.on('response', (message) => {
      answerOf(message)
        .then(async (answer) => {
          if (answer.status < 400 && answer.body !== 'too-large') await readToTheEnd(await reader, content)
          resolve(answer)
        })
        .catch(reject)
    })
    pump(content, sent).catch(reject)
  })
}

function send(near: Duplex, { method, target, headers, host }: OrdinaryRequest): ClientRequest {
  // Kept alive, because otherwise the first byte of an answer would end what is still to be sent.
  const agent = new Agent({ keepAlive: true })
  agent.createConnection = () => near
  return request({
    agent,
    method,
    path: target,
    setHost: false,
    headers: host === undefined ? headers : { host, ...headers },
  })
}

async function pump(content: Content, sent: ClientRequest): Promise<void> {
  for (;;) {
    const chunk = await content.next()
    if (chunk === undefined || sent.destroyed) break
    await write(sent, chunk)
  }
  sent.end()
}

/** By the callback: once the answer is whole, Node's client tells of no `drain` any more. */
function write(sent: ClientRequest, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      sent.off('close', done)
      resolve()
    }
    sent.on('close', done)
    sent.write(chunk, done)
  })
}

async function answerOf(message: IncomingMessage): Promise<HandlerAnswer> {
  const headers = Object.entries(message.headersDistinct).map(
    ([name, values = []]) => [name, values.join(', ')] as const,
  )
  return {
    status: message.statusCode ?? 0,
    headers: Object.fromEntries(headers),
    body: await collectBody(message),
  }
}

function isBeingRead(message: IncomingMessage): boolean {
  const hasBegun =
    message.readableFlowing !== null || message.readableDidRead || message.listenerCount('readable') > 0
  return hasBegun && !message.readableEnded && !message.destroyed
}

/** A handler may answer first and go on reading, into a file for instance: the bytes must stay until it has done so. */
async function readToTheEnd(message: IncomingMessage | undefined, content: Content): Promise<void> {
  if (message === undefined || message.readableEnded || message.destroyed) return
  const over = new Promise<void>((resolve) => {
    message.once('end', resolve)
    message.once('close', resolve)
  })
  await Promise.race([over, content.untilOver()])
  // The last of what was read from the disk is still on its way.
  if (!content.isBeingRead) await Promise.race([over, delay(TAIL_MS, undefined, { ref: false })])
}

/** What `http` and handlers look for on a socket, and a plain stream does not have. */
function dress(stream: Duplex, facts: Readonly<Record<string, unknown>>): void {
  const same = (): Duplex => stream
  Object.assign(stream, facts, {
    setTimeout: same,
    setKeepAlive: same,
    setNoDelay: same,
    ref: same,
    unref: same,
  })
}
