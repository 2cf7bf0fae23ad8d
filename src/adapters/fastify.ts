import type { NodeListener, NodeRequest, NodeResponse } from './node.ts'
import type { ServedByNode } from './served.ts'
import { listenerOf } from './served.ts'

/** What is used of Fastify's instance; a plugin gets one of its own, so nothing of this changes the app. */
export interface FastifyScope {
  readonly prefix: string
  removeAllContentTypeParsers(): unknown
  addContentTypeParser(
    contentType: string,
    parser: (request: unknown, payload: unknown, done: (error: Error | null, body?: unknown) => void) => void,
  ): unknown
  all(path: string, handler: (request: FastifyRequest, reply: FastifyReply) => void): unknown
  register(plugin: FastifyPlugin, options: { readonly prefix: string }): unknown
}

export interface FastifyRequest {
  readonly raw: NodeRequest
}

export interface FastifyReply {
  readonly raw: NodeResponse
  getHeaders(): Readonly<Record<string, number | string | string[] | undefined>>
  hijack(): unknown
}

export type FastifyPlugin = (fastify: FastifyScope, options: object, done: (error?: Error) => void) => void

/**
 * Serves uploads in a Fastify app: `app.register(fastifyUploads(uploads), { prefix: '/files' })`.
 *
 * The prefix says to Fastify what `path` says to `openUploads`; without one it is the default path. Hooks of the app
 * run as usual up to `preHandler`, and the fields that they set with `reply.header` are sent. The content-type
 * parsers of the app do not see the requests: their bodies are read straight from Node's request.
 */
export function fastifyUploads(uploads: ServedByNode): FastifyPlugin {
  const listener = listenerOf(uploads)
  const plugin: FastifyPlugin = (fastify, _options, done) => {
    if (fastify.prefix === '') fastify.register(plugin, { prefix: '/files' })
    else addRoutes(fastify, listener)
    done()
  }
  return plugin
}

function addRoutes(fastify: FastifyScope, listener: NodeListener): void {
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null))
  for (const path of ['/', '/*']) {
    fastify.all(path, ({ raw: request }, reply) => {
      for (const [name, value] of Object.entries(reply.getHeaders())) {
        if (value !== undefined) reply.raw.setHeader(name, value)
      }
      reply.hijack()
      listener(request, reply.raw)
    })
  }
}
