import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { bunUploads } from '../../src/adapters/bun.ts'
import { fetchHandler } from '../../src/adapters/fetch.ts'
import { honoUploads } from '../../src/adapters/hono.ts'
import type { NodeListener, NodeRequest } from '../../src/adapters/node.ts'
import { nodeListener } from '../../src/adapters/node.ts'
import { svelteKitUploads } from '../../src/adapters/sveltekit.ts'
import type { BodyEnd } from '../../src/core/ports/body.ts'
import { openUploads } from '../../src/node/index.ts'
import type { Exchange } from '../../src/server/exchange.ts'
import type { Handler } from '../../src/server/handler.ts'
import { afterTest } from '../e2e/support/after-test.ts'
import { RawConnection } from '../e2e/support/raw-connection.ts'
import { patchFields, TUS_FIELDS } from '../e2e/support/tus-fields.ts'
import { temporaryDirectory } from '../e2e/support/temporary-directory.ts'

/** A handler that keeps what it is called with. */
function recorder(): { readonly handler: Handler; readonly seen: Exchange[] } {
  const seen: Exchange[] = []
  const handler: Handler = async (exchange) => {
    seen.push(exchange)
    return { status: 204, headers: {} }
  }
  return { handler, seen }
}

async function listen(listener: NodeListener): Promise<number> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterTest(() => (server.closeAllConnections(), server.close()))
  return (server.address() as AddressInfo).port
}

describe('headers(): every value of every field', () => {
  test('HTTP/1.1, repeated lines and dangerous names', async () => {
    const { handler, seen } = recorder()
    const connection = await RawConnection.open(await listen(nodeListener(handler)))
    connection.write(
      'GET / HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\nx-a: 2, 3\r\nContent-Type: a/b\r\nContent-Type: c/d\r\n' +
        '__proto__: polluted\r\nX-Empty:\r\n\r\n',
    )
    await connection.answer()
    const headers = seen[0]?.headers() ?? {}
    expect(Object.entries(headers)).toEqual([
      ['host', ['localhost']],
      ['x-a', ['1', '2, 3']],
      ['content-type', ['a/b', 'c/d']],
      ['__proto__', ['polluted']],
      ['x-empty', ['']],
    ])
    expect(Object.getPrototypeOf(headers)).toBe(Object.prototype)
  })

  test('HTTP/2, without what is no field', async () => {
    const { handler, seen } = recorder()
    const server = createHttp2Server(nodeListener(handler))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    afterTest(() => (session.destroy(), server.close()))
    const stream = session.request({ ':path': '/', 'x-a': ['1', '2'], cookie: 'a=b' })
    await once(stream, 'response')
    expect(seen[0]?.headers()).toEqual({ 'x-a': ['1', '2'], cookie: ['a=b'] })
    stream.close()
  })

  test('a Request', async () => {
    const { handler, seen } = recorder()
    const headers = new Headers([
      ['X-A', '1'],
      ['x-a', '2'],
      ['__proto__', 'polluted'],
    ])
    await fetchHandler(handler)(new Request('http://127.0.0.1/', { headers }))
    expect(Object.entries(seen[0]?.headers() ?? {})).toEqual([
      ['__proto__', ['polluted']],
      ['x-a', ['1, 2']],
    ])
  })
})

describe('the address of the client', () => {
  const request = new Request('http://127.0.0.1/files/')

  test('is what the framework says', async () => {
    const { handler, seen } = recorder()
    const fetch = fetchHandler(handler)
    const server = { requestIP: () => ({ address: '192.0.2.1' }), timeout: () => undefined }
    await bunUploads(fetch)(request, server)
    const env = { incoming: { socket: { remoteAddress: '192.0.2.2' } } }
    await honoUploads(fetch)({ req: { raw: request }, env }, async () => undefined)
    const event = { request, getClientAddress: () => '192.0.2.3' }
    await svelteKitUploads(fetch)({ event, resolve: () => new Response() })
    expect(seen.map(({ peerAddress }) => peerAddress)).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.3'])
  })

  test('is unknown where it does not say', async () => {
    const { handler, seen } = recorder()
    const fetch = fetchHandler(handler)
    await bunUploads(fetch)(request, { requestIP: () => null, timeout: () => undefined })
    await honoUploads(fetch)({ req: { raw: request }, env: undefined }, async () => undefined)
    expect(seen.map(({ peerAddress }) => peerAddress)).toEqual([undefined, undefined])
  })

  test('Bun’s time limit is lifted for uploads alone', async () => {
    const fetch = fetchHandler(recorder().handler)
    const limits: number[] = []
    const server = { requestIP: () => null, timeout: (_request: Request, s: number) => void limits.push(s) }
    await bunUploads(fetch)(request, server)
    expect(limits).toEqual([])
    await bunUploads(fetch)(new Request(request, { headers: TUS_FIELDS }), server)
    expect(limits).toEqual([0])
  })
})

/** Serves uploads behind something that reads bodies. */
async function behind(reader: (request: NodeRequest, next: () => void) => void): Promise<number> {
  const uploads = await openUploads({ dir: await temporaryDirectory(), durability: 'process' })
  afterTest(() => uploads.close(1000))
  return listen((request, response) => reader(request, () => uploads.listener(request, response)))
}

async function create(connection: RawConnection): Promise<string> {
  connection.request('POST /files/', { ...TUS_FIELDS, 'Upload-Length': 200_000, 'Content-Length': 0 })
  const { status, headers } = await connection.answer()
  expect(status).toBe(201)
  return new URL(String(headers.get('location'))).pathname
}

describe('a body that somebody else has begun to read', () => {
  test.each([
    {
      name: 'one chunk of it',
      // Waits for it, as a parser does that looks at the first bytes only.
      reader: (request: NodeRequest, next: () => void) => {
        if (request.method !== 'PATCH') return next()
        request.once('data', () => {
          request.pause()
          next()
        })
      },
    },
    {
      name: 'while the request is being looked into',
      reader: (request: NodeRequest, next: () => void) => {
        request.resume()
        next()
      },
    },
  ])('$name: refused, because the rest would be stored in the wrong place', async ({ reader }) => {
    const port = await behind(reader)
    const connection = await RawConnection.open(port)
    const path = await create(connection)
    connection.request(`PATCH ${path}`, patchFields(0, 200_000), Buffer.alloc(200_000, 1))
    const answer = await connection.answer()
    expect(answer.status).toBe(500)
    expect(answer.body).toContain('ERR_BODY_CONSUMED')
    const second = await RawConnection.open(port)
    second.request(`HEAD ${path}`, TUS_FIELDS)
    expect((await second.answer(5000, true)).headers.get('upload-offset')).toBe('0')
  })

  test('after its length was asked for: what is left of it counts as cut off, and the client is answered', async () => {
    const ends: BodyEnd[] = []
    const data = (): void => expect.unreachable('its bytes are gone')
    const port = await listen((request, response) => {
      const handler: Handler = async (exchange) => {
        expect(exchange.body.contentLength).toBe(5)
        request.resume()
        await once(request, 'end')
        const ended = new Promise<BodyEnd>((end) => exchange.body.consume({ data, end }))
        ends.push(await ended)
        // What the server does when a body breaks off: there is usually nobody left to answer.
        exchange.terminate()
        return undefined
      }
      nodeListener(handler)(request, response)
    })
    const connection = await RawConnection.open(port)
    connection.request('PATCH /files/x', patchFields(0, 5), 'hello')
    const answer = await connection.answer()
    expect(ends).toEqual([{ kind: 'cut' }])
    expect(answer.status).toBe(500)
    expect(answer.body).toContain('ERR_BODY_CONSUMED')
  })

  test('the same of a Request', async () => {
    const request = new Request('http://127.0.0.1/', {
      method: 'PATCH',
      headers: { ...TUS_FIELDS, 'Content-Length': '5' },
      body: 'hello',
    })
    const ends: BodyEnd[] = []
    const handler: Handler = async ({ body }) => {
      expect(body.contentLength).toBe(5)
      await request.text()
      const data = (): void => expect.unreachable('its bytes are gone')
      ends.push(await new Promise<BodyEnd>((end) => body.consume({ data, end })))
      return undefined
    }
    const answer = await fetchHandler(handler)(request)
    expect(ends).toEqual([{ kind: 'cut' }])
    expect(answer?.status).toBe(500)
    expect(await answer?.text()).toContain('ERR_BODY_CONSUMED')
  })

  test('an empty one without a length has nothing that could be missing', async () => {
    const port = await behind((request, next) => {
      request.resume()
      request.once('end', next)
    })
    const connection = await RawConnection.open(port)
    const path = await create(connection)
    connection.request(`PATCH ${path}`, { ...patchFields(0), 'Transfer-Encoding': 'chunked' }, '0\r\n\r\n')
    const answer = await connection.answer()
    expect(answer.status).toBe(204)
    expect(answer.headers.get('upload-offset')).toBe('0')
  })
})
