import type { IncomingMessage, ServerResponse } from 'node:http'
import type { KoaContext } from '../../adapters/koa.ts'
import type { NodeRequest } from '../../adapters/node.ts'
import { answered } from '../../adapters/served.ts'
import type { ResumableForm } from './form.ts'
import { headOf, oursOf, remount } from './listener.ts'
import { nodeCall } from './node-call.ts'
import { openRoute } from './open-route.ts'
import type { ResumableOptions } from './options.ts'
import { checkHandler, checkOptions } from './options.ts'

/** What is used of a Koa app. */
export interface KoaApp {
  callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>
}

type KoaNext = () => Promise<unknown>

/** Generic, so that it fits Koa's own type of context. */
export type KoaHandler<Context> = (context: Context, next: KoaNext) => unknown

export interface KoaResumable<Context> extends ResumableForm {
  (context: Context, next: KoaNext): Promise<unknown>
}

/**
 * Lets clients that speak tus resume their uploads to a middleware of Koa:
 * `app.use(await koaResumable(app, handler, { dir, path: '/photos' }))`.
 *
 * The handler gets the plain requests to the path and below it; the next middleware gets every other path. Middleware
 * before it sees every request of an upload, as it sees plain ones. The handler itself is called later, with a context
 * that no middleware has seen, and what {@link resumedUpload} tells of `ctx.req`. See {@link resumableListener} for the
 * rest.
 *
 * @throws {TypeError} for options that make no sense.
 */
export async function koaResumable<Context extends KoaContext>(
  app: KoaApp,
  handler: KoaHandler<Context>,
  options: ResumableOptions<NodeRequest>,
): Promise<KoaResumable<Context>> {
  checkHandler(handler)
  const checked = checkOptions(options)
  if (typeof (app as Partial<KoaApp> | undefined)?.callback !== 'function')
    throw new TypeError('koaResumable needs the Koa app')
  const call = nodeCall((request, response, fail, ordinary) => {
    remount(request, ordinary)
    const first = (context: Context, next: KoaNext): unknown =>
      handler(Object.assign(context, { originalUrl: ordinary.target }), next)
    // The app with nothing in it but the handler: settings, context and error listeners are the app's.
    const alone = Object.assign(Object.create(app) as KoaApp, { middleware: [first] })
    alone.callback()(request, response).catch(fail)
  })
  const route = await openRoute(checked, call)
  const ours = oursOf(route)
  const middleware = async (context: Context, next: KoaNext): Promise<unknown> => {
    const { req: request, res: response, originalUrl } = context
    Object.assign(request, { originalUrl })
    const whose = await route.whose(headOf(request))
    if (whose === 'elsewhere') return next()
    if (whose === 'plain') return handler(context, next)
    await answered(ours, { request, response })
    // The answer is written; Koa must not add one of its own.
    context.respond = false
    return undefined
  }
  return Object.assign(middleware, {
    engine: route.engine,
    close: (waitMs?: number) => route.close(waitMs),
  })
}
