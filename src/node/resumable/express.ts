import type { IncomingMessage, ServerResponse } from 'node:http'
import type { NodeRequest } from '../../adapters/node.ts'
import type { RequestListener, ResumableListener } from './listener.ts'
import { openListener, remount } from './listener.ts'
import { nodeCall } from './node-call.ts'
import type { ResumableOptions } from './options.ts'
import { checkHandler } from './options.ts'

/** What is used of an Express app (4 or 5): what it makes of requests and responses. */
export interface ExpressApp {
  readonly request: object
  readonly response: object
}

type Next = (error?: unknown) => void

/** Generic, so that it fits Express's own types of requests and responses. */
export type ExpressHandler<Request, Response> = (request: Request, response: Response, next: Next) => unknown

/**
 * Lets clients that speak tus resume their uploads to a handler or router of Express:
 * `app.use('/photos', await expressResumable(app, handler, { dir, path: '/photos' }))`.
 *
 * Middleware before it sees every request of an upload, as it sees plain ones, and what it puts on the request is there
 * in `onRequest`. The handler itself is called later, with a request that no middleware has seen: it gets Express's
 * `req` and `res`, and what {@link resumedUpload} tells. See {@link resumableListener} for the rest.
 *
 * @throws {TypeError} for options that make no sense.
 */
export async function expressResumable<Request extends object, Response extends object>(
  app: ExpressApp,
  handler: ExpressHandler<Request, Response>,
  options: ResumableOptions<Request & NodeRequest>,
): Promise<ResumableListener> {
  checkHandler(handler)
  if (typeof app !== 'function') throw new TypeError('expressResumable needs the Express app')
  const listener = handler as unknown as RequestListener
  const call = nodeCall((request, response, fail, ordinary) => {
    remount(request, ordinary)
    const next: Next = (error) => passOn(response, fail, error)
    expressify(app, request, response, next)
    Promise.resolve(listener(request, response, next)).catch(next)
  })
  return openListener(options as unknown as ResumableOptions<NodeRequest>, listener, call)
}

/** As Express itself does at the beginning of a request. */
function expressify(app: ExpressApp, request: IncomingMessage, response: ServerResponse, next: Next): void {
  Object.setPrototypeOf(request, app.request)
  Object.setPrototypeOf(response, app.response)
  const originalUrl = (request as { readonly originalUrl?: unknown }).originalUrl ?? request.url
  Object.assign(request, { res: response, next, originalUrl })
  Object.assign(response, { req: request, locals: Object.create(null) as object })
}

/** Errors that say they are the client's (`createError(422)`) are an answer, as with Express's own error handler. */
function passOn(response: ServerResponse, fail: (error: unknown) => void, error: unknown): void {
  const isNothing = error === undefined || error === 'route' || error === 'router'
  const status = isNothing ? 404 : statusOf(error)
  if (status === undefined || response.headersSent) return fail(error)
  const message = error instanceof Error ? error.message : 'Not found'
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${message}\n`)
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { status, statusCode, expose } = error as Record<'status' | 'statusCode' | 'expose', unknown>
  const given = status ?? statusCode
  return typeof given === 'number' && given >= 400 && given < 500 && expose !== false ? given : undefined
}
