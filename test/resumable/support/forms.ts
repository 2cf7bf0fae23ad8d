import type { Server } from 'node:http'
import { createServer } from 'node:http'
import { serve } from '@hono/node-server'
import { Elysia } from 'elysia'
import type { Request as ExpressRequest, Response as ExpressResponse } from 'express'
import express from 'express'
import fastifyOf from 'fastify'
import { H3 } from 'h3'
import { Hono } from 'hono'
import Koa from 'koa'
import type { ResumableForm, ResumableOptions } from '../../../src/node/resumable/index.ts'
import {
  expressResumable,
  fastifyResumable,
  koaResumable,
  resumable,
  resumableListener,
  resumedUpload,
} from '../../../src/node/resumable/index.ts'
import { serveFetch } from '../../conformance/serve-fetch.ts'
import type { Handling, Met } from './handling.ts'
import { contentOf } from './handling.ts'

/** Options that do not depend on the form. */
export type FormOptions = Omit<ResumableOptions<never>, 'onRequest'>

/** An app with a handler at `/photos` that is resumable, and `/other`, which is not. */
interface Opened {
  /** Not yet listening. */
  readonly server: Server
  readonly close: (waitMs?: number) => Promise<void>
}

export interface Form {
  readonly name: string
  /** What a handler throws is put into words by the framework, which shows more than we do. */
  readonly ownErrors?: true
  /** Its handler can go on after a restart without a client; with Fastify the app is up first. */
  open(handling: Handling, options: FormOptions): Promise<Opened>
}

const OTHER = 'the rest of the app\n'

export const FORMS: readonly Form[] = [
  {
    name: 'fetch',
    async open(handling, options) {
      const handler = async (request: Request): Promise<Response> =>
        new URL(request.url).pathname === '/other' ? new Response(OTHER) : answerRequest(handling, request)
      const served = await resumable(handler, options)
      return opened(serveFetch(served), served)
    },
  },
  {
    name: 'h3',
    ownErrors: true,
    async open(handling, options) {
      const app = new H3({ silent: true })
      app.get('/other', () => OTHER)
      app.post('/photos', (event) => answerRequest(handling, event.req))
      const served = await resumable((request: Request) => app.fetch(request), options)
      return opened(serveFetch(served), served)
    },
  },
  {
    name: 'Elysia',
    ownErrors: true,
    async open(handling, options) {
      const app = new Elysia()
      app.get('/other', () => OTHER)
      app.post('/photos', ({ request }) => answerRequest(handling, request), { parse: 'none' })
      const served = await resumable((request: Request) => app.handle(request), options)
      return opened(serveFetch(served), served)
    },
  },
  {
    name: 'node:http',
    async open(handling, options) {
      const served = await resumableListener(async (request, response) => {
        if (request.url === '/other') return response.end(OTHER)
        const { method = '', url = '', headers } = request
        const fields = headers as Met['headers']
        const {
          status,
          headers: own,
          body,
        } = await handling({
          method,
          url,
          headers: fields,
          upload: resumedUpload(request),
          ...(await contentOf(request)),
        })
        return response.writeHead(status, own).end(body)
      }, options)
      return opened(createServer(served), served)
    },
  },
  {
    name: 'Express, the whole app',
    ownErrors: true,
    async open(handling, options) {
      const app = express()
      app.get('/other', (_, response) => void response.send(OTHER))
      app.post('/photos', (request, response) => answerExpress(handling, request, response))
      const served = await resumableListener(app, options)
      return opened(createServer(served), served)
    },
  },
  {
    name: 'Express, one handler',
    async open(handling, options) {
      const app = express()
      const handler = (request: ExpressRequest, response: ExpressResponse): Promise<void> =>
        answerExpress(handling, request, response)
      const served = await expressResumable(app, handler, options)
      app.use('/photos', served)
      app.get('/other', (_, response) => void response.send(OTHER))
      return opened(createServer(app), served)
    },
  },
  {
    name: 'Koa',
    ownErrors: true,
    async open(handling, options) {
      const app = new Koa()
      app.silent = true
      const served = await koaResumable(
        app,
        async (ctx: Koa.Context) => {
          const { method, originalUrl: url } = ctx
          const { status, headers, body } = await handling({
            method,
            url,
            headers: ctx.headers as Met['headers'],
            upload: resumedUpload(ctx.req),
            ...(await contentOf(ctx.req)),
          })
          ctx.status = status
          ctx.set(headers ?? {})
          ctx.body = body ?? null
          if (ctx.status !== status) ctx.status = status
        },
        options,
      )
      app.use(served)
      app.use((ctx) => {
        if (ctx.path === '/other') ctx.body = OTHER
      })
      const listener = app.callback()
      return opened(
        createServer((request, response) => void listener(request, response)),
        served,
      )
    },
  },
  {
    name: 'Fastify',
    ownErrors: true,
    async open(handling, options) {
      const app = fastifyOf()
      await app.register(fastifyResumable(options))
      app.removeAllContentTypeParsers()
      app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
      app.get('/other', () => OTHER)
      app.post('/photos', async (request, reply) => {
        const { method, url, headers } = request
        const content = await contentOf(request.body as AsyncIterable<Uint8Array> | null)
        const {
          status,
          headers: own,
          body,
        } = await handling({
          method,
          url,
          headers: headers as Met['headers'],
          upload: resumedUpload(request.raw),
          ...content,
        })
        return reply
          .code(status)
          .headers(own ?? {})
          .send(body)
      })
      await app.ready()
      return { server: app.server, close: () => app.close() }
    },
  },
  {
    // The last one: its server replaces `Request` and `Response` of the whole process.
    name: 'Hono',
    ownErrors: true,
    async open(handling, options) {
      const app = new Hono()
      app.onError((_, c) => c.text('Internal Server Error', 500))
      app.get('/other', (c) => c.text(OTHER))
      app.all('/photos', (c) => answerRequest(handling, c.req.raw))
      const served = await resumable(app.fetch, options)
      let server: unknown
      const listening = new Promise((resolve) => {
        server = serve({ fetch: served, port: 0, hostname: '127.0.0.1' }, resolve)
      })
      await listening
      return opened(server as Server, served)
    },
  },
]

function opened(server: Server, form: ResumableForm): Opened {
  return { server, close: (waitMs) => form.close(waitMs) }
}

async function answerRequest(handling: Handling, request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const met = {
    method: request.method,
    url: `${pathname}${search}`,
    headers: Object.fromEntries(request.headers),
    upload: resumedUpload(request),
    ...(await contentOf(request.body)),
  }
  const { status, headers, body } = await handling(met)
  return new Response(body ?? null, { status, headers: { ...headers } })
}

async function answerExpress(
  handling: Handling,
  request: ExpressRequest,
  response: ExpressResponse,
): Promise<void> {
  const { method, originalUrl: url, headers } = request
  const content = await contentOf(request)
  const {
    status,
    headers: own,
    body,
  } = await handling({
    method,
    url,
    headers: headers as Met['headers'],
    upload: resumedUpload(request),
    ...content,
  })
  response
    .status(status)
    .set(own ?? {})
    .send(body)
}
