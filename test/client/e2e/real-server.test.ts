import { openAsBlob } from 'node:fs'
import { appendFile, open } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { fileUrlStorage, Upload } from '../../../src/client/node.ts'
import type { UploadOptions } from '../../../src/client/options.ts'
import { contentOf } from '../../e2e/support/content.ts'
import { HttpClient } from '../../e2e/support/http-client.ts'
import { temporaryDirectory } from '../../e2e/support/temporary-directory.ts'
import { until } from '../../e2e/support/until.ts'
import type { ChaosProxy, ChaosProxyOptions } from '../support/chaos-proxy.ts'
import { sharedServer } from '../support/shared-server.ts'
import { fileOf, HASTY, proxyTo, streamOf, transfer } from '../support/transfers.ts'

const MIB = 1024 * 1024
const BYTES = 5 * MIB + 77
const content = contentOf(31)
const bytes = content.slice(0, BYTES)

const server = sharedServer()

interface Scene {
  /** Creation URL, through the proxy. */
  readonly endpoint: string
  readonly proxy: ChaosProxy
  readonly completed: (url: string) => Promise<Buffer>
}

async function scene(options: Omit<ChaosProxyOptions, 'target'> = {}): Promise<Scene> {
  const proxy = await proxyTo(server.url, options)
  return { proxy, endpoint: proxy.through(server.url), completed: (url) => server.completed(url) }
}

function methods(proxy: ChaosProxy): string[] {
  return proxy.requests.map(({ method }) => method)
}

test('every kind of source arrives as it is', async () => {
  const { endpoint, completed } = await scene()
  const path = await fileOf(bytes)
  const handle = await open(path)
  const inputs: Readonly<Record<string, unknown>> = {
    path,
    'file URL': pathToFileURL(path),
    'file handle': handle,
    buffer: bytes,
    'array buffer': new Uint8Array(bytes).buffer,
    view: new DataView(new Uint8Array(bytes).buffer),
    blob: new Blob([new Uint8Array(bytes)]),
    'blob of a file': await openAsBlob(path),
    'readable stream of Node': Readable.from(streamOf(bytes)),
    'readable stream of the web': Readable.toWeb(Readable.from(streamOf(bytes))),
    'async iterable': streamOf(bytes),
    iterable: [bytes.subarray(0, 10), bytes.subarray(10)],
  }
  for (const [kind, input] of Object.entries(inputs)) {
    const done = await transfer(input, { endpoint })
    expect((await completed(done.url)).equals(bytes), kind).toBe(true)
  }
  await handle.close()
})

test.each([
  ['a file', { startBytes: 1_000_001, endBytes: 2_000_003 }, false],
  ['a file in parts', { startBytes: 500_001, endBytes: 4_500_003, parallel: 3 }, false],
  ['a file from a byte on', { startBytes: 3_000_001 }, false],
  ['a stream of known size', { sizeBytes: BYTES }, true],
] as const)('a range or size of %s', async (_, options, isStream) => {
  const { endpoint, completed } = await scene()
  const done = await transfer(isStream ? streamOf(bytes) : await fileOf(bytes), { endpoint, ...options })
  const { startBytes = 0, endBytes = BYTES } = options as UploadOptions
  expect((await completed(done.url)).equals(bytes.subarray(startBytes, endBytes))).toBe(true)
})

test.each([
  ['a file', {}, false],
  ['a file in chunks', { chunkSizeBytes: 1000 }, false],
  ['a file in parts', { parallel: 4 }, false],
  ['a file with checksums', { checksum: 'sha512' }, false],
  ['a file of unknown length', { deferLength: true }, false],
  ['a stream', {}, true],
] as const)('%s of 0, 1 and 1000 bytes', async (_, options, isStream) => {
  const { endpoint, completed } = await scene()
  for (const size of [0, 1, 1000]) {
    const some = content.slice(0, size)
    const done = await transfer(isStream ? streamOf(some) : await fileOf(some), { endpoint, ...options })
    expect(done.bytes).toBe(size)
    expect((await completed(done.url)).equals(some), `${size} bytes`).toBe(true)
  }
})

test('a stream that ends with a chunk ends the upload', async () => {
  const { endpoint, completed } = await scene()
  const some = content.slice(0, 4 * 65_536)
  const done = await transfer(streamOf(some, 65_536), { endpoint, chunkSizeBytes: 65_536 })
  expect((await completed(done.url)).equals(some)).toBe(true)
})

test('a file goes out in one request with a length, after one question', async () => {
  const { endpoint, proxy, completed } = await scene()
  const done = await transfer(await fileOf(bytes), { endpoint })
  expect((await completed(done.url)).equals(bytes)).toBe(true)
  expect(methods(proxy)[0]).toBe('OPTIONS')
  expect(methods(proxy).length).toBeLessThanOrEqual(3)
  expect(proxy.requests.some(({ headers }) => headers.has('transfer-encoding'))).toBe(false)
  expect(proxy.counts.bodyBytes).toBe(BYTES)
})

test('metadata comes back as it was, in any script', async () => {
  const { endpoint } = await scene()
  const metadata = { filename: 'Ünïcödé 🎈 файл.bin', note: 'line\nbreak', empty: '' }
  const done = await transfer(bytes, { endpoint, metadata })
  const http = new HttpClient()
  const field = String((await http.head(done.url)).headers['upload-metadata'])
  http.close()
  const pairs = field.split(',').map((pair) => pair.trim().split(' '))
  const told = Object.fromEntries(
    pairs.map(([key, value = '']) => [key, Buffer.from(value, 'base64').toString()]),
  )
  expect(told).toMatchObject(metadata)
})

test('parts are joined, and not left behind', async () => {
  const { endpoint, proxy, completed } = await scene()
  const done = await transfer(await fileOf(bytes), { endpoint, parallel: 4 })
  expect((await completed(done.url)).equals(bytes)).toBe(true)
  const parts = proxy.requests.filter(({ headers }) => headers.get('upload-concat') === 'partial')
  expect(parts).toHaveLength(4)
  const http = new HttpClient()
  const [final] = proxy.requests.filter(({ headers }) => headers.get('upload-concat')?.startsWith('final;'))
  const urls = final?.headers.get('upload-concat')?.slice('final;'.length).split(' ') ?? []
  expect(urls).toHaveLength(4)
  for (const url of urls)
    expect((await http.head(new URL(url, endpoint).href)).status).toBeGreaterThanOrEqual(404)
  http.close()
})

test.each(['sha1', 'sha256', 'sha512', 'md5', 'crc32'] as const)('checksums: %s', async (checksum) => {
  const { endpoint, proxy, completed } = await scene({
    onRequest: ({ hasBody, index }) =>
      hasBody && index === 2 ? { act: 'corrupt', of: 'client', afterBytes: 100 } : undefined,
  })
  const done = await transfer(await fileOf(bytes), { endpoint, checksum, chunkSizeBytes: MIB })
  expect((await completed(done.url)).equals(bytes)).toBe(true)
  const sent = proxy.requests.filter(({ headers }) => headers.has('upload-checksum'))
  if (done.warnings.length === 0) expect(done.failures).toEqual(['server 460'])
  else expect(sent).toHaveLength(0)
})

test('a server that fails once when it is asked what it can do is asked again', async () => {
  const { endpoint, proxy } = await scene({
    onRequest: ({ index }) => (index === 0 ? { act: 'answer', status: 500 } : undefined),
  })
  const done = await transfer(bytes, { endpoint, checksum: 'sha256', required: ['checksum'] })
  expect(done.failures).toEqual(['server 500'])
  expect(proxy.requests.some(({ headers }) => headers.has('upload-checksum'))).toBe(true)
})

test('progress grows, ends at the total, and tells speed', async () => {
  const { endpoint } = await scene({ bytesPerSecond: 12 * MIB })
  const upload = new Upload(await fileOf(bytes), { ...HASTY, endpoint })
  const seen: { sent: number; accepted: number; total: number | undefined }[] = []
  upload.on('progress', ({ sent, accepted, total }) => seen.push({ sent, accepted, total }))
  await upload.start()
  for (const name of ['sent', 'accepted'] as const) {
    const values = seen.map((one) => one[name])
    expect(values).toEqual(values.toSorted((one, other) => one - other))
  }
  expect(seen.at(-1)).toEqual({ sent: BYTES, accepted: BYTES, total: BYTES })
  expect(seen.length).toBeGreaterThan(2)
})

test('start is idempotent', async () => {
  const { endpoint, proxy } = await scene()
  const upload = new Upload(bytes, { ...HASTY, endpoint })
  const [one, other] = await Promise.all([upload.start(), upload.start()])
  expect(await upload.start()).toEqual(one)
  expect(other).toEqual(one)
  expect(methods(proxy).filter((method) => method === 'POST')).toHaveLength(1)
  expect(proxy.counts.bodyBytes).toBe(BYTES)
})

test('pause stops the bytes, resume goes on where they stopped', async () => {
  const { endpoint, proxy, completed } = await scene({ bytesPerSecond: 10 * MIB })
  const upload = new Upload(await fileOf(bytes), { ...HASTY, endpoint })
  const done = upload.start()
  await until('it is under way', () => proxy.counts.bodyBytes > MIB)
  await upload.pause()
  expect(upload.state).toBe('paused')
  const asked = proxy.requests.length
  // What the kernel held is still on its way; then nothing comes any more.
  let before = -1
  await until('it is quiet', async () => {
    const { bodyBytes } = proxy.counts
    const isQuiet = bodyBytes === before
    before = bodyBytes
    await new Promise((resolve) => void setTimeout(resolve, 50))
    return isQuiet
  })
  expect(proxy.requests).toHaveLength(asked)
  const resumed = upload.resume()
  const { url } = await done
  expect(await resumed).toMatchObject({ url })
  expect((await completed(url)).equals(bytes)).toBe(true)
  expect(proxy.counts.bodyBytes).toBeLessThan(BYTES + MIB)
})

test('cancel with terminate leaves nothing at the server, wherever it comes', async () => {
  for (const afterBytes of [-1, 0, MIB]) {
    const { endpoint, proxy } = await scene({ bytesPerSecond: 10 * MIB })
    const upload = new Upload(await fileOf(bytes), { ...HASTY, endpoint })
    const done = upload.start()
    await until('it is there', () => proxy.counts.bodyBytes > afterBytes)
    const ended = expect(done).rejects.toMatchObject({ code: 'aborted' })
    await upload.cancel({ terminate: true })
    await ended
    expect(upload.state).toBe('cancelled')
    const http = new HttpClient()
    const { url } = upload
    if (url !== undefined) expect((await http.head(url)).status).toBe(410)
    http.close()
  }
})

test('a signal ends it', async () => {
  const { endpoint, proxy } = await scene({ bytesPerSecond: 10 * MIB })
  const abort = new AbortController()
  const done = transfer(await fileOf(bytes), { endpoint, signal: abort.signal })
  await until('it is under way', () => proxy.counts.bodyBytes > MIB)
  abort.abort()
  await expect(done).rejects.toBe(abort.signal.reason)
})

test('a file that changes on the way ends the upload before mixed bytes are sent', async () => {
  const { endpoint, proxy } = await scene({
    bytesPerSecond: 8 * MIB,
    onRequest: ({ hasBody, bodyBytes }) =>
      hasBody && bodyBytes === 0 ? { act: 'cut', of: 'client', afterBytes: MIB } : undefined,
  })
  const path = await fileOf(bytes)
  const done = transfer(path, { endpoint, retryBaseMs: 200 })
  const ended = expect(done).rejects.toMatchObject({ name: 'SourceChanged' })
  await until('it is under way', () => proxy.counts.cuts === 1)
  await appendFile(path, 'one more line')
  await ended
  expect(proxy.counts.bodyBytes).toBeLessThan(2 * MIB)
})

test('credentials that expire are renewed once for all parts', async () => {
  let isExpired = true
  let asked = 0
  const { endpoint, completed } = await scene({
    onRequest: ({ headers }) =>
      isExpired && headers.get('authorization') === 'Bearer 1'
        ? { act: 'answer', status: 401, isEarly: true }
        : undefined,
  })
  const auth = (): string => {
    asked += 1
    if (asked > 1) isExpired = true
    return `Bearer ${asked}`
  }
  const done = await transfer(await fileOf(bytes), { endpoint, auth, parallel: 3 })
  expect((await completed(done.url)).equals(bytes)).toBe(true)
  expect(asked).toBe(2)
  expect(done.failures).toEqual([])
})

test('a bandwidth limit holds', async () => {
  const { endpoint } = await scene()
  const startedMs = performance.now()
  await transfer(await fileOf(bytes), { endpoint, maxBytesPerSecond: 8 * MIB })
  const tookMs = performance.now() - startedMs
  expect(tookMs).toBeGreaterThan(350)
  expect(tookMs).toBeLessThan(2000)
})

test('a stream behind a small replay buffer survives cuts, and ends in a typed error when the server went back', async () => {
  const { endpoint, completed } = await scene({
    seed: 5,
    onRequest: ({ hasBody, index }, random) =>
      hasBody && index < 8
        ? { act: 'cut', of: 'client', afterBytes: Math.floor(random() * 150_000) }
        : undefined,
  })
  const done = await transfer(streamOf(bytes), { endpoint, replayBufferBytes: 256 * 1024 })
  expect((await completed(done.url)).equals(bytes)).toBe(true)
  const http = new HttpClient()
  const url = await http.create(endpoint, BYTES)
  const forgets = transfer(streamOf(bytes), {
    uploadUrl: url,
    replayBufferBytes: 256 * 1024,
    chunkSizeBytes: 100_000,
  })
  await until('some are there', async () => (await http.offset(url)) > 500_000)
  await http.remove(url)
  await expect(forgets).rejects.toMatchObject({ status: 410 })
  http.close()
})

test.each([
  ['in one go', {}],
  ['in parts', { parallel: 3 }],
] as const)(
  'remembered in a file, another run goes on where this one was stopped: %s',
  async (_, options) => {
    const { endpoint, proxy, completed } = await scene({ bytesPerSecond: 16 * MIB })
    const path = await fileOf(bytes)
    const storage = join(await temporaryDirectory(), 'uploads.json')
    const abort = new AbortController()
    const remembering = (): UploadOptions => ({ endpoint, urlStorage: fileUrlStorage(storage), ...options })
    const first = transfer(path, { ...remembering(), signal: abort.signal })
    const stopped = expect(first).rejects.toMatchObject({ name: 'AbortError' })
    await until('it is under way', () => proxy.counts.bodyBytes > BYTES / 2)
    abort.abort()
    await stopped
    const before = proxy.requests.filter(({ method, hasBody }) => method === 'POST' && hasBody).length
    const done = await transfer(path, remembering())
    expect((await completed(done.url)).equals(bytes)).toBe(true)
    const creations = proxy.requests.filter(({ method, hasBody }) => method === 'POST' && hasBody).length
    expect(creations).toBe(before)
    expect(await fileUrlStorage(storage).list()).toEqual([])
  },
)

test('two runs of one upload at the same time do not fight', async () => {
  const { endpoint, proxy, completed } = await scene({ bytesPerSecond: 16 * MIB })
  const path = await fileOf(bytes)
  const storage = join(await temporaryDirectory(), 'uploads.json')
  const run = () => transfer(path, { endpoint, urlStorage: fileUrlStorage(storage) })
  const first = run()
  await until('it is under way', () => proxy.counts.bodyBytes > MIB)
  const runs = await Promise.all([first, run()])
  expect(runs.flatMap(({ failures }) => failures)).toEqual([])
  for (const { url } of runs) expect((await completed(url)).equals(bytes)).toBe(true)
  expect(new Set(runs.map(({ url }) => url)).size).toBe(1)
  expect(proxy.counts.bodyBytes).toBe(BYTES)
})

test('two runs begun in the same moment end at one upload', async () => {
  const { endpoint, proxy, completed } = await scene({ bytesPerSecond: 16 * MIB })
  const path = await fileOf(bytes)
  const storage = join(await temporaryDirectory(), 'uploads.json')
  const run = () => transfer(path, { endpoint, urlStorage: fileUrlStorage(storage) })
  const [first, second] = await Promise.all([run(), run()])
  expect(second?.url).toBe(first?.url)
  expect((await completed(first?.url ?? '')).equals(bytes)).toBe(true)
  expect(proxy.counts.bodyBytes).toBe(BYTES)
})

test.each(['', 'files/', 'host.test/files'])(
  'an endpoint that is no URL is refused at once: %j',
  (endpoint) => {
    expect(() => new Upload(Buffer.from('x'), { endpoint })).toThrow(TypeError)
  },
)
