import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { createAdaptorServer } from '@hono/node-server'
import express from 'express'
import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { H3 } from 'h3'
import { toNodeHandler } from 'h3/node'
import { Hono } from 'hono'
import Koa from 'koa'
import { describe, expect, test } from 'vitest'
import { expressUploads } from '../../src/adapters/express.ts'
import { fastifyUploads } from '../../src/adapters/fastify.ts'
import { h3Uploads } from '../../src/adapters/h3.ts'
import { honoUploads } from '../../src/adapters/hono.ts'
import { koaUploads } from '../../src/adapters/koa.ts'
import { nextUploads } from '../../src/adapters/next.ts'
import { svelteKitRoute } from '../../src/adapters/sveltekit.ts'
import type { Uploads } from '../../src/node/index.ts'
import { openUploads } from '../../src/node/index.ts'
import { afterTest } from '../e2e/support/after-test.ts'
import { temporaryDirectory } from '../e2e/support/temporary-directory.ts'
import type { Answer, Client } from './support/client.ts'
import { http1Client } from './support/client.ts'
import type { Running } from './support/stage.ts'
import { listening } from './support/stage.ts'

const TUS = { 'Tus-Resumable': '1.0.0' }

async function uploadsAt(path: string): Promise<Uploads> {
  const uploads = await openUploads({ dir: await temporaryDirectory(), path, durability: 'process' })
  afterTest(() => uploads.close(1000))
  return uploads
}

async function clientOf(running: Running | Promise<Running>): Promise<Client> {
  const { origin, stop } = await running
  const client = http1Client(origin)
  afterTest(stop)
  afterTest(() => client.close())
  return client
}

/** Uploads at a path and reads it back there. @returns The answer to the creation. */
async function roundTrip(client: Client, path: string): Promise<Answer> {
  const headers = { ...TUS, 'Content-Type': 'application/offset+octet-stream', 'Upload-Length': 5 }
  const created = await client.ask({ method: 'POST', path, headers, body: 'hello' })
  expect(created.status, created.body.toString()).toBe(201)
  const location = new URL(String(created.headers.location)).pathname
  expect(location.startsWith(path)).toBe(true)
  expect((await client.ask({ method: 'GET', path: location })).body.toString()).toBe('hello')
  return created
}

describe('Express', () => {
  const serve = (app: ReturnType<typeof express>): Promise<Client> => clientOf(listening(createServer(app)))

  test.each(['/', '/files', '/files/'])(
    'mounted at %s, the path stays that of openUploads',
    async (mount) => {
      const app = express()
      app.use(mount, expressUploads(await uploadsAt('/files/')))
      app.get('/hello', (_request, response) => void response.send('hello'))
      const client = await serve(app)
      await roundTrip(client, '/files/')
      expect((await client.ask({ method: 'GET', path: '/hello' })).body.toString()).toBe('hello')
    },
  )

  test('in a router below a router', async () => {
    const app = express()
    const inner = express.Router().use('/files', expressUploads(await uploadsAt('/api/v1/files/')))
    app.use('/api', express.Router().use('/v1', inner))
    await roundTrip(await serve(app), '/api/v1/files/')
  })

  test('mounted elsewhere than openUploads says, the app answers', async () => {
    const app = express()
    app.use('/other', expressUploads(await uploadsAt('/files/')))
    const answer = await (await serve(app)).ask({ method: 'POST', path: '/other/', headers: TUS })
    expect(answer.status).toBe(404)
    expect(answer.headers['tus-resumable']).toBeUndefined()
  })

  test('fields that the app has set are sent', async () => {
    const app = express()
    app.use((_request, response, next) => {
      response.setHeader('X-App', 'yes')
      next()
    })
    app.use(expressUploads(await uploadsAt('/files/')))
    expect((await roundTrip(await serve(app), '/files/')).headers['x-app']).toBe('yes')
  })
})

async function serveFastify(app: FastifyInstance): Promise<Client> {
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  const stop = async (): Promise<void> => {
    app.server.closeAllConnections()
    await app.close()
  }
  return clientOf({ origin, stop })
}

describe('Fastify', () => {
  test('without a prefix it is at the default path', async () => {
    const app = Fastify()
    await app.register(fastifyUploads(await uploadsAt('/files/')))
    app.get('/*', () => 'the rest')
    const client = await serveFastify(app)
    await roundTrip(client, '/files/')
    expect((await client.ask({ method: 'POST', path: '/files', headers: TUS })).status).toBe(400)
    expect((await client.ask({ method: 'GET', path: '/hello' })).body.toString()).toBe('the rest')
  })

  test('below the prefix of another plugin', async () => {
    const app = Fastify()
    const uploads = await uploadsAt('/api/files/')
    await app.register(
      async (api) => {
        await api.register(fastifyUploads(uploads), { prefix: '/files' })
        api.post('/echo', (request) => request.body)
      },
      { prefix: '/api' },
    )
    const client = await serveFastify(app)
    await roundTrip(client, '/api/files/')
    const headers = { 'Content-Type': 'application/json' }
    const echo = await client.ask({ method: 'POST', path: '/api/echo', headers, body: '{"a":1}' })
    expect(echo.body.toString()).toBe('{"a":1}')
  })

  test('hooks of the app guard uploads, add fields and hear of the end', async () => {
    const app = Fastify()
    const ended: number[] = []
    app.addHook('onRequest', async (_request, reply) => void reply.header('X-App', 'yes'))
    app.addHook('preHandler', async (request, reply) => {
      if (request.headers.authorization === undefined) await reply.code(401).send('who are you?')
    })
    app.addHook('onResponse', async (_request, reply) => void ended.push(reply.statusCode))
    await app.register(fastifyUploads(await uploadsAt('/files/')), { prefix: '/files' })
    const client = await serveFastify(app)
    const headers = { ...TUS, 'Upload-Length': 5 }
    const stranger = await client.ask({ method: 'POST', path: '/files/', headers })
    expect(stranger.status).toBe(401)
    const Authorization = 'Bearer x'
    const friend = await client.ask({
      method: 'POST',
      path: '/files/',
      headers: { ...headers, Authorization },
    })
    expect(friend.status).toBe(201)
    expect(friend.headers['x-app']).toBe('yes')
    await expect.poll(() => ended).toEqual([401, 201])
  })

  test('its time limit for handlers is not one for uploads', async () => {
    const app = Fastify({ handlerTimeout: 50 })
    await app.register(fastifyUploads(await uploadsAt('/files/')))
    const client = await serveFastify(app)
    const created = await client.ask({
      method: 'POST',
      path: '/files',
      headers: { ...TUS, 'Upload-Length': 10 },
    })
    const open = client.begin({
      method: 'PATCH',
      path: new URL(String(created.headers.location)).pathname,
      headers: {
        ...TUS,
        'Upload-Offset': 0,
        'Content-Length': 10,
        'Content-Type': 'application/offset+octet-stream',
      },
    })
    open.write(Buffer.from('hello'))
    await new Promise((resolve) => setTimeout(resolve, 200))
    open.write(Buffer.from('hello'))
    open.end()
    expect(await open.outcome).toMatchObject({ status: 204 })
  })
})

describe('Koa', () => {
  function serve(app: Koa): Promise<Client> {
    const handle = app.callback()
    return clientOf(listening(createServer((request, response) => void handle(request, response))))
  }

  test('below a mount, with fields that the app has set, seen by the middlewares around it', async () => {
    const app = new Koa()
    const seen: unknown[] = []
    app.use(async (context, next) => {
      context.set('X-App', 'yes')
      await next()
      // `respond`: or Koa would answer once more where the connection is gone.
      seen.push([context.res.statusCode, context.respond])
    })
    // What koa-mount does.
    app.use((context, next) => {
      context.path = context.path.replace(/^\/files/, '') || '/'
      return next()
    })
    app.use(koaUploads(await uploadsAt('/files/')))
    const answer = await roundTrip(await serve(app), '/files/')
    expect(answer.headers['x-app']).toBe('yes')
    await expect
      .poll(() => seen)
      .toEqual([
        [201, false],
        [200, false],
      ])
  })

  test('an error of the rest of the app is Koa’s', async () => {
    const app = new Koa()
    app.silent = true
    app.use(koaUploads(await uploadsAt('/files/')))
    app.use(async (context) => {
      await json(context.req)
      throw new Error('of the app')
    })
    const asked = { method: 'POST', path: '/', body: '{}' }
    expect((await (await serve(app)).ask(asked)).status).toBe(500)
  })
})

describe('Hono', () => {
  test('below a route of another app, with fields of other middlewares', async () => {
    const files = new Hono()
    files.use(async (context, next) => {
      context.res.headers.set('X-Before', 'yes')
      await next()
      context.res.headers.set('X-After', 'yes')
    })
    files.use(honoUploads(await uploadsAt('/api/files/')))
    const app = new Hono().basePath('/api').route('/files', files)
    const { fetch } = app
    const client = await clientOf(listening(createAdaptorServer({ fetch, overrideGlobalObjects: false })))
    const { headers } = await roundTrip(client, '/api/files/')
    expect(headers).toMatchObject({ 'x-before': 'yes', 'x-after': 'yes' })
  })
})

describe('h3', () => {
  const serve = (app: H3): Promise<Client> => clientOf(listening(createServer(toNodeHandler(app))))

  test('as a route, with fields of other middlewares', async () => {
    const app = new H3()
    app.use((event) => event.res.headers.set('X-App', 'yes'))
    const handler = h3Uploads(await uploadsAt('/files/'))
    app.all('/files', handler).all('/files/**', handler)
    expect((await roundTrip(await serve(app), '/files/')).headers['x-app']).toBe('yes')
  })

  test('mounted, and as a route for a path that it does not know', async () => {
    const handler = h3Uploads(await uploadsAt('/api/files/'))
    const app = new H3().mount('/api', new H3().use(handler)).all('/elsewhere', handler)
    const client = await serve(app)
    await roundTrip(client, '/api/files/')
    expect((await client.ask({ method: 'GET', path: '/elsewhere' })).status).toBe(404)
  })

  test('where something holds the web stream of the body, the upload goes through it', async () => {
    const app = new H3()
    app.use((event) => void event.req.body)
    app.use(h3Uploads(await uploadsAt('/files/')))
    await roundTrip(await serve(app), '/files/')
  })
})

describe('handlers of routes that are called for a path that is not ours', () => {
  const foreign = new Request('http://127.0.0.1/elsewhere')

  test('Next', async () => {
    const { GET } = nextUploads(await uploadsAt('/files/'))
    expect((await GET(foreign)).status).toBe(404)
  })

  test('SvelteKit', async () => {
    const { GET } = svelteKitRoute(await uploadsAt('/files/'))
    const answer = await GET({ request: foreign, getClientAddress: () => '127.0.0.1' })
    expect(answer.status).toBe(404)
  })
})
