import type { Server } from 'node:http'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Express, NextFunction, Request as ExpressRequest, Response as ExpressResponse } from 'express'
import express from 'express'
import fastifyOf from 'fastify'
import Koa from 'koa'
import { describe, expect, test } from 'vitest'
import type { ResumableForm } from '../../src/node/resumable/index.ts'
import {
  expressResumable,
  fastifyResumable,
  koaResumable,
  resumableListener,
  resumedUpload,
} from '../../src/node/resumable/index.ts'
import { afterTest } from '../e2e/support/after-test.ts'
import { HttpClient } from '../e2e/support/http-client.ts'
import { temporaryDirectory } from '../e2e/support/temporary-directory.ts'
import { until } from '../e2e/support/until.ts'
import { FORMS } from './support/forms.ts'
import { report } from './support/handling.ts'
import { served } from './support/served.ts'

const FOUR = Buffer.from('four')
const NOTHING = new Uint8Array(0)

interface Listening {
  readonly origin: string
  readonly client: HttpClient
}

async function listening(server: Server, form?: ResumableForm): Promise<Listening> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = new HttpClient()
  afterTest(async () => {
    client.close()
    server.close()
    server.closeAllConnections()
    await form?.close(1000)
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, client }
}

type Handler = (request: ExpressRequest, response: ExpressResponse, next: NextFunction) => unknown

async function expressApp(
  handler: Handler,
  prepare: (app: Express) => unknown = () => undefined,
): Promise<Listening> {
  const app = express()
  app.set('trust proxy', true)
  prepare(app)
  const options = { dir: await temporaryDirectory(), path: '/photos' }
  const photos = await expressResumable(app, handler, options)
  app.use('/photos', photos)
  return listening(createServer(app), photos)
}

async function resumed({ client, origin }: Listening, target = '/photos'): ReturnType<HttpClient['patch']> {
  const fields = { 'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Proto': 'https' }
  const upload = await client.create(`${origin}${target}`, 4, fields)
  return client.patch(upload, 0, FOUR)
}

function plain({ client, origin }: Listening, target = '/photos'): ReturnType<HttpClient['ask']> {
  const headers = {
    'X-Forwarded-For': '203.0.113.7',
    'X-Forwarded-Proto': 'https',
    'Content-Type': 'application/octet-stream',
  }
  return client.ask({ method: 'POST', url: `${origin}${target}`, headers, body: FOUR })
}

describe('Express', () => {
  test('a handler sees the same in a resumed request as in a plain one', async () => {
    const app = await expressApp((request, response) => {
      response.locals['seen'] = true
      const { url, originalUrl, baseUrl, path, query, protocol, ip, hostname, method } = request
      const seen = { url, originalUrl, baseUrl, path, query, protocol, ip, hostname, method }
      response.status(201).json({ ...seen, app: typeof request.app, own: request.res === response })
    })
    const [one, other] = [await plain(app, '/photos?a[]=1&a[]=2'), await resumed(app, '/photos?a[]=1&a[]=2')]
    expect([one.status, other.status]).toEqual([201, 201])
    expect(JSON.parse(other.body.toString())).toEqual(JSON.parse(one.body.toString()))
    expect(JSON.parse(other.body.toString())).toMatchObject({
      url: '/?a[]=1&a[]=2',
      originalUrl: '/photos?a[]=1&a[]=2',
      baseUrl: '/photos',
      protocol: 'https',
      ip: '203.0.113.7',
    })
  })

  test('a router can be the handler', async () => {
    const router = express.Router()
    router.get('/:name', (request, response) => void response.send(`photo ${request.params.name}`))
    router.post('/', express.text({ type: '*/*' }), (request, response) => void response.send(request.body))
    const app = await expressApp(router)
    expect((await resumed(app)).body.toString()).toBe('four')
    expect((await plain(app)).body.toString()).toBe('four')
    expect(await (await fetch(`${app.origin}/photos/cat`)).text()).toBe('photo cat')
  })

  test.each<[string, Handler, number, string]>([
    ['next()', (_, __, next) => next(), 404, 'Not found\n'],
    [
      'a 422',
      (_, __, next) => next(Object.assign(new Error('too blue'), { status: 422 })),
      422,
      'too blue\n',
    ],
    ['an error', (_, __, next) => next(new Error('secret')), 500, ''],
    ['a rejection', () => Promise.reject(new Error('secret')), 500, ''],
    [
      'an exception',
      () => {
        throw new Error('secret')
      },
      500,
      '',
    ],
  ])('a handler ends with %s', async (_name, handler, status, body) => {
    const answer = await resumed(await expressApp(handler))
    expect(answer.status).toBe(status)
    if (body !== '') expect(answer.body.toString()).toBe(body)
    expect(answer.body.toString()).not.toContain('secret')
  })

  test('middleware before it sees every live request, and what it found is there in onRequest', async () => {
    const app = express()
    app.use((request, response, next) => {
      if (request.get('x-user') === undefined) return void response.status(401).end()
      Object.assign(request, { user: request.get('x-user') })
      return next()
    })
    const owners: unknown[] = []
    const photos = await expressResumable(
      app,
      (request: ExpressRequest & { user?: string }, response: ExpressResponse) => {
        owners.push(resumedUpload(request)?.owner, request.user)
        response.end()
      },
      {
        dir: await temporaryDirectory(),
        path: '/photos',
        onRequest: (context, request) => {
          context.owner = request.user
        },
      },
    )
    app.use('/photos', photos)
    const { origin, client } = await listening(createServer(app), photos)
    const user = { 'X-User': 'ann' }
    const upload = await client.create(`${origin}/photos`, 4, user)
    expect((await client.patch(upload, 0, FOUR)).status).toBe(401)
    expect((await client.patch(upload, 0, FOUR, user)).status).toBe(200)
    expect(owners).toEqual(['ann', undefined])
  })

  test('mounted nowhere in particular it lets every other path pass', async () => {
    const app = express()
    const options = { dir: await temporaryDirectory(), path: '/photos' }
    const photos = await expressResumable(
      app,
      (_, response: ExpressResponse) => response.end('photos'),
      options,
    )
    app.use(photos)
    app.use((request, response) => void response.send(`the app: ${request.url}`))
    const one = await listening(createServer(app), photos)
    expect((await resumed(one)).body.toString()).toBe('photos')
    expect((await plain(one)).body.toString()).toBe('photos')
    expect((await plain(one, '/photosets')).body.toString()).toBe('the app: /photosets')
  })

  test('a body parser before it is told of, and plain requests still have their bodies', async () => {
    const app = await expressApp(
      (request, response) => void response.json(request.body),
      (one) => one.use(express.json(), express.raw({ type: 'application/offset+octet-stream' })),
    )
    const { origin, client } = app
    const upload = await client.create(`${origin}/photos`, 4)
    const refused = await client.patch(upload, 0, FOUR)
    expect([refused.status, refused.body.toString()]).toEqual([
      500,
      expect.stringMatching(/^ERR_BODY_CONSUMED: .*before what parses bodies/),
    ])
    const answer = await fetch(`${origin}/photos`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"a":1}',
    })
    expect(await answer.json()).toEqual({ a: 1 })
  })

  test('the whole app: its middleware and its handler of errors see resumed requests', async () => {
    const app = express()
    app.disable('x-powered-by')
    app.use((request, response, next) => {
      response.set('x-seen', resumedUpload(request) === undefined ? 'plain' : 'resumed')
      next()
    })
    app.post('/photos', () => {
      throw Object.assign(new Error('blurred'), { status: 422 })
    })
    app.use(
      (
        error: Error & { status?: number },
        _: ExpressRequest,
        response: ExpressResponse,
        __: NextFunction,
      ) => {
        response.status(error.status ?? 500).json({ error: error.message })
      },
    )
    const options = { dir: await temporaryDirectory(), path: '/photos' }
    const photos = await resumableListener(app, options)
    const one = await listening(createServer(photos), photos)
    const [usual, late] = [await plain(one), await resumed(one)]
    expect([usual.status, usual.headers['x-seen']]).toEqual([422, 'plain'])
    expect([late.status, late.headers['x-seen'], late.body.toString()]).toEqual([
      422,
      'resumed',
      '{"error":"blurred"}',
    ])
  })
})

describe('Koa', () => {
  async function koaApp(handler: (ctx: Koa.Context) => unknown): Promise<Listening> {
    const app = new Koa({ proxy: true })
    app.silent = true
    app.context['album'] = 3
    const photos = await koaResumable(app, handler, { dir: await temporaryDirectory(), path: '/photos' })
    app.use(photos)
    const listener = app.callback()
    return listening(
      createServer((request, response) => void listener(request, response)),
      photos,
    )
  }

  test('a handler sees the same in a resumed request as in a plain one', async () => {
    const app = await koaApp((ctx) => {
      const { url, originalUrl, path, query, protocol, ip, method } = ctx
      ctx.status = 201
      ctx.body = { url, originalUrl, path, query, protocol, ip, method, album: ctx['album'] as unknown }
    })
    const [one, other] = [await plain(app, '/photos?a=1'), await resumed(app, '/photos?a=1')]
    expect([one.status, other.status]).toEqual([201, 201])
    expect(JSON.parse(other.body.toString())).toEqual(JSON.parse(one.body.toString()))
    expect(JSON.parse(other.body.toString())).toMatchObject({
      protocol: 'https',
      ip: '203.0.113.7',
      album: 3,
    })
  })

  test('so does one below a mount, which changes the path', async () => {
    const app = new Koa()
    const handler = (ctx: Koa.Context): void => {
      ctx.body = { url: ctx.url, originalUrl: ctx.originalUrl, path: ctx.path }
    }
    const photos = await koaResumable(app, handler, { dir: await temporaryDirectory(), path: '/api/photos' })
    app.use((ctx, next) => {
      ctx.path = ctx.path.replace(/^\/api/, '')
      return photos(ctx, next)
    })
    const listener = app.callback()
    const one = await listening(
      createServer((request, response) => void listener(request, response)),
      photos,
    )
    const [usual, late] = [await plain(one, '/api/photos?a=1'), await resumed(one, '/api/photos?a=1')]
    const seen = { url: '/photos?a=1', originalUrl: '/api/photos?a=1', path: '/photos' }
    expect([usual, late].map(({ body }) => JSON.parse(body.toString()) as unknown)).toEqual([seen, seen])
  })

  test.each([
    [422, 'too blue'],
    [500, 'Internal Server Error'],
  ])('ctx.throw(%d)', async (status, body) => {
    const answer = await resumed(await koaApp((ctx) => ctx.throw(status, 'too blue')))
    expect([answer.status, answer.body.toString()]).toEqual([status, body])
  })
})

test('Fastify: hooks that were added before see live requests, and resumed ones tell what they are', async () => {
  const app = fastifyOf()
  const seen: string[] = []
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-hook', 'seen')
    seen.push(`${request.method} ${resumedUpload(request.raw) === undefined ? 'live' : 'resumed'}`)
  })
  await app.register(fastifyResumable({ dir: await temporaryDirectory(), path: '/photos' }))
  app.post('/photos', (request) => ({ got: request.body }))
  // An app may have resources of its own right below.
  app.get('/photos/:id', (request) => ({ photo: (request.params as { id: string }).id }))
  app.addContentTypeParser('application/octet-stream', { parseAs: 'string' }, (_, body, done) =>
    done(null, body),
  )
  afterTest(() => app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  const client = new HttpClient()
  afterTest(() => client.close())
  const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  const upload = await client.create(`${origin}/photos`, 4)
  const answer = await client.patch(upload, 0, FOUR)
  expect([answer.status, answer.body.toString(), answer.headers['x-hook']]).toEqual([
    200,
    '{"got":"four"}',
    'seen',
  ])
  expect(seen).toEqual(['POST live', 'PATCH live', 'POST resumed'])
  expect(await (await fetch(`${origin}/photos/17`)).json()).toEqual({ photo: '17' })
  expect((await client.head(upload)).headers['upload-offset']).toBe('4')
  expect((await client.patch(upload, 4, NOTHING)).body.toString()).toBe('{"got":"four"}')
})

test.each(FORMS)('$name: a plain body is handed on as it comes', async (form) => {
  const { url } = await served(form, report)
  const chunks = ['one ', 'two ', 'three']
  const answer = await new Promise<string>((resolve, reject) => {
    const sent = httpRequest(url, { method: 'POST', agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve(text))
    })
    sent.on('error', reject)
    const go = (): void => {
      const chunk = chunks.shift()
      if (chunk === undefined) sent.end()
      else sent.write(chunk, () => setImmediate(go))
    }
    go()
  })
  const met = JSON.parse(answer) as { bytes: number; headers: Record<string, string> }
  expect(met.bytes).toBe(13)
  expect(met.headers).toMatchObject({ 'transfer-encoding': 'chunked' })
})

test('a plain body is with the handler before it is whole', async () => {
  const chunks: string[] = []
  const photos = await resumableListener(
    (request, response) => {
      request.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk))
      request.on('end', () => response.end(chunks.join('')))
    },
    { dir: await temporaryDirectory(), path: '/photos' },
  )
  const { origin } = await listening(createServer(photos), photos)
  const sent = httpRequest(`${origin}/photos`, { method: 'POST', agent: false })
  const answered = new Promise(
    (resolve) => void sent.on('response', (response) => resolve(response.statusCode)),
  )
  sent.write('half')
  await until('the half is with the handler', () => chunks.length > 0)
  expect(chunks).toEqual(['half'])
  sent.end(' and half')
  expect(await answered).toBe(200)
})
