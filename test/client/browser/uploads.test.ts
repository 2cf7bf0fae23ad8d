/* The client for browsers in Chromium, against our server on another origin, over lines that hold. */
import { readFile, writeFile } from 'node:fs/promises'
import type { Browser } from 'playwright-core'
import { expect, test } from 'vitest'
import { proxyTo } from '../support/transfers.ts'
import { isPreflight } from './line.ts'
import { browserScenes, call, fileOf, MIB, pick } from './scene.ts'

const scene = browserScenes()

test('a picked file arrives, with its name and type', async ({ skip }) => {
  const { page, line, arrived } = await scene(skip)
  const file = await fileOf(5 * MIB + 77, 'Grüße 🎉.png')
  await pick(page, file)
  const done = await call(page, 'upload', { endpoint: line.endpoint, metadata: { album: '夏' } })
  expect(done).toMatchObject({ bytes: file.sizeBytes, failures: [], warnings: [], isSteady: true })
  expect(done.states).toEqual(['preparing', 'uploading', 'complete'])
  expect(done.progress).toMatchObject({ sent: file.sizeBytes, accepted: file.sizeBytes, secondsLeft: 0 })
  expect(await arrived(done.url)).toBe(file.sha256)
  expect(line.proxy.counts.bodyBytes).toBe(file.sizeBytes)
  expect(await call(page, 'remembered', { endpoint: line.endpoint })).toEqual({ found: 0, all: 0 })
  expect(await call(page, 'otherCalls', line.endpoint, done.url ?? '')).toEqual({
    offers: {
      checksums: expect.arrayContaining(['sha1', 'sha256']),
      extensions: expect.arrayContaining(['creation-with-upload', 'concatenation', 'termination']),
      versions: ['1.0.0'],
    },
    offset: file.sizeBytes,
    length: file.sizeBytes,
    metadata: { filename: 'Grüße 🎉.png', filetype: 'image/png', album: '夏' },
    receivedBytes: file.sizeBytes,
    sha256: file.sha256,
    gone: expect.objectContaining({ code: 'server', status: 410 }),
  })
})

test('an empty file arrives', async ({ skip }) => {
  const { page, line, arrived } = await scene(skip)
  const file = await fileOf(0)
  await pick(page, file)
  const done = await call(page, 'upload', { endpoint: line.endpoint, parallel: 4, checksum: 'sha256' })
  expect(done).toMatchObject({ bytes: 0, failures: [] })
  expect(await arrived(done.url)).toBe(file.sha256)
})

test.for(['stream', 'bytes', 'handle'] as const)('what a page has as %s arrives', async (kind, { skip }) => {
  const { page, line, arrived } = await scene(skip)
  const file = await fileOf(2 * MIB + 1, 'plain.bin')
  await pick(page, file)
  const done = await call(page, 'uploadKind', kind, { endpoint: line.endpoint })
  expect(done).toMatchObject({ bytes: file.sizeBytes, failures: [], warnings: [] })
  expect(await arrived(done.url)).toBe(file.sha256)
})

test('parts go out in parallel, and none is left behind', async ({ skip }) => {
  const { page, server, line, arrived } = await scene(skip)
  const file = await fileOf(9 * MIB + 5)
  await pick(page, file)
  line.haltAt(MIB)
  await call(page, 'begin', { endpoint: line.endpoint, parallel: 4, retryBaseMs: 20 })
  await line.halted(4)
  line.free()
  const done = await call(page, 'outcome')
  expect(done).toMatchObject({ bytes: file.sizeBytes, warnings: [], isSteady: true })
  expect(await arrived(done.url)).toBe(file.sha256)
  const creations = line.requests('POST').map(({ headers }) => headers.get('upload-concat')?.split(';')[0])
  expect(creations).toEqual(['partial', 'partial', 'partial', 'partial', 'final'])
  expect(line.requests('DELETE')).toHaveLength(4)
  expect(await call(page, 'remembered', { endpoint: line.endpoint })).toEqual({ found: 0, all: 0 })
  expect(server.reported).toEqual([])
})

test('each chunk has its SHA-256, and one that was damaged on its way is sent again', async ({ skip }) => {
  const { page, server, arrived } = await scene(skip)
  let patches = 0
  const proxy = await proxyTo(server.url, {
    onRequest: ({ method }) =>
      method === 'PATCH' && ++patches === 2 ? { act: 'corrupt', of: 'client', afterBytes: 5000 } : undefined,
  })
  const file = await fileOf(5 * MIB + 1)
  await pick(page, file)
  const endpoint = proxy.through(server.url)
  const wanted = { endpoint, checksum: 'sha256', chunkSizeBytes: MIB, retryBaseMs: 20 } as const
  const done = await call(page, 'upload', wanted)
  expect(done).toMatchObject({ bytes: file.sizeBytes, failures: ['server 460'], warnings: [] })
  expect(await arrived(done.url)).toBe(file.sha256)
  const sums = proxy.requests
    .filter(({ method }) => method === 'PATCH')
    .map(({ headers }) => headers.get('upload-checksum'))
  expect(sums).toHaveLength(7)
  expect(sums.every((sum) => /^sha256 [\w+/]{43}=$/.test(sum ?? ''))).toBe(true)
})

test('a token that ends is renewed once for all parts', async ({ skip }) => {
  const { page, pages, server, arrived } = await scene(skip)
  const headers = { 'Access-Control-Allow-Origin': '*' }
  let refused = 0
  pages.token = 'Bearer one'
  pages.tokensGiven = 0
  const proxy = await proxyTo(server.url, {
    // Slow enough for all parts to be on their way when the first one is refused.
    bytesPerSecond: 16 * MIB,
    onRequest(request) {
      if (isPreflight(request) || request.method === 'OPTIONS') return undefined
      if (request.method === 'PATCH') pages.token = 'Bearer two'
      if (request.headers.get('authorization') === pages.token) return undefined
      refused += 1
      return { act: 'answer', status: 401, headers, body: 'the token has expired' }
    },
  })
  const file = await fileOf(8 * MIB)
  await pick(page, file)
  const wanted = { endpoint: proxy.through(server.url), parallel: 4, asksForToken: true }
  const done = await call(page, 'upload', wanted)
  expect(done).toMatchObject({ bytes: file.sizeBytes, failures: [], warnings: [] })
  expect(await arrived(done.url)).toBe(file.sha256)
  expect(refused).toBeGreaterThan(1)
  expect(pages.tokensGiven).toBe(2)
})

test('a token that stays refused ends the upload, and the page can read why', async ({ skip }) => {
  const { page, pages, server } = await scene(skip)
  const headers = { 'Access-Control-Allow-Origin': '*' }
  const proxy = await proxyTo(server.url, {
    onRequest: (request) =>
      isPreflight(request) || request.method === 'OPTIONS'
        ? undefined
        : { act: 'answer', status: 401, headers },
  })
  await pick(page, await fileOf(1000))
  pages.token = 'Bearer wrong'
  const done = await call(page, 'upload', { endpoint: proxy.through(server.url), asksForToken: true })
  expect(done.error).toMatchObject({ code: 'server', status: 401 })
  expect(done.states.at(-1)).toBe('failed')
})

test('cancel deletes what is on the server and what is remembered', async ({ skip }) => {
  const { page, server, line } = await scene(skip)
  await pick(page, await fileOf(5 * MIB))
  line.haltAt(2 * MIB)
  await call(page, 'begin', { endpoint: line.endpoint })
  await line.halted()
  expect(await call(page, 'remembered', { endpoint: line.endpoint })).toEqual({ found: 1, all: 1 })
  await call(page, 'cancel')
  const done = await call(page, 'outcome')
  expect(done.error).toMatchObject({ code: 'aborted' })
  expect(done.states.at(-1)).toBe('cancelled')
  const { status } = await fetch(done.url ?? '', { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } })
  expect(status).toBe(410)
  expect(await call(page, 'remembered', { endpoint: line.endpoint })).toEqual({ found: 0, all: 0 })
  expect(server.reported).toEqual([])
})

test('in a worker, fetch uploads a file', async ({ skip }) => {
  const { page, line, arrived } = await scene(skip)
  const file = await fileOf(6 * MIB + 3)
  await pick(page, file)
  const wanted = { endpoint: line.endpoint, usesFetch: true, parallel: 2, retryBaseMs: 20 }
  const done = await call(page, 'inWorker', wanted)
  expect(done).toMatchObject({ bytes: file.sizeBytes, failures: [], warnings: [] })
  expect(await arrived(done.url)).toBe(file.sha256)
})

test('a server without CORS for this page is named as a possible cause', async ({ skip }) => {
  const { page, line } = await scene(skip, { cors: { origins: ['https://elsewhere.example'] } })
  await pick(page, await fileOf(1000))
  const done = await call(page, 'upload', { endpoint: line.endpoint, retryBudgetMs: 0 })
  expect(done.error).toMatchObject({ code: 'network', hint: expect.stringContaining('CORS') })
})

test('200 MiB do not pass through the memory of the page', async ({ skip }) => {
  if (process.platform !== 'linux') skip('memory is read from /proc')
  const { browser, page, line, arrived } = await scene(skip, { durability: 'process' })
  const file = await fileOf(200 * MIB)
  await pick(page, file)
  const renderers = await renderersOf(browser)
  const before = await Promise.all(renderers.map(restartPeak))
  const done = await call(page, 'upload', { endpoint: line.endpoint })
  const peaks = await Promise.all(renderers.map(peakBytes))
  expect(done).toMatchObject({ bytes: file.sizeBytes, failures: [] })
  expect(await arrived(done.url)).toBe(file.sha256)
  const growth = peaks.map((peak, index) => peak - (before[index] ?? 0))
  expect(Math.max(...growth)).toBeLessThan(40 * MIB)
})

/** Processes of pages. */
async function renderersOf(browser: Browser): Promise<readonly number[]> {
  const session = await browser.newBrowserCDPSession()
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  return processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id)
}

/** Forgets the peak of a process. @returns The memory it has now. */
async function restartPeak(pid: number): Promise<number> {
  await writeFile(`/proc/${pid}/clear_refs`, '5')
  return peakBytes(pid)
}

async function peakBytes(pid: number): Promise<number> {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'latin1')) ?? []
  return Number(kib) * 1024
}
