/* The client for browsers in Chromium, against our server on another origin: everything that interrupts a visitor. */
import { appendFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { proxyTo } from '../support/transfers.ts'
import type { Line } from './line.ts'
import { browserScenes, call, fileOf, MIB, pick } from './scene.ts'

const scene = browserScenes()
const SIZE = 8 * MIB + 77
const HALT = 3 * MIB
/** Sent with a creation. */
const WITH_CREATION = 256 * 1024
/** Longer than any test: it ends only by what the test does. */
const NEVER_MS = 600_000

/** Where PATCHes began. Chromium by itself sends a request again whose connection broke: that is no other place. */
function offsets(line: Line): readonly number[] {
  return [...new Set(line.requests('PATCH').map(({ headers }) => Number(headers.get('upload-offset'))))]
}

test('a paused upload sends nothing, and goes on where it was', async ({ skip }) => {
  const { page, line, arrived } = await scene(skip)
  const file = await fileOf(SIZE)
  await pick(page, file)
  line.haltAt(HALT)
  await call(page, 'begin', { endpoint: line.endpoint })
  await line.halted()
  expect(await call(page, 'pause')).toBe('paused')
  line.free()
  const quiet = line.proxy.requests.length
  expect(await call(page, 'remembered', { endpoint: line.endpoint })).toEqual({ found: 1, all: 1 })
  expect(line.proxy.requests).toHaveLength(quiet)
  await call(page, 'resume')
  const done = await call(page, 'outcome')
  expect(done).toMatchObject({ bytes: SIZE, failures: [], isSteady: true })
  expect(done.states).toEqual(['preparing', 'uploading', 'paused', 'preparing', 'uploading', 'complete'])
  expect(offsets(line)).toEqual([WITH_CREATION, WITH_CREATION + HALT])
  expect(await arrived(done.url)).toBe(file.sha256)
})

test('a page that is loaded anew goes on with the file that is picked again', async ({ skip }) => {
  const { page, line, arrived } = await scene(skip)
  const file = await fileOf(SIZE)
  await pick(page, file)
  line.haltAt(HALT)
  await call(page, 'begin', { endpoint: line.endpoint })
  await line.halted()
  await page.reload()
  line.free()
  await pick(page, file)
  expect(await call(page, 'remembered', { endpoint: line.endpoint })).toEqual({ found: 1, all: 1 })
  const done = await call(page, 'upload', { endpoint: line.endpoint })
  expect(done).toMatchObject({ bytes: SIZE, failures: [] })
  expect(line.requests('POST')).toHaveLength(1)
  expect(offsets(line)).toEqual([WITH_CREATION, WITH_CREATION + HALT])
  expect(await arrived(done.url)).toBe(file.sha256)
  expect(await call(page, 'remembered', { endpoint: line.endpoint })).toEqual({ found: 0, all: 0 })
})

test('a page that is loaded anew goes on with each of the parallel parts', async ({ skip }) => {
  const { page, line, arrived } = await scene(skip)
  const file = await fileOf(SIZE)
  const wanted = { endpoint: line.endpoint, parallel: 3 }
  await pick(page, file)
  line.haltAt(MIB)
  await call(page, 'begin', wanted)
  await line.halted(3)
  await page.reload()
  line.free()
  await pick(page, file)
  const done = await call(page, 'upload', wanted)
  expect(done).toMatchObject({ bytes: SIZE, failures: [] })
  expect(line.requests('POST')).toHaveLength(4)
  expect(offsets(line)).toEqual([0, MIB])
  expect(await arrived(done.url)).toBe(file.sha256)
})

test('after another file was picked, nothing is mixed', async ({ skip }) => {
  const { page, line, arrived } = await scene(skip)
  const [file, other] = [await fileOf(SIZE), await fileOf(SIZE - 1)]
  await pick(page, file)
  line.haltAt(HALT)
  await call(page, 'begin', { endpoint: line.endpoint })
  await line.halted()
  await page.reload()
  line.free()
  await pick(page, other)
  const done = await call(page, 'upload', { endpoint: line.endpoint })
  expect(line.requests('POST')).toHaveLength(2)
  expect(await arrived(done.url)).toBe(other.sha256)
  expect(await call(page, 'remembered', { endpoint: line.endpoint })).toEqual({ found: 0, all: 1 })
})

test('a file that is changed while the upload is paused is not mixed', async ({ skip }) => {
  const { page, line } = await scene(skip)
  const file = await fileOf(SIZE)
  await pick(page, file)
  line.haltAt(HALT)
  await call(page, 'begin', { endpoint: line.endpoint })
  await line.halted()
  await call(page, 'pause')
  line.free()
  await appendFile(file.path, 'one line more')
  await call(page, 'resume')
  const { error } = await call(page, 'outcome')
  expect(error).toMatchObject({ name: 'SourceChanged', code: 'source' })
  expect(line.requests('PATCH')).toHaveLength(1)
})

test('offline it waits, and back online it goes on at once', async ({ skip }) => {
  const { context, page, line, arrived } = await scene(skip)
  const file = await fileOf(SIZE)
  await pick(page, file)
  line.haltAt(HALT)
  await call(page, 'begin', { endpoint: line.endpoint, retryBaseMs: NEVER_MS, retryMaxMs: NEVER_MS })
  await line.halted()
  // A request that is under way takes no notice of this: it ends as it does when the network is gone.
  await context.setOffline(true)
  await line.proxy.refuse()
  await call(page, 'reached', 'waiting')
  line.free()
  await line.proxy.accept()
  await context.setOffline(false)
  const done = await call(page, 'outcome')
  expect(done).toMatchObject({ bytes: SIZE, failures: ['offline'], isSteady: true })
  expect(done.states).toEqual(['preparing', 'uploading', 'waiting', 'uploading', 'complete'])
  expect(await arrived(done.url)).toBe(file.sha256)
  expect(offsets(line)).toEqual([WITH_CREATION, WITH_CREATION + HALT])
})

test('a server that is away for a moment gets the rest when it is back', async ({ skip }) => {
  const { page, line, arrived } = await scene(skip)
  const file = await fileOf(SIZE)
  await pick(page, file)
  line.haltAt(MIB)
  await call(page, 'begin', { endpoint: line.endpoint, parallel: 3, retryBaseMs: 50, retryMaxMs: 100 })
  await line.halted(3)
  await line.proxy.refuse()
  await call(page, 'reached', 'waiting')
  line.free()
  await line.proxy.accept()
  const done = await call(page, 'outcome')
  expect(done).toMatchObject({ bytes: SIZE, isSteady: true })
  expect(new Set(done.failures)).toEqual(new Set(['network']))
  expect(await arrived(done.url)).toBe(file.sha256)
  expect(line.proxy.counts.bodyBytes).toBeLessThan(SIZE * 1.2)
})

test('a second tab waits, and takes what the first one has brought there', async ({ skip }) => {
  const { page: first, open, line, arrived } = await scene(skip)
  const file = await fileOf(SIZE)
  const second = await open()
  for (const page of [first, second]) await pick(page, file)
  line.haltAt(HALT)
  await call(first, 'begin', { endpoint: line.endpoint, retryBaseMs: 20 })
  await line.halted()
  await call(second, 'begin', { endpoint: line.endpoint })
  await call(second, 'reached', 'waiting')
  line.free()
  const [one, other] = await Promise.all([call(first, 'outcome'), call(second, 'outcome')])
  expect(other).toMatchObject({ url: one.url, bytes: SIZE, failures: [] })
  expect(line.requests('POST')).toHaveLength(1)
  expect(offsets(line)).toEqual([WITH_CREATION, WITH_CREATION + HALT])
  expect(await arrived(one.url)).toBe(file.sha256)
})

test('a second tab goes on when the first one is closed', async ({ skip }) => {
  const { page: first, open, line, arrived } = await scene(skip)
  const file = await fileOf(SIZE)
  const second = await open()
  for (const page of [first, second]) await pick(page, file)
  line.haltAt(HALT)
  await call(first, 'begin', { endpoint: line.endpoint })
  await line.halted()
  await call(second, 'begin', { endpoint: line.endpoint })
  await call(second, 'reached', 'waiting')
  await first.close()
  line.free()
  const done = await call(second, 'outcome')
  expect(done.states).toEqual(['preparing', 'waiting', 'preparing', 'uploading', 'complete'])
  expect(line.requests('POST')).toHaveLength(1)
  expect(offsets(line)).toEqual([WITH_CREATION, WITH_CREATION + HALT])
  expect(await arrived(done.url)).toBe(file.sha256)
})

test('over a line that breaks again and again the file arrives', async ({ skip }) => {
  const { page, server, arrived } = await scene(skip)
  const proxy = await proxyTo(server.url, {
    onConnection: (_, random) => ({
      act: 'cut',
      of: 'client',
      afterBytes: Math.floor((0.5 + random()) * MIB),
    }),
  })
  const file = await fileOf(SIZE)
  await pick(page, file)
  const wanted = { endpoint: proxy.through(server.url), parallel: 2, retryBaseMs: 5, retryMaxMs: 20 }
  const done = await call(page, 'upload', wanted)
  expect(proxy.counts.cuts).toBeGreaterThan(4)
  expect(done).toMatchObject({ bytes: SIZE, warnings: [], isSteady: true })
  expect(await arrived(done.url)).toBe(file.sha256)
})
