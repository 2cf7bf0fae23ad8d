import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Upload } from '../../../src/client/node.ts'
import type { UploadOptions } from '../../../src/client/options.ts'
import { contentOf, sha256 } from '../../e2e/support/content.ts'
import { idOf } from '../../e2e/support/http-client.ts'
import { ServerProcess } from '../../e2e/support/server-process.ts'
import { temporaryDirectory } from '../../e2e/support/temporary-directory.ts'
import { until } from '../../e2e/support/until.ts'
import type { ChaosProxy, ChaosProxyOptions } from '../support/chaos-proxy.ts'
import type { Fault, SeenRequest } from '../support/proxied-connection.ts'
import { sharedServer } from '../support/shared-server.ts'
import { fileOf, HASTY, proxyTo, streamOf, transfer } from '../support/transfers.ts'

const MIB = 1024 * 1024
/** No power of two, so that no chunk ends with the file. */
const FILE_BYTES = 16 * MIB + 4321
/** What a fault may cost: a fifth of the file, all requests and lost answers included. */
const MOST_BYTES = 1.2 * FILE_BYTES
const content = contentOf(7).slice(0, FILE_BYTES)
const digest = sha256(content)

const server = sharedServer()

interface Scene {
  readonly proxy: ChaosProxy
  readonly endpoint: string
  readonly completed: (url: string) => Promise<Buffer>
}

async function scene(options: Omit<ChaosProxyOptions, 'target'>): Promise<Scene> {
  const proxy = await proxyTo(server.url, options)
  return { proxy, endpoint: proxy.through(server.url), completed: (url) => server.completed(url) }
}

interface Way {
  readonly name: string
  readonly options: UploadOptions
  readonly isStream?: boolean
}

/** The ways in which bytes go out. Checksums need chunks: a chunk that breaks off is discarded as a whole. */
const WAYS: readonly Way[] = [
  { name: 'in one go', options: {} },
  { name: 'in chunks', options: { chunkSizeBytes: MIB / 4 } },
  { name: 'in three parts at once', options: { parallel: 3 } },
  { name: 'with checksums', options: { checksum: 'sha256', chunkSizeBytes: MIB / 4 } },
  { name: 'from a stream of unknown length', options: { replayBufferBytes: MIB }, isStream: true },
]

/** Uploads in one way and holds the result against what must be. @returns Codes of the failures on the way. */
async function survives(
  { completed, proxy, endpoint }: Scene,
  { options, isStream }: Omit<Way, 'name'>,
): Promise<readonly string[]> {
  const input = isStream === true ? streamOf(content) : await fileOf(content)
  const done = await transfer(input, { endpoint, ...options })
  expect(done.bytes).toBe(FILE_BYTES)
  expect(sha256(await completed(done.url))).toBe(digest)
  expect(proxy.counts.clientBytes).toBeLessThanOrEqual(MOST_BYTES)
  return done.failures
}

/** The first requests with a body suffer, the later ones are left alone. */
function firstBodies(count: number, fault: (random: () => number, nth: number) => Fault | undefined) {
  let seen = 0
  return ({ hasBody }: SeenRequest, random: () => number): Fault | undefined => {
    if (!hasBody || seen === count) return undefined
    seen += 1
    return fault(random, seen)
  }
}

test.each(WAYS)('cuts at random bytes: $name', async (way) => {
  const onRequest = firstBodies(10, (random) => ({
    act: 'cut',
    of: 'client',
    afterBytes: 1 + Math.floor(random() * 250_000),
    how: random() < 0.5 ? 'close' : 'reset',
  }))
  const world = await scene({ seed: 3, onRequest })
  const failures = await survives(world, way)
  expect(world.proxy.counts.cuts).toBeGreaterThan(3)
  expect(new Set(failures)).toEqual(new Set(['network']))
})

test.each(WAYS)('stalls at random bytes: $name', async (way) => {
  const onRequest = firstBodies(2, (random) => ({
    act: 'stall',
    of: 'client',
    afterBytes: 1 + Math.floor(random() * 200_000),
  }))
  const world = await scene({ seed: 4, onRequest })
  const options = { ...way.options, stallTimeoutMs: 200, responseTimeoutMs: 400 }
  const failures = await survives(world, { ...way, options })
  expect(world.proxy.counts.stalls).toBe(2)
  expect(failures.length).toBeGreaterThanOrEqual(1)
  for (const failure of failures) expect(failure).toMatch(/^(stall|timeout)$/)
})

test.each(WAYS)('answers lost on their way back, that of the creation included: $name', async (way) => {
  let answers = 0
  const onRequest = ({ method }: SeenRequest): Fault | undefined => {
    if (method === 'OPTIONS') return undefined
    answers += 1
    return answers <= 6 && answers % 2 === 1 ? { act: 'cut', of: 'server', afterBytes: 0 } : undefined
  }
  const world = await scene({ onRequest })
  const failures = await survives(world, way)
  expect(world.proxy.counts.cuts).toBeGreaterThanOrEqual(2)
  expect(failures).toContain('network')
})

test.each(WAYS)('bursts of 500, 502, 503 and 504: $name', async (way) => {
  let seen = 0
  const onRequest = ({ method }: SeenRequest): Fault | undefined => {
    if (method === 'OPTIONS') return undefined
    seen += 1
    if (![1, 2, 4, 5, 6, 9, 10].includes(seen)) return undefined
    const status = [500, 502, 503, 504][seen % 4] ?? 500
    return { act: 'answer', status, isEarly: true }
  }
  const world = await scene({ onRequest })
  const failures = await survives(world, way)
  expect(failures).toContain('server 503')
})

test('Retry-After is waited for, in seconds and as a date', async () => {
  const times: number[] = []
  const onRequest = firstBodies(3, (_, nth) => {
    times.push(performance.now())
    // A date has no fractions of a second.
    const after = nth === 1 ? 1 : new Date(Date.now() + 1999).toUTCString()
    return nth === 3
      ? undefined
      : { act: 'answer', status: 503, isEarly: true, headers: { 'Retry-After': after } }
  })
  const world = await scene({ onRequest })
  expect(await survives(world, { options: {} })).toEqual(['server 503', 'server 503'])
  const [first = 0, second = 0, third = 0] = times
  expect(second - first).toBeGreaterThan(990)
  expect(third - second).toBeGreaterThan(900)
})

test('a line that ends after every 300,000 bytes still gets everything through', async () => {
  const world = await scene({ onConnection: () => ({ act: 'cut', of: 'client', afterBytes: 300_000 }) })
  await survives(world, { options: { retryMaxMs: 5, retryBudgetMs: 1000 } })
  expect(world.proxy.counts.cuts).toBeGreaterThan(50)
})

test.each(WAYS.filter(({ name }) => name !== 'in chunks'))(
  'the server is killed in the middle and starts again elsewhere: $name',
  async (way) => {
    const dir = await temporaryDirectory()
    let process = await ServerProcess.start({ dir })
    const proxy = await proxyTo(process.url, { bytesPerSecond: 20 * MIB })
    const completed = (url: string): Promise<Buffer> =>
      until('the plain file', () => readFile(join(dir, 'completed', idOf(url))).catch(() => undefined))
    const world = { proxy, completed, endpoint: proxy.through(process.url) }
    // Until a chunk is acknowledged it may be lost with the server.
    const options = { ...way.options, chunkSizeBytes: MIB / 4 }
    const done = survives(world, { ...way, options })
    for (const at of [0.3, 0.6]) {
      await until('it is under way', () => world.proxy.counts.bodyBytes > at * FILE_BYTES, 10_000)
      await process.end('SIGKILL')
      proxy.cutAll('reset')
      process = await ServerProcess.start({ dir })
      proxy.retarget(process.url)
    }
    expect(await done).toContain('network')
  },
)

test.each(WAYS)('a link of 32 MiB/s that ends every 120 ms: $name', async (way) => {
  const world = await scene({ seed: 5, bytesPerSecond: 32 * MIB, cutEveryMs: 120 })
  await survives(world, way)
  expect(world.proxy.counts.cuts).toBeGreaterThan(2)
})

test('a slow link is no stall', async () => {
  const world = await scene({ bytesPerSecond: 12 * MIB })
  const failures = await survives(world, { options: { stallTimeoutMs: 1000, responseTimeoutMs: 2500 } })
  expect(failures).toEqual([])
})

test('nobody there for a while', async () => {
  const world = await scene({ bytesPerSecond: 24 * MIB })
  const done = survives(world, { options: {} })
  await until('it is under way', () => world.proxy.counts.bodyBytes > FILE_BYTES / 3)
  await world.proxy.refuse()
  await new Promise((resolve) => void setTimeout(resolve, 300))
  await world.proxy.accept()
  expect(await done).toContain('network')
})

test('a byte that changed on its way is found by the checksum, and its chunk sent again', async () => {
  const onRequest = firstBodies(20, (random, nth) =>
    nth % 7 === 0 ? { act: 'corrupt', of: 'client', afterBytes: Math.floor(random() * 200_000) } : undefined,
  )
  const world = await scene({ seed: 6, onRequest })
  const failures = await survives(world, { options: { checksum: 'sha1', chunkSizeBytes: MIB / 2 } })
  expect(failures).toEqual(['server 460', 'server 460'])
})

/** Every fault there is, at random, the same for the same seed. */
function anything(request: SeenRequest, random: () => number): Fault | undefined {
  if (request.index > 60 || random() < 0.4) return undefined
  const afterBytes = Math.floor(random() * 400_000)
  const faults: readonly Fault[] = [
    { act: 'cut', of: 'client', afterBytes, how: random() < 0.5 ? 'close' : 'reset' },
    { act: 'cut', of: 'client', afterBytes: 0 },
    { act: 'cut', of: 'server', afterBytes: 0 },
    { act: 'cut', of: 'server', afterBytes: Math.floor(random() * 150) },
    { act: 'answer', status: 500 + Math.floor(random() * 5) * (random() < 0.5 ? 1 : 0), isEarly: true },
    { act: 'answer', status: random() < 0.5 ? 429 : 423, headers: { 'Retry-After': 0 }, isEarly: true },
    ...(random() < 0.2 ? [{ act: 'stall', of: 'client', afterBytes } as const] : []),
  ]
  const chosen = faults[Math.floor(random() * faults.length)]
  // 501 says that it will never work.
  return chosen?.act === 'answer' && chosen.status === 501 ? undefined : chosen
}

const SEEDS = [1, 2]

test.each(SEEDS.flatMap((seed) => WAYS.map((way) => ({ ...way, seed }))))(
  'everything at once, seed $seed: $name',
  async ({ seed, ...way }) => {
    const world = await scene({ seed, onRequest: anything })
    const options = { ...way.options, chunkSizeBytes: MIB / 4, stallTimeoutMs: 250, responseTimeoutMs: 700 }
    await survives(world, { ...way, options })
  },
)

test('paused and resumed while the line breaks, from one instance to the next', async () => {
  const onRequest = firstBodies(6, (random) => ({
    act: 'cut',
    of: 'client',
    afterBytes: 300_000 + Math.floor(random() * 900_000),
  }))
  const world = await scene({ seed: 8, onRequest, bytesPerSecond: 24 * MIB })
  const path = await fileOf(content)
  const upload = new Upload(path, { ...HASTY, endpoint: world.endpoint })
  let url = ''
  upload.on('url', (event) => (url = event.url))
  const first = upload.start().catch(() => undefined)
  await until('it is under way', () => world.proxy.counts.bodyBytes > FILE_BYTES / 4)
  await upload.pause()
  expect(upload.state).toBe('paused')
  void upload.resume()
  await until('it goes on', () => world.proxy.counts.bodyBytes > FILE_BYTES / 2)
  await upload.pause()
  // Another run knows the URL only.
  const again = await transfer(path, { uploadUrl: url })
  expect(again.url).toBe(url)
  expect(sha256(await world.completed(url))).toBe(digest)
  await upload.cancel()
  await first
})
