import { createServer } from 'node:http'
import { buffer, json } from 'node:stream/consumers'
import { createAdaptorServer } from '@hono/node-server'
import { Elysia } from 'elysia'
import express from 'express'
import Fastify from 'fastify'
import { H3 } from 'h3'
import { toNodeHandler } from 'h3/node'
import { Hono } from 'hono'
import Koa from 'koa'
import { elysiaUploads } from '../../../src/adapters/elysia.ts'
import { expressUploads } from '../../../src/adapters/express.ts'
import { fastifyUploads } from '../../../src/adapters/fastify.ts'
import { h3Uploads } from '../../../src/adapters/h3.ts'
import { honoUploads } from '../../../src/adapters/hono.ts'
import { koaUploads } from '../../../src/adapters/koa.ts'
import type { Uploads } from '../../../src/node/index.ts'
import type { Running, Stage } from './stage.ts'
import { HELLO, listening } from './stage.ts'

function startExpress(uploads: Uploads, parsesFirst: boolean): Promise<Running> {
  const app = express()
  if (parsesFirst) app.use(express.raw({ type: '*/*', limit: '50mb' }))
  app.use(expressUploads(uploads))
  app.use(express.json())
  app.get('/hello', (_request, response) => void response.send(HELLO))
  app.post('/echo', (request, response) => void response.json(request.body))
  return listening(createServer(app))
}

async function startFastify(uploads: Uploads, parsesFirst: boolean): Promise<Running> {
  const app = Fastify()
  if (parsesFirst) {
    app.addHook('preParsing', async (_request, _reply, payload) => {
      await buffer(payload)
    })
  }
  await app.register(fastifyUploads(uploads), { prefix: '/files' })
  app.get('/hello', () => HELLO)
  app.post('/echo', (request) => request.body)
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  return {
    origin,
    stop() {
      app.server.closeAllConnections()
      return app.close()
    },
  }
}

function startKoa(uploads: Uploads, parsesFirst: boolean): Promise<Running> {
  const app = new Koa()
  if (parsesFirst) {
    app.use(async (context, next) => {
      await buffer(context.req)
      await next()
    })
  }
  app.use(koaUploads(uploads))
  app.use(async (context) => {
    if (context.path === '/hello') context.body = HELLO
    if (context.path === '/echo') context.body = await json(context.req)
  })
  // Koa prints every error of a connection that a test breaks off.
  app.silent = true
  const handle = app.callback()
  return listening(createServer((request, response) => void handle(request, response)))
}

/** `@hono/node-server` would put its own `Response` in the place of the global one, which h3 in the same process trips over. */
const onNode = (fetch: (request: Request) => Response | Promise<Response>): Promise<Running> =>
  listening(createAdaptorServer({ fetch, overrideGlobalObjects: false }))

function startHono(uploads: Uploads, parsesFirst: boolean): Promise<Running> {
  const app = new Hono()
  if (parsesFirst) {
    app.use(async (context, next) => {
      await context.req.arrayBuffer()
      await next()
    })
  }
  app.use(honoUploads(uploads))
  app.get('/hello', (context) => context.text(HELLO))
  app.post('/echo', async (context) => context.json(await context.req.json()))
  return onNode(app.fetch)
}

function startH3(uploads: Uploads, parsesFirst: boolean): Promise<Running> {
  const app = new H3()
  if (parsesFirst) {
    app.use(async (event) => {
      await event.req.arrayBuffer()
    })
  }
  app.use(h3Uploads(uploads))
  app.get('/hello', () => HELLO)
  app.post('/echo', (event) => event.req.json())
  return listening(createServer(toNodeHandler(app)))
}

function startElysia(uploads: Uploads, parsesFirst: boolean): Promise<Running> {
  const app = new Elysia()
  if (parsesFirst) {
    app.onRequest(async ({ request }) => {
      await request.arrayBuffer()
    })
  }
  app
    .onRequest(elysiaUploads(uploads))
    .get('/hello', () => HELLO)
    .post('/echo', ({ body }) => body)
  return onNode(app.fetch)
}

export const FRAMEWORK_STAGES: readonly Stage[] = [
  { name: 'Express', adapter: 'express', onNode: true, start: startExpress },
  { name: 'Fastify', adapter: 'fastify', onNode: true, start: startFastify },
  { name: 'Koa', adapter: 'koa', onNode: true, start: startKoa },
  { name: 'Hono', adapter: 'hono', onNode: false, start: startHono },
  { name: 'h3 2', adapter: 'h3', onNode: true, start: startH3 },
  { name: 'Elysia', adapter: 'elysia', onNode: false, start: startElysia },
]
