import type { IncomingMessage, ServerResponse } from 'node:http'
import type { NodeListener, NodeRequest, NodeResponse } from '../../adapters/node.ts'
import { nodeListener } from '../../adapters/node.ts'
import { asking } from './asked.ts'
import type { ResumableForm } from './form.ts'
import type { HandlerCall } from './handler-call.ts'
import { nodeCall } from './node-call.ts'
import { openRoute } from './open-route.ts'
import type { ResumableOptions } from './options.ts'
import { checkHandler, checkOptions } from './options.ts'
import type { Circumstances, OrdinaryRequest } from './ordinary-request.ts'
import type { RequestHead, Route, Whose } from './route.ts'

type Next = (error?: unknown) => void

/** A listener of Node's `http`. Nothing is behind it when it is called for a resumed upload. */
export type RequestListener = (request: IncomingMessage, response: ServerResponse, next?: Next) => unknown

/** The same listener, resumable; as a middleware it calls `next` for everything outside of its path. */
export interface ResumableListener extends ResumableForm {
  (request: NodeRequest, response: NodeResponse, next?: Next): unknown
}

/**
 * Lets clients that speak tus resume their uploads to a listener of Node's `http`: a function of your own, or a whole
 * app of any framework that has one (`createServer(await resumableListener(app, …))`).
 *
 * Every other request goes to the listener untouched. Once an upload is whole the listener is called with a request that
 * looks like a plain one; its answer goes to the client and is stored for a client that loses it. The listener is called
 * by one attempt at a time, again after a crash, a failure or a 5xx answer, and never again once another answer is
 * stored. {@link resumedUpload} tells more about such a request.
 *
 * @throws {TypeError} for options that make no sense.
 * @throws when the directory cannot be written or was written by a newer version.
 */
export async function resumableListener(
  listener: RequestListener,
  options: ResumableOptions<NodeRequest>,
): Promise<ResumableListener> {
  checkHandler(listener)
  const call = nodeCall((request, response, fail, ordinary) => {
    remount(request, ordinary)
    // Async listeners reject, others throw.
    Promise.resolve(listener(request, response)).catch(fail)
  })
  return openListener(options, listener, call)
}

/** Makes the listener of a route, whatever way its handler is called for a resumed upload. */
export async function openListener(
  options: ResumableOptions<NodeRequest>,
  listener: RequestListener,
  call: HandlerCall,
): Promise<ResumableListener> {
  const route = await openRoute(checkOptions(options), call)
  const ours = oursOf(route)
  const answer = (request: NodeRequest, response: NodeResponse, next?: Next): unknown => {
    const settle = (whose: Whose): unknown => {
      if (whose === 'ours') return ours(request, response, next)
      if (whose === 'elsewhere' && next !== undefined) return next()
      // Listeners for HTTP/2 know what they get. Express looks whether there is a `next`.
      const [message, reply] = [request as IncomingMessage, response as ServerResponse]
      return next === undefined ? listener(message, reply) : listener(message, reply, next)
    }
    const whose = route.whose(headOf(request))
    return typeof whose === 'string' ? settle(whose) : whose.then(settle)
  }
  return Object.assign(answer, { engine: route.engine, close: (waitMs?: number) => route.close(waitMs) })
}

/** Serves the requests of a route that are ours. */
export function oursOf(route: Pick<Route, 'serve'>): NodeListener {
  const listener = nodeListener(route.serve)
  return (request, response, next) =>
    asking({ raw: request, circumstances: circumstancesOf(request) }, () => listener(request, response, next))
}

export function headOf(request: NodeRequest): RequestHead {
  return {
    method: request.method ?? '',
    target: wholeTarget(request),
    header: (name) => {
      const value = request.headers[name]
      return typeof value === 'object' ? value.join(', ') : value
    },
  }
}

/** Express and its like take the path that a handler is mounted at off the URL. */
export function remount(request: IncomingMessage, { mount, target }: OrdinaryRequest): void {
  if (mount === undefined) return
  Object.assign(request, { url: mount.url, baseUrl: mount.baseUrl, originalUrl: target })
}

function circumstancesOf(request: NodeRequest): Circumstances {
  const { socket, url = '/' } = request
  const { originalUrl, baseUrl } = request as { readonly originalUrl?: unknown; readonly baseUrl?: unknown }
  const isMounted = typeof originalUrl === 'string' && originalUrl !== url
  return {
    host: request.headers.host ?? authorityOf(request),
    isSecure: 'encrypted' in socket && socket.encrypted,
    peerAddress: socket.remoteAddress,
    mount: isMounted ? { url, baseUrl: typeof baseUrl === 'string' ? baseUrl : '' } : undefined,
  }
}

function authorityOf(request: NodeRequest): string | undefined {
  const authority = request.headers[':authority']
  return typeof authority === 'string' ? authority : undefined
}

function wholeTarget(request: NodeRequest): string {
  const { originalUrl } = request as { readonly originalUrl?: unknown }
  return typeof originalUrl === 'string' ? originalUrl : (request.url ?? '')
}
