import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import type { FetchHandler } from '../../src/adapters/fetch.ts'

/** Serves a `Request → Response` handler on Node, in the way runtimes of that kind do it. */
export function serveFetch(handler: FetchHandler): Server {
  const server = createServer((request, response) => void answer(handler, request, response, false))
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    void answer(handler, request, response, true)
  })
  server.requestTimeout = 0
  return server
}

async function answer(
  handler: FetchHandler,
  message: IncomingMessage,
  response: ServerResponse,
  expectsContinue: boolean,
): Promise<void> {
  const controller = new AbortController()
  response.on('close', () => controller.abort())
  message.on('error', () => undefined)
  let request: Request
  try {
    request = toRequest(message, controller.signal, () => {
      if (expectsContinue && !response.headersSent) response.writeContinue()
    })
  } catch {
    response.writeHead(400, { Connection: 'close' }).end()
    return
  }
  const result = (await handler(request)) ?? new Response('Not found\n', { status: 404 })
  if (response.destroyed) return
  const headers = Object.fromEntries(result.headers)
  const isEarly = !message.complete
  response.writeHead(
    result.status,
    result.statusText,
    isEarly ? { ...headers, Connection: 'close' } : headers,
  )
  response.flushHeaders()
  for await (const chunk of result.body ?? []) response.write(chunk)
  if (isEarly) await drained(message)
  response.end()
}

function toRequest(message: IncomingMessage, signal: AbortSignal, onRead: () => void): Request {
  const { method = 'GET', url = '/', headers } = message
  const list = new Headers()
  for (const [name, values] of Object.entries(message.headersDistinct)) {
    for (const value of values ?? []) list.append(name, value)
  }
  const target = new URL(url, `http://${headers.host ?? 'localhost'}`)
  const hasBody =
    method !== 'GET' &&
    method !== 'HEAD' &&
    (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0)
  const body = hasBody ? lazily(message, onRead) : null
  // `duplex` is missing in the types of the DOM.
  const init: RequestInit & { duplex: 'half' } = { method, headers: list, body, signal, duplex: 'half' }
  return new Request(target, init)
}

/** A stream that asks for the body (`100 Continue`) only when somebody reads it. */
function lazily(message: IncomingMessage, onRead: () => void): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (reader === undefined) onRead()
        reader ??= Readable.toWeb(message).getReader() as ReadableStreamDefaultReader<Uint8Array>
        const next = await reader.read()
        if (next.done) controller.close()
        else controller.enqueue(new Uint8Array(next.value))
      },
    },
    { highWaterMark: 0 },
  )
}

function drained(message: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 300).unref()
    message.on('close', resolve)
    message.on('end', resolve)
    message.resume()
  })
}
