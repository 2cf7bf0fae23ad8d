import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { afterTest } from '../../e2e/support/after-test.ts'
import { contentOf } from '../../e2e/support/content.ts'
import type { Answer } from '../../e2e/support/http-client.ts'
import { HttpClient } from '../../e2e/support/http-client.ts'
import { until } from '../../e2e/support/until.ts'
import { chaosProxy } from './chaos-proxy.ts'
import type { ChaosProxy, ChaosProxyOptions } from './chaos-proxy.ts'

const content = contentOf(3)

interface Echo {
  readonly url: string
  /** Bytes of each request's body, as far as they came. */
  readonly bodies: Buffer[]
}

/** Answers with the body that it got. */
async function echoServer(): Promise<Echo> {
  const bodies: Buffer[] = []
  const echo = (request: IncomingMessage, response: ServerResponse): void => {
    const index = bodies.push(Buffer.alloc(0)) - 1
    request.on('data', (chunk: Buffer) => (bodies[index] = Buffer.concat([bodies[index]!, chunk])))
    request.on('error', () => undefined)
    request.on('end', () => response.setHeader('Content-Length', bodies[index]!.length).end(bodies[index]))
  }
  const server = createServer(echo)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  afterTest(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/echo`, bodies }
}

interface Scene {
  readonly echo: Echo
  readonly proxy: ChaosProxy
  readonly put: (body: Uint8Array | AsyncIterable<Uint8Array>, signal?: AbortSignal) => Promise<Answer>
}

async function scene(options: Omit<ChaosProxyOptions, 'target'> = {}): Promise<Scene> {
  const echo = await echoServer()
  const proxy = await chaosProxy({ target: echo.url, ...options })
  const client = new HttpClient()
  afterTest(() => {
    client.close()
    return proxy.close()
  })
  return {
    echo,
    proxy,
    put: (body, signal) =>
      client.ask({
        method: 'PUT',
        url: proxy.through(echo.url),
        headers: body instanceof Uint8Array ? { 'Content-Length': body.length } : {},
        body,
        ...(signal === undefined ? {} : { signal }),
      }),
  }
}

async function* inPieces(bytes: Buffer, pieceBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

test('without faults every byte passes, requests are counted on kept connections, with and without length', async () => {
  const { echo, proxy, put } = await scene()
  const body = content.slice(0, 300_007)
  expect((await put(body)).body.equals(body)).toBe(true)
  expect((await put(inPieces(body, 1013))).body.equals(body)).toBe(true)
  expect((await put(Buffer.alloc(0))).status).toBe(200)
  expect((await put(body.subarray(0, 5))).body).toHaveLength(5)
  expect(echo.bodies.map((one) => one.length)).toEqual([300_007, 300_007, 0, 5])
  expect(proxy.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(Array(4).fill('PUT /echo'))
  expect(proxy.requests.map(({ bodyBytes }) => bodyBytes)).toEqual([300_007, expect.any(Number), 0, 5])
  expect(proxy.counts.bodyBytes).toBeGreaterThan(600_019)
  expect(proxy.counts.clientBytes).toBeGreaterThan(proxy.counts.bodyBytes)
})

test.each(['close', 'reset'] as const)(
  'a cut (%s) of a body lets exactly the bytes before it through',
  async (how) => {
    const onRequest: ChaosProxyOptions['onRequest'] = ({ index }) =>
      index === 0 ? { act: 'cut', of: 'client', afterBytes: 100_003, how } : undefined
    const { echo, proxy, put } = await scene({ onRequest })
    await expect(put(content.slice(0, 300_000))).rejects.toThrow(/ECONNRESET|EPIPE|hang up/)
    if (how === 'close') await until('it arrives', () => echo.bodies[0]?.length === 100_003)
    expect(echo.bodies[0]?.length ?? 0).toBeLessThanOrEqual(100_003)
    expect(proxy.counts.cuts).toBe(1)
    expect((await put(content.slice(0, 10))).status).toBe(200)
  },
)

test('a swallowed answer: the server got it all, the client hears nothing', async () => {
  const { echo, put } = await scene({
    onRequest: ({ index }) => (index === 0 ? { act: 'cut', of: 'server', afterBytes: 0 } : undefined),
  })
  await expect(put(content.slice(0, 50_000))).rejects.toThrow(/ECONNRESET|hang up/)
  expect(echo.bodies[0]).toHaveLength(50_000)
  expect((await put(content.slice(0, 10))).status).toBe(200)
})

test('an answer can break off in its middle', async () => {
  const { put } = await scene({ onRequest: () => ({ act: 'cut', of: 'server', afterBytes: 10_000 }) })
  await expect(put(content.slice(0, 50_000))).rejects.toThrow(/aborted|ECONNRESET/)
})

test('a stall moves nothing and closes nothing; one of limited time goes on with every byte', async () => {
  const { echo, proxy, put } = await scene({
    onRequest: ({ index }) => ({
      act: 'stall',
      of: 'client',
      afterBytes: 1000,
      ...(index === 0 ? {} : { forMs: 50 }),
    }),
  })
  const abort = new AbortController()
  const stalled = put(content.slice(0, 5000), abort.signal)
  await until('it stalls', () => proxy.counts.stalls === 1 && echo.bodies[0]?.length === 1000)
  const outcome = await Promise.race([stalled.catch(() => 'ended'), put(content.slice(0, 5000))])
  expect(outcome).toMatchObject({ status: 200 })
  expect(echo.bodies.map((one) => one.length)).toEqual([1000, 5000])
  abort.abort()
  await expect(stalled).rejects.toThrow(/abort/)
})

test('a corrupted byte is one wrong byte', async () => {
  const { echo, put } = await scene({
    onRequest: ({ index }) => ({ act: 'corrupt', of: 'client', afterBytes: index * 70_000 }),
  })
  const body = content.slice(0, 100_000)
  for (const at of [0, 70_000]) {
    expect((await put(body)).status).toBe(200)
    const got = echo.bodies.at(-1)!
    expect(got).toHaveLength(body.length)
    expect(got[at]).not.toBe(body[at])
    expect(got.subarray(0, at).equals(body.subarray(0, at))).toBe(true)
    expect(got.subarray(at + 1).equals(body.subarray(at + 1))).toBe(true)
  }
})

test('the proxy answers by itself, after the body or before it', async () => {
  const { echo, proxy, put } = await scene({
    onRequest: ({ index }) =>
      index < 2
        ? {
            act: 'answer',
            status: 503,
            headers: { 'Retry-After': 1 },
            body: 'busy',
            isEarly: index === 1,
          }
        : undefined,
  })
  for (const connection of ['keep-alive', 'close']) {
    const answer = await put(content.slice(0, 500_000))
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    expect(answer.headers.connection ?? 'keep-alive').toBe(connection)
    expect(answer.body.toString()).toBe('busy')
  }
  expect(echo.bodies).toHaveLength(0)
  expect((await put(content.slice(0, 10))).status).toBe(200)
  expect(proxy.counts.answers).toBe(2)
})

test('a connection is cut at a byte of its own count, whatever requests it carries', async () => {
  const { put, proxy } = await scene({
    onConnection: (index) => (index === 0 ? { act: 'cut', of: 'client', afterBytes: 3000 } : undefined),
  })
  for (let round = 0; round < 2; round += 1) expect((await put(content.slice(0, 1000))).status).toBe(200)
  await expect(put(content.slice(0, 1000))).rejects.toThrow()
  expect((await put(content.slice(0, 1000))).status).toBe(200)
  expect(proxy.counts.cuts).toBe(1)
})

test('a refusing proxy takes no connections until it accepts again, on the same port', async () => {
  const { put, proxy } = await scene()
  const { port } = proxy
  await proxy.refuse()
  await expect(put(content.slice(0, 10))).rejects.toThrow(/ECONNREFUSED/)
  await proxy.accept()
  expect(proxy.port).toBe(port)
  expect((await put(content.slice(0, 10))).status).toBe(200)
})

test('a slow link carries no more than its width', async () => {
  const { put } = await scene({ bytesPerSecond: 1_000_000 })
  const startedMs = performance.now()
  expect((await put(content.slice(0, 200_000))).body).toHaveLength(200_000)
  expect(performance.now() - startedMs).toBeGreaterThan(180)
})

test('connections end again and again when asked for', async () => {
  const { put, proxy } = await scene({ bytesPerSecond: 1_000_000, cutEveryMs: 30 })
  for (let round = 0; round < 3; round += 1) await expect(put(content.slice(0, 200_000))).rejects.toThrow()
  expect(proxy.counts.cuts).toBe(3)
})

test('the same seed breaks at the same bytes', async () => {
  const runs: Echo[] = []
  for (let run = 0; run < 2; run += 1) {
    const { echo, put } = await scene({
      seed: 11,
      onRequest: (_, random) => ({
        act: 'cut',
        of: 'client',
        afterBytes: 1 + Math.floor(random() * 50_000),
      }),
    })
    for (let round = 0; round < 4; round += 1) await put(content.slice(0, 60_000)).catch(() => undefined)
    await until('all has arrived', () => echo.bodies.length === 4)
    runs.push(echo)
  }
  const lengths = (run: number) => runs[run]!.bodies.map((one) => one.length)
  await until('both are equal', () => lengths(0).join() === lengths(1).join())
  expect(new Set(lengths(0)).size).toBe(4)
})

test('a proxy whose server moved sends the next connections there', async () => {
  const { put, proxy, echo } = await scene()
  await put(content.slice(0, 10))
  const other = await echoServer()
  proxy.retarget(other.url)
  proxy.cutAll('close')
  await until('the client noticed', () =>
    put(content.slice(0, 20)).then(
      () => true,
      () => false,
    ),
  )
  expect([echo.bodies.length, other.bodies.length]).toEqual([1, 1])
})
