import { expect, test } from 'vitest'
import type { DownloadOptions, DownloadProgress, DownloadSink } from '../../../src/client/download.ts'
import { download } from '../../../src/client/download.ts'
import { bytes, joined, same } from '../../support/bytes.ts'
import type { Rig } from './requesting.ts'
import { UPLOAD, done, failureOf, rig } from './requesting.ts'

const SIZE = 1000
const CONTENT = bytes(SIZE)

interface Kept extends DownloadSink {
  chunks: Uint8Array[]
  restarts: number
  readonly all: Uint8Array
}

function keeping(): Kept {
  const sink: Kept = {
    chunks: [],
    restarts: 0,
    write: (chunk) => void sink.chunks.push(chunk),
    restart() {
      sink.chunks = []
      sink.restarts += 1
    },
    get all() {
      return joined(sink.chunks)
    },
  }
  return sink
}

function serving(content: Uint8Array = CONTENT): Rig {
  const it = rig()
  it.transport.pieceBytes = 100
  it.transport.tus.begin(UPLOAD, { content, length: content.length })
  return it
}

async function fetched(
  it: Rig,
  sink: DownloadSink,
  options: DownloadOptions = {},
): Promise<DownloadProgress> {
  return await done(it, download(it.platform, UPLOAD, { ...options, sink }))
}

test('it brings the bytes, with progress', async () => {
  const it = serving()
  const sink = keeping()
  const seen: number[] = []
  const end = await fetched(it, sink, { onProgress: ({ receivedBytes }) => seen.push(receivedBytes) })
  expect(same(sink.all, CONTENT)).toBe(true)
  expect(end).toMatchObject({ receivedBytes: SIZE, totalBytes: SIZE })
  expect(seen).toEqual([100, 200, 300, 400, 500, 600, 700, 800, 900, 1000])
})

test('an empty upload brings nothing', async () => {
  const it = serving(new Uint8Array(0))
  expect(await fetched(it, keeping())).toMatchObject({ receivedBytes: 0, totalBytes: 0 })
})

test('after a broken line it goes on where it was', async () => {
  const it = serving()
  it.transport
    .script('GET', { answerBytes: 300, end: 'drop' })
    .script('GET', { status: 503 })
    .script('GET', { answerBytes: 250, end: 'hang' })
  const sink = keeping()
  await fetched(it, sink)
  expect(same(sink.all, CONTENT)).toBe(true)
  expect(sink.restarts).toBe(0)
  expect(it.transport.requests.map((request) => request.header('Range'))).toEqual([
    undefined,
    'bytes=300-',
    'bytes=300-',
    'bytes=550-',
  ])
  expect(it.transport.requests[1]!.header('If-Range')).toMatch(/^"/)
})

test('each byte that comes fills the budget again', async () => {
  const it = serving()
  it.transport.script('GET', { answerBytes: 50, end: 'drop', times: 15 })
  const sink = keeping()
  await fetched(it, sink, { retryBudgetMs: 2000 })
  expect(same(sink.all, CONTENT)).toBe(true)
  it.transport.script('GET', { end: 'drop', times: 15 })
  expect(await failureOf(fetched(it, keeping(), { retryBudgetMs: 2000 }))).toMatchObject({ code: 'network' })
})

test('an answer that ends early is a broken line', async () => {
  const it = serving()
  it.transport.script('GET', { answerBytes: 300 })
  const sink = keeping()
  await fetched(it, sink)
  expect(same(sink.all, CONTENT)).toBe(true)
})

test('content that has changed is begun anew, never mixed', async () => {
  const it = serving()
  const changed = bytes(800, 2)
  it.transport.script('GET', { answerBytes: 300, end: 'drop' })
  it.transport.script('GET', {
    when: () => {
      it.transport.tus.begin(UPLOAD, { content: changed, length: 800 })
      return true
    },
  })
  const sink = keeping()
  expect(await fetched(it, sink)).toMatchObject({ totalBytes: 800 })
  expect(same(sink.all, changed)).toBe(true)
  expect(sink.restarts).toBe(1)
})

test('a server that ignores If-Range is found out by its tag', async () => {
  const it = serving()
  it.transport
    .script('GET', { answerBytes: 300, end: 'drop' })
    .script('GET', { headers: { ETag: '"other"' } })
  const sink = keeping()
  await fetched(it, sink)
  expect(same(sink.all, CONTENT)).toBe(true)
  expect(sink.restarts).toBe(1)
})

test('a sink that cannot begin anew ends it', async () => {
  for (const etag of [undefined, 'W/"weak"']) {
    const it = serving()
    const headers = { ETag: etag }
    it.transport.script('GET', { answerBytes: 300, end: 'drop', headers }).script('GET', { headers })
    const error = await failureOf(fetched(it, { write: () => undefined }))
    expect(error).toMatchObject({ code: 'protocol', message: expect.stringContaining('byte 300') })
  }
})

test('a server without ranges sends all again, of which the known part is skipped', async () => {
  const it = serving()
  it.transport.script('GET', { answerBytes: 350, end: 'drop', headers: { ETag: '"x"' } }).script('GET', {
    when: (request) => (request as { header: unknown }).header !== undefined,
    headers: { ETag: '"x"' },
  })
  // The in-memory server knows no "x", so it answers 200 with everything.
  const sink = keeping()
  await fetched(it, sink)
  expect(it.transport.requests.map(({ status }) => status)).toEqual([200, 200])
  expect(same(sink.all, CONTENT)).toBe(true)
  expect(sink.restarts).toBe(0)
})

test('a part that begins elsewhere is refused', async () => {
  const it = serving()
  it.transport
    .script('GET', { answerBytes: 300, end: 'drop' })
    .script('GET', { headers: { 'Content-Range': 'bytes 200-999/1000' } })
  const sink = keeping()
  expect(await failureOf(fetched(it, sink))).toMatchObject({ code: 'protocol' })
  expect(sink.all).toHaveLength(300)
})

test('another run goes on with the bytes and the tag it has', async () => {
  const it = serving()
  const { etag } = await fetched(it, keeping())
  const sink = keeping()
  await fetched(it, sink, { startBytes: 400, etag })
  expect(same(sink.all, CONTENT.subarray(400))).toBe(true)
  const whole = keeping()
  expect(await fetched(it, whole, { startBytes: SIZE, etag })).toMatchObject({ receivedBytes: SIZE })
  expect([whole.restarts, whole.all.length]).toEqual([0, 0])
  const tooMuch = keeping()
  await fetched(it, tooMuch, { startBytes: SIZE + 1, etag })
  expect(same(tooMuch.all, CONTENT)).toBe(true)
})

test('bytes without a tag are not trusted', async () => {
  const it = serving()
  const sink = keeping()
  await fetched(it, sink, { startBytes: 400 })
  expect(sink.restarts).toBe(1)
  expect(same(sink.all, CONTENT)).toBe(true)
})

test('a refusal has status and text, and nothing of it lands in the sink', async () => {
  const it = serving()
  it.transport.script('GET', { status: 404, text: 'no such upload' })
  const sink = keeping()
  const error = await failureOf(fetched(it, sink))
  expect(error).toMatchObject({ code: 'server', status: 404, body: 'no such upload' })
  expect(sink.chunks).toHaveLength(0)
})

test('what the sink throws ends it as it is', async () => {
  const it = serving()
  const full = new Error('disk full')
  const error = await failureOf(fetched(it, { write: () => Promise.reject(full) }))
  expect(error).toBe(full)
  expect(it.transport.requests).toHaveLength(1)
})

test('encoded content cannot be gone on with', async () => {
  const it = serving()
  it.transport.script('GET', { answerBytes: 300, end: 'drop', headers: { 'Content-Encoding': 'gzip' } })
  const sink = keeping()
  await fetched(it, sink)
  expect(sink.restarts).toBe(1)
  expect(same(sink.all, CONTENT)).toBe(true)
})
