import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from '../../adapters/fastify.ts'
import type { NodeRequest } from '../../adapters/node.ts'
import { headOf, oursOf } from './listener.ts'
import { nodeCall } from './node-call.ts'
import { openRoute } from './open-route.ts'
import type { ResumableOptions } from './options.ts'
import { checkOptions } from './options.ts'
import type { Route } from './route.ts'

/** What is used of Fastify's instance. */
export interface ResumableFastify {
  routing(request: IncomingMessage, response: ServerResponse): void
  addHook(name: 'onReady' | 'onClose', hook: () => Promise<void>): unknown
  addHook(
    name: 'onRequest',
    hook: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>,
  ): unknown
}

export type ResumableFastifyPlugin = (fastify: ResumableFastify) => Promise<void>

/**
 * Lets clients that speak tus resume their uploads to a route of a Fastify app:
 * `await app.register(fastifyResumable({ dir, path: '/photos' }))`, before the routes; `app.post('/photos', …)` stays as
 * it is.
 *
 * Hooks that were added before see every request of an upload. When an upload is whole its request goes through the
 * whole app like one that came in: a hook that looks for a session must let requests pass for which
 * {@link resumedUpload} tells something of `request.raw`. See {@link resumableListener} for the rest.
 *
 * @throws {TypeError} for options that make no sense.
 */
export function fastifyResumable(options: ResumableOptions<NodeRequest>): ResumableFastifyPlugin {
  const checked = checkOptions(options)
  const plugin: ResumableFastifyPlugin = async (fastify) => {
    let route: Route | undefined
    const call = nodeCall((request, response) => fastify.routing(request, response))
    // Not before every route is there: uploads of an earlier run go to their handlers at once.
    fastify.addHook('onReady', async () => {
      route = await openRoute(checked, call)
    })
    fastify.addHook('onClose', async () => route?.close())
    fastify.addHook('onRequest', async ({ raw }, reply) => {
      if (route === undefined || (await route.whose(headOf(raw))) !== 'ours') return undefined
      for (const [name, value] of Object.entries(reply.getHeaders())) {
        if (value !== undefined) reply.raw.setHeader(name, value)
      }
      reply.hijack()
      oursOf(route)(raw, reply.raw)
      return reply
    })
  }
  // The hook is for the whole app: nobody should have to know where the routes of tus are.
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true })
}
