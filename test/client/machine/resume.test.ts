import { expect, test, vi } from 'vitest'
import type { UploadOptions } from '../../../src/client/options.ts'
import type { Source } from '../../../src/client/ports/source.ts'
import type { StoredUpload, UrlStorage } from '../../../src/client/ports/url-storage.ts'
import { SourceChanged } from '../../../src/client/errors.ts'
import { findPreviousUploads } from '../../../src/client/standalone.ts'
import { memoryUrlStorage } from '../../../src/client/url-storage/memory.ts'
import { ENDPOINT, MiB, Rig, bytes, digest, fileLike } from './rigging.ts'

function remembering(overrides: Partial<UrlStorage> = {}): {
  readonly rig: Rig
  readonly storage: UrlStorage
} {
  const clock = { nowMs: Date.now }
  const storage: UrlStorage = { ...memoryUrlStorage({ nowMs: () => clock.nowMs() }), ...overrides }
  const rig = new Rig({}, { urlStorage: storage })
  clock.nowMs = () => rig.clock.nowMs()
  return { rig, storage }
}

/** A run that dies after its first MiB, as kill -9 would leave it: the entry stays, the right does not. */
async function halfDone(rig: Rig, source: Source, options: UploadOptions = {}): Promise<string> {
  const upload = rig.upload(source, options)
  await rig.finish(upload.start({ stopAt: MiB }))
  return upload.url ?? ''
}

test('another run goes on where the first one stopped, and forgets the entry at the end', async () => {
  const { rig, storage } = remembering()
  const content = bytes(2 * MiB)
  const url = await halfDone(rig, fileLike(content))
  const [entry] = await storage.list()
  expect(entry).toMatchObject({
    url,
    endpoint: ENDPOINT,
    sizeBytes: content.length,
    path: '/home/me/holiday.mp4',
  })
  const again = await rig.finish(rig.upload(fileLike(content)).start())
  expect(again.url).toBe(url)
  expect(rig.transport.methods).toEqual(['OPTIONS', 'POST', 'PATCH', 'HEAD', 'PATCH'])
  expect(digest(rig.content(url))).toBe(digest(content))
  expect(await storage.list()).toEqual([])
})

test('the order of the metadata is of no importance', async () => {
  const { rig } = remembering()
  const content = bytes(2 * MiB)
  const url = await halfDone(rig, fileLike(content), { metadata: { a: '1', b: '2' } })
  const again = await rig.finish(rig.upload(fileLike(content), { metadata: { b: '2', a: '1' } }).start())
  expect(again.url).toBe(url)
})

test('keepEntry keeps it', async () => {
  const { rig, storage } = remembering()
  await rig.finish(rig.upload(fileLike(bytes(10)), { keepEntry: true }).start())
  expect(await storage.list()).toHaveLength(1)
})

test.each([
  ['another content', (content: Uint8Array<ArrayBuffer>) => fileLike(content.map((byte) => byte ^ 1)), {}],
  [
    'another time',
    (content: Uint8Array<ArrayBuffer>) =>
      fileLike(content, { traits: { name: 'holiday.mp4', modifiedMs: 2 } }),
    {},
  ],
  ['another metadata', fileLike, { metadata: { album: '2' } }],
  ['another endpoint', fileLike, { endpoint: `${ENDPOINT}2` }],
])('%s is another upload', async (_, other, options) => {
  const { rig } = remembering()
  const content = bytes(2 * MiB)
  const url = await halfDone(rig, fileLike(content))
  const again = await rig.finish(rig.upload(other(content), options).start())
  expect(again.url).not.toBe(url)
  expect(rig.transport.tus.uploads.get(url)?.content).toHaveLength(MiB)
})

test.each([
  ['has another length', { length: 5, content: new Uint8Array(0) }],
  ['has other metadata', { metadata: `filename ${Buffer.from('x').toString('base64')}` }],
])('a remembered upload that %s on the server is left alone, and a new one made', async (_, change) => {
  const { rig } = remembering()
  const content = bytes(2 * MiB)
  const url = await halfDone(rig, fileLike(content))
  rig.transport.tus.begin(url, { length: content.length, ...change })
  const again = await rig.finish(rig.upload(fileLike(content)).start())
  expect(again.url).not.toBe(url)
  expect(digest(rig.content(again.url))).toBe(digest(content))
  expect(rig.transport.tus.uploads.has(url)).toBe(true)
  expect(rig.of('warning')).toHaveLength(1)
})

test('an upload that the caller names and that is another one is an error', async () => {
  const rig = new Rig()
  rig.transport.tus.begin(`${ENDPOINT}/old`, { length: 5 })
  const upload = rig.upload(bytes(10)).resumeFrom(`${ENDPOINT}/old`)
  await expect(rig.finish(upload.start())).rejects.toMatchObject({ code: 'protocol' })
})

test('an expired entry is not tried, and removed', async () => {
  const { rig, storage } = remembering()
  const content = bytes(2 * MiB)
  rig.transport.tus.behaviour.expiresAtMs = rig.clock.nowMs() + 60_000
  const url = await halfDone(rig, fileLike(content))
  await rig.clock.advance(61_000)
  expect((await storage.list())[0]?.expiresAtMs).toBeDefined()
  const again = await rig.finish(rig.upload(fileLike(content)).start())
  expect(again.url).not.toBe(url)
  expect(rig.transport.methods).not.toContain('HEAD')
  expect(await storage.list()).toEqual([])
})

test.each([404, 410])('an upload that is gone (%i, twice) begins anew', async (status) => {
  const { rig } = remembering()
  const content = bytes(2 * MiB)
  const url = await halfDone(rig, fileLike(content))
  rig.transport.script('HEAD', { status, times: 2 })
  const onUploadLost = vi.fn(() => 'restart' as const)
  const again = await rig.finish(rig.upload(fileLike(content), { onUploadLost }).start())
  expect(onUploadLost).toHaveBeenCalledExactlyOnceWith({ url, acceptedBytes: 0 })
  expect(again.url).not.toBe(url)
  expect(digest(rig.content(again.url))).toBe(digest(content))
})

test('one 404 is not believed', async () => {
  const { rig } = remembering()
  const content = bytes(2 * MiB)
  const url = await halfDone(rig, fileLike(content))
  rig.transport.script('HEAD', { status: 404 })
  expect((await rig.finish(rig.upload(fileLike(content)).start())).url).toBe(url)
})

test('404 on PATCH is confirmed by HEAD before the upload begins anew', async () => {
  const rig = new Rig()
  const content = bytes(2 * MiB)
  rig.transport.script('PATCH', { status: 404 }).script('HEAD', { status: 404 })
  const { url } = await rig.finish(rig.upload(content).start())
  expect(rig.exchanges.slice(2)).toEqual(['PATCH 404', 'HEAD 404', 'POST 201', 'PATCH 204'])
  expect(digest(rig.content(url))).toBe(digest(content))
})

test('onUploadLost may refuse; the entry is gone all the same', async () => {
  const { rig, storage } = remembering()
  const content = bytes(2 * MiB)
  await halfDone(rig, fileLike(content))
  rig.transport.script('HEAD', { status: 410, times: 2 })
  const upload = rig.upload(fileLike(content), { onUploadLost: () => 'fail' })
  await expect(rig.finish(upload.start())).rejects.toMatchObject({ status: 410 })
  expect(await storage.list()).toEqual([])
})

test('403 on HEAD is final and keeps the entry', async () => {
  const { rig, storage } = remembering()
  const content = bytes(2 * MiB)
  await halfDone(rig, fileLike(content))
  rig.transport.script('HEAD', { status: 403 })
  await expect(rig.finish(rig.upload(fileLike(content)).start())).rejects.toMatchObject({ status: 403 })
  expect(await storage.list()).toHaveLength(1)
})

test('a server that loses every upload is not sent the file for ever', async () => {
  const rig = new Rig()
  rig.transport.script('PATCH', { status: 404, times: 99 }).script('HEAD', { status: 404, times: 99 })
  await expect(rig.finish(rig.upload(bytes(2 * MiB)).start())).rejects.toMatchObject({ status: 404 })
  expect(rig.transport.methods.filter((method) => method === 'POST').length).toBeLessThanOrEqual(4)
})

test('a source that has changed is not gone on with', async () => {
  const rig = new Rig()
  const content = bytes(2 * MiB)
  rig.transport.script('PATCH', { sendBytes: 10, end: 'drop' })
  const source = fileLike(content, {
    verify: () => Promise.reject(new SourceChanged('the file has grown')),
  })
  await expect(rig.finish(rig.upload(source).start())).rejects.toMatchObject({ name: 'SourceChanged' })
  expect(rig.transport.methods.at(-1)).toBe('PATCH')
})

test('a source that is another one after a failure is not gone on with', async () => {
  const rig = new Rig()
  let modifiedMs = 1
  const { platform } = rig
  const content = bytes(2 * MiB)
  const changing = {
    ...platform,
    openSource: async () => fileLike(content, { traits: { modifiedMs: modifiedMs++ } }),
  }
  Object.assign(rig.platform, changing)
  rig.transport.script('PATCH', { status: 403 })
  const upload = rig.upload('path')
  await expect(rig.finish(upload.start())).rejects.toMatchObject({ status: 403 })
  await expect(rig.finish(upload.start())).rejects.toMatchObject({ name: 'SourceChanged' })
})

test.each(['find', 'put', 'remove', 'lock'] as const)(
  'a storage whose %s fails does not break the upload',
  async (method) => {
    const { rig } = remembering({ [method]: () => Promise.reject(new Error('disk full')) })
    const content = bytes(2 * MiB)
    const { url } = await rig.finish(rig.upload(fileLike(content)).start())
    expect(digest(rig.content(url))).toBe(digest(content))
    expect(rig.of('warning')[0]).toMatchObject({ message: expect.stringContaining(method) as string })
  },
)

test('urlStorage: false remembers nothing', async () => {
  const { rig, storage } = remembering()
  await halfDone(rig, fileLike(bytes(2 * MiB)), { urlStorage: false })
  expect(await storage.list()).toEqual([])
})

test('findPreviousUploads() finds what was begun, resumeFrom() takes it', async () => {
  const { rig } = remembering()
  const content = bytes(2 * MiB)
  const url = await halfDone(rig, fileLike(content))
  const found = await findPreviousUploads(rig.platform, fileLike(content), { endpoint: ENDPOINT })
  expect(found.map((entry) => entry.url)).toEqual([url])
  const upload = rig.upload(fileLike(content)).resumeFrom(found[0] as StoredUpload)
  expect((await rig.finish(upload.start())).url).toBe(url)
})

test('two with the same upload: the second waits, then finds it complete and attaches', async () => {
  const { rig } = remembering()
  const content = bytes(2 * MiB)
  let go = (): void => undefined
  rig.transport.script('PATCH', { hold: new Promise<void>((resolve) => (go = resolve)) })
  const first = rig.upload(fileLike(content))
  const second = rig.upload(fileLike(content))
  const firstStarted = first.start()
  await rig.clock.advance(100)
  const secondStarted = second.start()
  await rig.clock.advance(5000)
  expect([first.state, second.state]).toEqual(['uploading', 'waiting'])
  go()
  const results = await rig.finish(Promise.all([firstStarted, secondStarted]))
  expect(results[1].url).toBe(results[0].url)
  expect(rig.transport.mostWriters).toBe(1)
  expect(rig.transport.methods.filter((method) => method === 'POST')).toHaveLength(1)
})

test('when the first is cut off, the second goes on with its upload', async () => {
  const { rig } = remembering()
  const content = bytes(2 * MiB)
  rig.transport.script('PATCH', { sendBytes: 100_000, end: 'hang' })
  const first = rig.upload(fileLike(content))
  const second = rig.upload(fileLike(content))
  void first.start().catch(() => undefined)
  await rig.clock.advance(100)
  const started = second.start()
  await rig.clock.advance(3000)
  await first.pause()
  const { url } = await rig.finish(started)
  expect(url).toBe(first.url)
  expect(digest(rig.content(url))).toBe(digest(content))
  expect(rig.transport.sentBytes).toBe(content.length)
})

test('a wait for another ends with a pause', async () => {
  const { rig, storage } = remembering()
  const content = bytes(2 * MiB)
  rig.transport.script('PATCH', { end: 'hang', times: 9 })
  const first = rig.upload(fileLike(content))
  first.start().catch(() => undefined)
  await rig.clock.advance(100)
  const second = rig.upload(fileLike(content))
  second.start().catch(() => undefined)
  await rig.clock.advance(100)
  await second.pause()
  expect(second.state).toBe('paused')
  await rig.finish(Promise.all([second.cancel(), first.cancel()]))
  expect(await storage.list()).toHaveLength(1)
  expect(rig.clock.pending).toBe(0)
})
