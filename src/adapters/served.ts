import type { FetchHandler } from './fetch.ts'
import type { NodeListener, NodeRequest, NodeResponse } from './node.ts'

/** What an adapter for a framework on Node serves: the object of `openUploads`, or a listener. */
export type ServedByNode = { readonly listener: NodeListener } | NodeListener

/** What an adapter for `Request → Response` serves: the object of `openUploads`, or a handler. */
export type ServedByFetch = { readonly fetch: FetchHandler } | FetchHandler

/** Of frameworks that run on Node and elsewhere: on Node the listener is used where there is one. */
export type ServedByBoth = { readonly fetch: FetchHandler; readonly listener?: NodeListener } | FetchHandler

/** Request and response of Node below a framework that speaks `Request → Response`. */
export interface NodePair {
  readonly request: NodeRequest
  readonly response: NodeResponse
}

export function listenerOf(served: ServedByNode): NodeListener {
  return typeof served === 'function' ? served : served.listener
}

export function fetchOf(served: ServedByFetch): FetchHandler {
  return typeof served === 'function' ? served : served.fetch
}

/**
 * Lets a listener answer, for frameworks that wait for a promise.
 *
 * @returns Once the answer is over, whether there was one: `false` for a path that is not ours.
 */
export function answered(listener: NodeListener, { request, response }: NodePair): Promise<boolean> {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve(true)
    response.once('close', () => resolve(true))
    listener(request, response, () => resolve(false))
  })
}

/**
 * The listener below a framework that speaks `Request → Response`, where it may be used: on Node it can do more than
 * a `Request` (trailers, resets), and keeps what has arrived when a connection breaks.
 *
 * @returns `undefined` where there is none, and where something reads the body as a web stream already: two readers
 *   would hold each other up.
 */
export function nodeWay(served: ServedByBoth, pair: NodePair | undefined): NodeListener | undefined {
  if (typeof served === 'function' || pair?.request.readableFlowing !== null) return undefined
  return served.listener
}

/** Takes Node's request and response out of what a framework calls its environment. */
export function nodePairOf(request: unknown, response: unknown): NodePair | undefined {
  const isPair = isObject(request) && 'rawHeaders' in request && isObject(response) && 'writeHead' in response
  return isPair ? { request: request as NodeRequest, response: response as NodeResponse } : undefined
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
