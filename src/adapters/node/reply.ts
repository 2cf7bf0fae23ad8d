import type { ServerResponse } from 'node:http'
import type { Reply } from '../../server/exchange.ts'
import type { NodeRequest, NodeResponse } from './exchange.ts'

/** A client that is still sending gets this much time to notice the answer before the connection is closed. */
const DRAIN_MS = 1000
const DRAIN_BYTES = 4 * 1024 * 1024

/** Writes an answer. Never rejects: a client that has gone away is nobody's error. */
export async function writeReply(
  request: NodeRequest,
  nodeResponse: NodeResponse,
  reply: Reply,
): Promise<void> {
  // The compatibility API of HTTP/2 has the same methods; only their types differ.
  const response = nodeResponse as ServerResponse
  if (response.destroyed || response.headersSent) return
  const isEarly = request.httpVersionMajor === 1 && !request.complete
  // Answered before the body was read: on a connection kept alive the client would go on sending into nothing.
  const headers = isEarly ? { ...reply.headers, Connection: 'close' } : reply.headers
  writeHead(response, reply, headers)
  const body = request.method === 'HEAD' ? undefined : reply.body
  if (typeof body === 'object') await writeStream(response, body)
  else if (isEarly) await drainThenEnd(request, response, body)
  else response.end(body)
}

function writeHead(response: ServerResponse, reply: Reply, headers: Readonly<Record<string, string>>): void {
  if ('stream' in response || reply.statusText === undefined) response.writeHead(reply.status, headers)
  else response.writeHead(reply.status, reply.statusText, headers)
}

/** By hand rather than by `pipeline`, so that an abort on either side is seen where it happens. */
async function writeStream(response: ServerResponse, body: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of body) {
      if (response.destroyed) return
      if (!response.write(chunk)) await roomIn(response)
    }
    response.end()
  } catch {
    // The head is sent: only a broken connection can tell the client that bytes are missing.
    response.destroy()
  }
}

function roomIn(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}

/**
 * Sends the answer at once, but reads on for a moment before the connection closes: closing with unread bytes
 * sends a reset, which can overtake the answer and leave the client with a broken pipe instead of a reason.
 */
async function drainThenEnd(
  request: NodeRequest,
  response: ServerResponse,
  body: string | undefined,
): Promise<void> {
  if (body === undefined) response.flushHeaders()
  else response.write(body)
  await new Promise<void>((resolve) => {
    let drainedBytes = 0
    const timer = setTimeout(resolve, DRAIN_MS)
    timer.unref()
    request.on('data', (chunk: Uint8Array) => {
      drainedBytes += chunk.length
      if (drainedBytes > DRAIN_BYTES) resolve()
    })
    request.on('end', resolve)
    request.on('close', resolve)
    request.on('error', () => resolve())
    request.resume()
  })
  response.end()
}
