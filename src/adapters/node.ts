import type { Server as HttpServer } from 'node:http'
import type { Http2SecureServer, Http2Server } from 'node:http2'
import type { Handler } from '../server/handler.ts'
import { bodyConsumedReply } from './body-consumed.ts'
import type { NodeRequest, NodeResponse } from './node/exchange.ts'
import { NodeExchange } from './node/exchange.ts'
import { writeReply } from './node/reply.ts'

export type { NodeRequest, NodeResponse }

/** A listener for `http.createServer`, or a middleware: `next` is called for paths that are not ours. */
export type NodeListener = (request: NodeRequest, response: NodeResponse, next?: () => void) => void

type AnyServer = HttpServer | Http2Server | Http2SecureServer

/**
 * Makes a listener for Node's `http`, `https` and `http2` (compatibility API), also usable as a middleware.
 *
 * Node's own answer to `Expect: 100-continue` comes before any check; `attach` lets the handler decide instead.
 */
export function nodeListener(handler: Handler): NodeListener {
  return (request, response, next) => {
    void serve(handler, request, response, false, next)
  }
}

/**
 * Serves a handler on a server and sets the server up for uploads.
 *
 * `requestTimeout` is switched off, because Node's 300 s would end every long upload; the engine's idle timeout
 * and minimum rate take its place.
 */
export function attach(server: AnyServer, handler: Handler): void {
  server.on('request', (request: NodeRequest, response: NodeResponse) => {
    void serve(handler, request, response, false)
  })
  server.on('checkContinue', (request: NodeRequest, response: NodeResponse) => {
    void serve(handler, request, response, true)
  })
  if ('requestTimeout' in server) {
    server.requestTimeout = 0
    // Longer than proxies keep their connections, so that it is they who close idle ones.
    server.keepAliveTimeout = 75_000
  }
}

/** The latest response of each connection. */
const latest = new WeakMap<object, NodeResponse>()

/**
 * HTTP/1.1 answers in order, so a request that was sent behind another one waits until that one is answered. A HEAD
 * would otherwise stop the PATCH right before it, of which every byte is here.
 *
 * @returns `undefined` when there is nothing to wait for.
 */
function answerBefore(request: NodeRequest, response: NodeResponse): Promise<void> | undefined {
  if ('stream' in request) return undefined
  const before = latest.get(request.socket)
  latest.set(request.socket, response)
  if (before === undefined || before.writableFinished || before.destroyed) return undefined
  return new Promise((resolve) => void before.once('close', resolve))
}

async function serve(
  handler: Handler,
  request: NodeRequest,
  response: NodeResponse,
  expectsContinue: boolean,
  next?: () => void,
): Promise<void> {
  // Without a listener a reset connection would end the process.
  response.on('error', () => undefined)
  const before = answerBefore(request, response)
  if (before !== undefined) await before
  const exchange = new NodeExchange(request, response, expectsContinue)
  const outcome = await handler(exchange)
  if (outcome !== 'not-ours') {
    const reply = exchange.body.isRefused ? bodyConsumedReply(outcome) : outcome
    return reply === undefined ? undefined : writeReply(request, response, reply)
  }
  if (next !== undefined) return next()
  await writeReply(request, response, {
    status: 404,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': '10' },
    body: 'Not found\n',
  })
}
