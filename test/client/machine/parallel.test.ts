import { expect, test } from 'vitest'
import { covers, planParts } from '../../../src/client/parallel.ts'
import { createFinal, createPartial } from '../../../src/client/standalone.ts'
import { memoryUrlStorage } from '../../../src/client/url-storage/memory.ts'
import type { SeenRequest } from '../scripted-transport.ts'
import { ENDPOINT, KiB, MiB, Rig, bytes, digest, fileLike, stream } from './rigging.ts'

const SIZE = 4 * MiB + 3

function remembering(): { readonly rig: Rig; readonly storage: ReturnType<typeof memoryUrlStorage> } {
  const storage = memoryUrlStorage()
  return { rig: new Rig({}, { urlStorage: storage }), storage }
}

test('parts cover the source without gaps', () => {
  const parts = planParts(10, 3)
  expect(parts).toEqual([
    { startBytes: 0, endBytes: 3 },
    { startBytes: 3, endBytes: 6 },
    { startBytes: 6, endBytes: 10 },
  ])
  expect(covers(parts, 10)).toBe(true)
  expect(covers(parts, 11)).toBe(false)
  expect(covers(parts.slice(1), 10)).toBe(false)
  expect(covers([], 0)).toBe(false)
})

test('parts go out at once and are put together; the partials are deleted, metadata is on the final', async () => {
  const rig = new Rig()
  const content = bytes(SIZE)
  const { url, bytes: sent } = await rig.finish(
    rig.upload(content, { parallel: 4, metadata: { album: 'a' } }).start(),
  )
  expect(sent).toBe(SIZE)
  expect(digest(rig.content(url))).toBe(digest(content))
  const posts = rig.transport.requests.filter(({ method }) => method === 'POST')
  expect(posts.map(({ header }) => header('Upload-Concat')?.split(';')[0])).toEqual([
    ...Array.from({ length: 4 }, () => 'partial'),
    'final',
  ])
  expect(posts.map(({ header }) => header('Upload-Metadata') !== undefined)).toEqual([
    false,
    false,
    false,
    false,
    true,
  ])
  expect(posts[4]?.header('Upload-Length')).toBeUndefined()
  expect(rig.transport.tus.uploads.size).toBe(1)
  expect(rig.of('url')).toEqual([{ type: 'url', url }])
})

test.each([
  [
    'a server without concatenation',
    { extensions: ['creation'] },
    (content: Uint8Array<ArrayBuffer>) => content,
  ],
  ['a stream', {}, (content: Uint8Array<ArrayBuffer>) => stream(content)],
])('%s: one after the other, with a warning', async (_, behaviour, input) => {
  const rig = new Rig(behaviour)
  const content = bytes(SIZE)
  const upload = rig.upload(input(content), { parallel: 4, sizeBytes: SIZE })
  const { url } = await rig.finish(upload.start())
  expect(digest(rig.content(url))).toBe(digest(content))
  expect(rig.of('warning')).toHaveLength(1)
})

test('a small file is not divided', async () => {
  const rig = new Rig()
  await rig.finish(rig.upload(bytes(MiB), { parallel: 4 }).start())
  expect(rig.transport.methods).toEqual(['OPTIONS', 'POST', 'PATCH'])
})

test('one part that fails again and again is retried alone', async () => {
  const rig = new Rig({ extensions: ['creation', 'concatenation'] })
  const content = bytes(SIZE)
  const isSecond = ({ url }: { readonly url: string }): boolean => url === `${ENDPOINT}/2`
  rig.transport.script('PATCH', { when: isSecond, sendBytes: 1000, end: 'drop', times: 5 })
  const { url } = await rig.finish(rig.upload(content, { parallel: 4 }).start())
  expect(digest(rig.content(url))).toBe(digest(content))
  const perUrl = (part: number): number =>
    rig.transport.requests.filter(({ method, url }) => method === 'PATCH' && url === `${ENDPOINT}/${part}`)
      .length
  expect([1, 2, 3, 4].map(perUrl)).toEqual([1, 6, 1, 1])
  expect(rig.transport.sentBytes).toBe(SIZE)
})

test('a part that fails for good stops the others, and start() goes on with what is there', async () => {
  const rig = new Rig({ extensions: ['creation', 'concatenation'] })
  const content = bytes(SIZE)
  rig.transport.script('PATCH', { status: 403, when: ({ url }) => url === `${ENDPOINT}/1` })
  const upload = rig.upload(content, { parallel: 4, chunkSizeBytes: 256 * KiB })
  await expect(rig.finish(upload.start())).rejects.toMatchObject({ status: 403 })
  expect(rig.transport.sentBytes).toBeLessThan(2 * MiB)
  const requests = rig.transport.requests.length
  await rig.clock.advance(60_000)
  expect(rig.transport.requests.length).toBe(requests)
  const { url } = await rig.finish(upload.start())
  expect(digest(rig.content(url))).toBe(digest(content))
})

test('pause and resume of parts', async () => {
  const rig = new Rig()
  const content = bytes(SIZE)
  const upload = rig.upload(content, { parallel: 4 })
  let pieces = 0
  rig.transport.onPiece = () => {
    if (++pieces === 40) void upload.pause()
  }
  const started = upload.start()
  await rig.clock.advance(10)
  expect(upload.state).toBe('paused')
  void upload.resume()
  const { url } = await rig.finish(started)
  expect(digest(rig.content(url))).toBe(digest(content))
  expect(rig.transport.sentBytes).toBe(SIZE)
})

test('the plan is stored before the first byte', async () => {
  const { rig, storage } = remembering()
  rig.transport.script('POST', { end: 'hang', times: 9 })
  const upload = rig.upload(fileLike(bytes(SIZE)), { parallel: 2 })
  upload.start().catch(() => undefined)
  await rig.clock.advance(100)
  const [entry] = await storage.list()
  expect(entry?.parts).toEqual([
    { startBytes: 0, endBytes: 2 * MiB + 1 },
    { startBytes: 2 * MiB + 1, endBytes: SIZE },
  ])
  await rig.finish(upload.cancel())
})

test.each([1, 2, 7])(
  'another run goes on with the stored plan, whatever it would plan itself (parallel: %i)',
  async (parallel) => {
    const { rig, storage } = remembering()
    const content = bytes(SIZE)
    // Of four parts one is complete, one has begun, two were never created.
    const first = rig.upload(fileLike(content), { parallel: 4, chunkSizeBytes: 512 * KiB })
    await rig.finish(first.start({ stopAt: MiB + 512 * KiB }))
    expect((await storage.list())[0]?.parts?.map(({ url }) => url !== undefined)).toEqual([
      true,
      true,
      false,
      false,
    ])
    const sent = rig.transport.sentBytes
    const { url } = await rig.finish(rig.upload(fileLike(content), { parallel }).start())
    expect(digest(rig.content(url))).toBe(digest(content))
    expect(rig.transport.sentBytes - sent).toBe(SIZE - MiB - 512 * KiB)
    expect(await storage.list()).toEqual([])
  },
)

test('a part that is lost is sent again, the others are kept', async () => {
  const { rig } = remembering()
  const content = bytes(SIZE)
  const first = rig.upload(fileLike(content), { parallel: 4 })
  await rig.finish(first.start({ stopAt: 2 * MiB }))
  rig.transport.tus.uploads.delete(`${ENDPOINT}/1`)
  const sent = rig.transport.sentBytes
  const { url } = await rig.finish(rig.upload(fileLike(content), { parallel: 4 }).start())
  expect(digest(rig.content(url))).toBe(digest(content))
  expect(rig.transport.sentBytes - sent).toBeLessThan(3.1 * MiB + MiB)
})

test('after the final upload is made, another run attaches to it', async () => {
  const { rig, storage } = remembering()
  const content = bytes(SIZE)
  const upload = rig.upload(fileLike(content), { parallel: 2, keepEntry: true })
  const { url } = await rig.finish(upload.start())
  expect((await storage.list())[0]?.url).toBe(url)
  const again = await rig.finish(rig.upload(fileLike(content), { parallel: 2 }).start())
  expect(again.url).toBe(url)
  expect(rig.transport.methods.at(-1)).toBe('HEAD')
})

test('a partial that cannot be deleted is no failure', async () => {
  const rig = new Rig()
  rig.transport.script('DELETE', { status: 500, times: 2 })
  await rig.finish(rig.upload(bytes(SIZE), { parallel: 2 }).start())
  expect(rig.transport.methods.filter((method) => method === 'DELETE')).toHaveLength(2)
})

test('the final upload is retried', async () => {
  const rig = new Rig()
  const content = bytes(SIZE)
  const isFinal = ({ header }: SeenRequest): boolean => header('Upload-Concat')?.startsWith('final') === true
  rig.transport.script('POST', { status: 503, when: isFinal, times: 2 })
  const { url } = await rig.finish(rig.upload(content, { parallel: 2 }).start())
  expect(digest(rig.content(url))).toBe(digest(content))
})

test('cancel with terminate deletes every part', async () => {
  const rig = new Rig()
  rig.transport.script('PATCH', { end: 'hang', times: 4, sendBytes: 10 })
  const upload = rig.upload(bytes(SIZE + 4 * MiB), { parallel: 4 })
  upload.start().catch(() => undefined)
  await rig.clock.advance(100)
  expect(rig.transport.tus.uploads.size).toBe(4)
  await rig.finish(upload.cancel({ terminate: true }))
  expect(rig.transport.tus.uploads.size).toBe(0)
})

test('createPartial() and createFinal(): an upload split over devices', async () => {
  const rig = new Rig()
  const content = bytes(1000)
  const options = { endpoint: ENDPOINT }
  const part = (startBytes: number, endBytes: number): Promise<{ readonly url: string }> =>
    rig.finish(createPartial(rig.platform, content, { ...options, startBytes, endBytes }))
  const [a, b] = [await part(0, 400), await part(400, 1000)]
  const url = await rig.finish(
    createFinal(rig.platform, [a.url, b.url], { ...options, metadata: { filename: 'x' } }),
  )
  expect(digest(rig.content(url))).toBe(digest(content))
})

test('a part that is gone when the parts are put together is found out and sent again by the next run', async () => {
  const rig = new Rig()
  const content = bytes(SIZE)
  const upload = rig.upload(content, { parallel: 4 })
  const isFinal = ({ header }: SeenRequest): boolean => header('Upload-Concat')?.startsWith('final') === true
  rig.transport.script('POST', { status: 404, when: isFinal })
  await expect(rig.finish(upload.start())).rejects.toMatchObject({ status: 404 })
  rig.transport.tus.uploads.delete(`${ENDPOINT}/2`)
  const { url } = await rig.finish(upload.start())
  expect(digest(rig.content(url))).toBe(digest(content))
})
