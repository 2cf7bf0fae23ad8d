import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Webhook } from 'standardwebhooks'
import type { HookError } from '../../src/hooks/ports/hook-error.ts'
import { isHookError } from '../../src/hooks/ports/hook-error.ts'
import { httpTransport } from '../../src/hooks/http/http-transport.ts'
import type { HttpTransportOptions } from '../../src/hooks/http/http-transport.ts'
import type { HookTransport } from '../../src/hooks/ports/transport.ts'
import { systemClock } from '../../src/core/system-clock.ts'
import type { Clock } from '../../src/core/ports/clock.ts'
import { aCall, never, START_MS } from './samples.ts'
import type { Received } from './tusd-hook-server.ts'
import { faults, HttpHookServer } from './tusd-hook-server.ts'

interface Pair {
  readonly server: HttpHookServer
  readonly transport: HookTransport
  /** The pauses that were made. */
  readonly pauses: number[]
}

/** Real time, but nobody waits for a pause: what would be waited for is written down. */
function hasty(pauses: number[], timeoutMs: number): Clock {
  return {
    nowMs: () => systemClock.nowMs(),
    after(delayMs, callback) {
      if (delayMs === timeoutMs) return systemClock.after(delayMs, callback)
      pauses.push(delayMs)
      return systemClock.after(0, callback)
    },
  }
}

async function pair(options: Partial<HttpTransportOptions> = {}): Promise<Pair> {
  const server = await HttpHookServer.start()
  const pauses: number[] = []
  const { timeoutMs = 14_999 } = options
  const clock = hasty(pauses, timeoutMs)
  const transport = httpTransport({ url: server.url, timeoutMs, clock, random: () => 0, ...options })
  onTestFinished(async () => {
    await transport.close?.()
    await server.stop()
  })
  return { server, transport, pauses }
}

async function failure(promise: Promise<unknown>): Promise<HookError> {
  const error: unknown = await promise.then(
    () => 'resolved',
    (reason: unknown) => reason,
  )
  if (!isHookError(error)) throw new Error('not a HookError', { cause: error })
  return error
}

function only({ received }: HttpHookServer): Received {
  const [first, ...more] = received
  if (first === undefined || more.length > 0) throw new Error(`${received.length} requests, not one`)
  return first
}

describe('the request', () => {
  test('is a POST of JSON that names the hook and the event', async () => {
    const { server, transport } = await pair()
    await transport.invoke(aCall('post-finish', { sequence: 7 }), never())
    const [received] = server.received
    expect(received?.headers).toMatchObject({
      'content-type': 'application/json',
      'hook-name': 'post-finish',
      'idempotency-key': aCall('post-finish').id,
      'content-length': String(Buffer.byteLength(received?.rawBody ?? '')),
    })
    expect(received).toMatchObject({ Type: 'post-finish', Carryon: { Sequence: 7, Attempt: 1 } })
    expect(received?.headers['authorization']).toBeUndefined()
    expect(received?.headers['webhook-signature']).toBeUndefined()
  })

  test('has the listed fields of the client, with all values, and no others', async () => {
    const { server, transport } = await pair({
      forwardHeaders: ['Authorization', 'X-Tenant', 'x-missing', 'COOKIE'],
    })
    await transport.invoke(aCall('pre-create'), never())
    const { headers } = only(server)
    expect(headers['authorization']).toBe('Bearer open-sesame')
    expect(headers['x-tenant']).toBe('blue, green')
    expect(headers['cookie']).toBe('session=secret-cake; theme=dark')
    expect(headers['user-agent']).toBe('carryon')
    expect(headers['host']).toBe(new URL(server.url).host)
  })

  test('leaves out a value that no field can have', async () => {
    const { server, transport } = await pair({ forwardHeaders: ['x-a'] })
    const { event } = aCall('pre-create')
    const HTTPRequest = { ...event.HTTPRequest, Header: { 'X-A': ['one', 'two\r\nx: y', '日本'] } }
    await transport.invoke(aCall('pre-create', { event: { ...event, HTTPRequest } }), never())
    expect(server.received[0]?.headers['x-a']).toBe('one')
  })

  test('takes connections again', async () => {
    const { server, transport } = await pair()
    for (let count = 0; count < 5; count += 1) await transport.invoke(aCall('post-create'), never())
    expect(server.connections).toBe(1)
  })

  test('goes through a connection that was closed just then, without a pause', async () => {
    let connections = 0
    const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'
    const server = createServer((socket) => {
      connections += 1
      socket.on('error', () => undefined)
      // The server has given the connection up; its word of it meets the next request.
      socket.once('data', () =>
        socket.write(answer, () => socket.once('data', () => socket.resetAndDestroy())),
      )
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const { transport, pauses } = await pair({ url: `http://127.0.0.1:${port}/`, retries: 0 })
    onTestFinished(() => void server.close())
    for (let count = 0; count < 3; count += 1) await transport.invoke(aCall('post-create'), never())
    expect(connections).toBe(3)
    expect(pauses).toEqual([])
  })
})

describe('the signature', () => {
  const secret = `whsec_${Buffer.from('a secret of twenty-four b').toString('base64')}`

  test('is one that the library of Standard Webhooks verifies', async () => {
    const { server, transport } = await pair({ secret })
    await transport.invoke(aCall('post-finish'), never())
    const { rawBody, headers } = only(server)
    const verified: unknown = new Webhook(secret).verify(rawBody, headers as Record<string, string>)
    expect(verified).toMatchObject({ Type: 'post-finish' })
    expect(headers['webhook-id']).toBe(aCall('post-finish').id)
    expect(() => new Webhook(secret).verify(`${rawBody} `, headers as Record<string, string>)).toThrow()
    const other = `whsec_${Buffer.from('another secret').toString('base64')}`
    expect(() => new Webhook(other).verify(rawBody, headers as Record<string, string>)).toThrow()
  })

  test('covers text that is not ASCII', async () => {
    const { server, transport } = await pair({ secret })
    const { event } = aCall('post-finish')
    const Upload = { ...event.Upload, MetaData: { filename: 'Ærø 📦' } }
    await transport.invoke(aCall('post-finish', { event: { ...event, Upload } }), never())
    const { rawBody, headers } = only(server)
    expect(rawBody).toContain('Ærø 📦')
    new Webhook(secret).verify(rawBody, headers as Record<string, string>)
  })

  test('is made with each secret, so that one can replace the other', async () => {
    const { server, transport } = await pair({ secret: [secret, 'the old one'] })
    await transport.invoke(aCall('post-finish'), never())
    const { rawBody, headers } = only(server)
    new Webhook(secret).verify(rawBody, headers as Record<string, string>)
    new Webhook('the old one', { format: 'raw' }).verify(rawBody, headers as Record<string, string>)
    expect(String(headers['webhook-signature']).split(' ')).toHaveLength(2)
  })

  test('has the time of the attempt, not of the event', async () => {
    const { server, transport } = await pair({ secret })
    await transport.invoke(aCall('post-finish', { atMs: START_MS - 86_400_000 }), never())
    const sentAt = Number(server.received[0]?.headers['webhook-timestamp'])
    expect(Math.abs(sentAt - Date.now() / 1000)).toBeLessThan(60)
  })

  test('cannot be given by a client', () => {
    expect(() => httpTransport({ url: 'http://x', forwardHeaders: ['webhook-signature'] })).toThrow(TypeError)
  })
})

describe('failures', () => {
  test.each([500, 502, 503, 504, 429, 408, 425])('%i passes: it is repeated', async (status) => {
    const { server, transport, pauses } = await pair()
    server.faults.push(faults.status(status), faults.status(status))
    await transport.invoke(aCall('pre-create'), never())
    expect(server.received).toHaveLength(3)
    expect(pauses).toEqual([1000, 2000])
    const bodies = server.received.map(({ rawBody }) => rawBody)
    expect(new Set(bodies).size).toBe(1)
  })

  test.each([400, 401, 403, 404, 405, 418])('%i does not pass by itself', async (status) => {
    const { server, transport } = await pair()
    server.faults.push(faults.status(status, {}, 'no\nsuch \u001b[31mhook'))
    const error = await failure(transport.invoke(aCall('pre-create'), never()))
    expect(error).toMatchObject({ code: 'refused', retry: 'later' })
    expect(error.message).toBe(`The hook pre-create at ${server.url} answered ${status}: no such [31mhook`)
    expect(server.received).toHaveLength(1)
  })

  test('410 is for good', async () => {
    const { server, transport } = await pair()
    server.faults.push(faults.status(410))
    expect(await failure(transport.invoke(aCall('post-finish'), never()))).toMatchObject({ retry: 'never' })
    expect(server.received).toHaveLength(1)
  })

  test('gives up after its repetitions, with the last failure', async () => {
    const { server, transport, pauses } = await pair({ retries: 2, backoffMs: 10 })
    server.fault = faults.status(503)
    const error = await failure(transport.invoke(aCall('pre-create'), never()))
    expect(error).toMatchObject({ code: 'refused', retry: 'soon' })
    expect(error.message).toContain('503')
    expect(pauses).toEqual([10, 20])
    expect(server.received).toHaveLength(3)
  })

  test('shortens its pauses at random', async () => {
    const { server, transport, pauses } = await pair({ retries: 1, random: () => 0.999_999 })
    server.fault = faults.status(503)
    await failure(transport.invoke(aCall('pre-create'), never()))
    expect(pauses).toEqual([500])
  })

  test.each([
    ['seconds', '3', 3000],
    ['a date', () => new Date(Date.now() + 5_000).toUTCString(), 5000],
    ['a date that is over', 'Thu, 01 Jan 1970 00:00:00 GMT', 1000],
    ['less than the own pause', '0', 1000],
    ['nonsense', '1e3', 1000],
  ])('waits for Retry-After: %s', async (_, value, expectedMs) => {
    const { server, transport, pauses } = await pair()
    const text = typeof value === 'string' ? value : value()
    server.faults.push(faults.status(503, { 'retry-after': text }))
    await transport.invoke(aCall('pre-create'), never())
    expect(pauses).toHaveLength(1)
    expect(Math.abs((pauses[0] ?? 0) - expectedMs)).toBeLessThanOrEqual(1000)
  })

  test('does not wait for what would outlast its time, and says how long it would be', async () => {
    const { server, transport, pauses } = await pair()
    server.faults.push(faults.status(503, { 'retry-after': '3600' }))
    const error = await failure(transport.invoke(aCall('pre-create'), never()))
    expect(error).toMatchObject({ code: 'refused', retryAfterMs: 3_600_000 })
    expect(pauses).toEqual([])
  })

  test.each([301, 302, 303, 307, 308])('a redirect (%i) is not followed', async (status) => {
    const elsewhere = await HttpHookServer.start()
    onTestFinished(() => elsewhere.stop())
    const { server, transport } = await pair()
    server.faults.push(faults.status(status, { location: elsewhere.url }))
    const error = await failure(transport.invoke(aCall('pre-create'), never()))
    expect(error).toMatchObject({ code: 'refused', retry: 'later' })
    expect(error.message).toContain('redirects are not followed')
    expect(elsewhere.received).toEqual([])
  })

  test.each([
    ['reset', faults.reset],
    ['reset in the middle of the answer', faults.resetInTheMiddle],
    ['ended in the middle of the answer', faults.endInTheMiddle],
  ])('a connection that is %s: asked again', async (_, fault) => {
    const { server, transport } = await pair()
    server.faults.push(fault)
    expect(await transport.invoke(aCall('pre-create'), never())).toEqual({})
    expect(server.received).toHaveLength(2)
    server.fault = fault
    expect(await failure(transport.invoke(aCall('pre-create'), never()))).toMatchObject({
      code: 'unreachable',
      retry: 'soon',
    })
  })

  test('nobody there', async () => {
    const { server, transport } = await pair()
    await server.stop()
    const error = await failure(transport.invoke(aCall('pre-create'), never()))
    expect(error).toMatchObject({ code: 'unreachable', retry: 'soon' })
    expect(error.message).toContain('ECONNREFUSED')
  })

  test('what is no HTTP', async () => {
    const noise = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end('SSH-2.0-OpenSSH_9.6\r\n')
    })
    await new Promise<void>((resolve) => void noise.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void noise.close())
    const { port } = noise.address() as AddressInfo
    const { transport } = await pair({ url: `http://127.0.0.1:${port}/`, retries: 0 })
    const error = await failure(transport.invoke(aCall('pre-create'), never()))
    expect(error).toMatchObject({ code: 'unreachable' })
  })

  test('an endless answer is not read to its end', async () => {
    const { server, transport } = await pair({ timeoutMs: 5000 })
    server.faults.push((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const flood = (): void => {
        while (!response.destroyed && response.write('x'.repeat(16_384)));
        if (!response.destroyed) response.once('drain', flood)
      }
      flood()
    })
    expect(await failure(transport.invoke(aCall('pre-create'), never()))).toMatchObject({
      code: 'bad-answer',
    })
  })

  test('a body that comes drop by drop runs out of time', async () => {
    const { server, transport } = await pair({ timeoutMs: 300 })
    server.faults.push((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const drip = setInterval(() => void response.write(' '), 20)
      response.once('close', () => clearInterval(drip))
    })
    expect(await failure(transport.invoke(aCall('pre-create'), never()))).toMatchObject({ code: 'timeout' })
  })

  test('what led to a timeout is kept', async () => {
    const { server, transport } = await pair({ timeoutMs: 300, backoffMs: 1 })
    server.faults.push(faults.status(503), faults.silence)
    const error = await failure(transport.invoke(aCall('pre-create'), never()))
    expect(error.code).toBe('timeout')
    expect(error.cause).toMatchObject({ code: 'refused' })
  })
})

describe('the address', () => {
  test('may have credentials, which show nowhere', async () => {
    const server = await HttpHookServer.start()
    onTestFinished(() => server.stop())
    const url = new URL(`${server.url}?token=abc123#x`)
    url.username = 'hook user'
    url.password = 'p%zz@ss'
    const transport = httpTransport({ url, retries: 0 })
    await transport.invoke(aCall('pre-create'), never())
    const [scheme, encoded] = String(server.received[0]?.headers['authorization']).split(' ')
    expect(scheme).toBe('Basic')
    expect(Buffer.from(encoded ?? '', 'base64').toString()).toBe('hook user:p%zz@ss')
    server.faults.push(faults.status(500))
    const errors = [await failure(transport.invoke(aCall('pre-create'), never()))]
    await server.stop()
    errors.push(await failure(transport.invoke(aCall('pre-create'), never())))
    for (const error of errors) {
      const text = `${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)} ${JSON.stringify(error.cause)}`
      expect(text).not.toMatch(/hook.user|p%zz|zz@ss|abc123/)
    }
  })

  test.each([
    ['no URL', { url: 'localhost' }],
    ['another scheme', { url: 'ftp://localhost/' }],
    ['an empty secret', { url: 'http://x', secret: '' }],
    ['a secret that is no Base64', { url: 'http://x', secret: 'whsec_not base64!' }],
    ['no time', { url: 'http://x', timeoutMs: 0 }],
    ['endless time', { url: 'http://x', timeoutMs: Infinity }],
    ['half a repetition', { url: 'http://x', retries: 0.5 }],
    ['fewer than no repetitions', { url: 'http://x', retries: -1 }],
    ['a negative pause', { url: 'http://x', backoffMs: -1 }],
    ['a header that belongs to the connection', { url: 'http://x', forwardHeaders: ['Content-Length'] }],
    ['a header that is none', { url: 'http://x', forwardHeaders: ['a b'] }],
    ['two kinds of authorization', { url: 'http://a:b@x', forwardHeaders: ['authorization'] }],
  ])('is refused at once: %s', (_, options) => {
    expect(() => httpTransport(options)).toThrow(/./)
  })

  test('a secret is not quoted when it is refused', () => {
    expect(() => httpTransport({ url: 'http://x', secret: 'whsec_my secret' })).toThrow(/^(?!.*my secret).*$/)
    expect(() => httpTransport({ url: 'htp://user:hunter2@x' })).toThrow(/^(?!.*hunter2).*$/)
  })
})
