import { expect, test } from 'vitest'
import type { UploadOptions } from '../../../src/client/options.ts'
import type { Features } from '../../../src/client/ports/features.ts'
import { openBlob } from '../../../src/client/sources/open-blob.ts'
import { ENDPOINT, KiB, MiB, Rig, bytes, digest } from './rigging.ts'

/** A platform as the core for pages makes it. */
function core(features: Features = {}, behaviour: ConstructorParameters<typeof Rig>[0] = {}): Rig {
  return new Rig(behaviour, { features, openSource: openBlob, hashing: undefined })
}

test('without features a server is not asked what it can do: creation, PATCH and HEAD are enough', async () => {
  const rig = core()
  const content = bytes(2 * MiB)
  rig.transport.script('PATCH', { sendBytes: 100_000, end: 'drop' }).script('PATCH', { status: 503 })
  const { url } = await rig.finish(rig.upload(content, { metadata: { album: 'a' } }).start())
  expect(rig.exchanges).toEqual(['POST 201', 'PATCH -', 'HEAD 200', 'PATCH 503', 'HEAD 200', 'PATCH 204'])
  expect(digest(rig.content(url))).toBe(digest(content))
})

test('413 halves the requests', async () => {
  const rig = core({}, { maxBodyBytes: 256 * KiB })
  const content = bytes(MiB)
  const { url } = await rig.finish(rig.upload(content).start())
  expect(digest(rig.content(url))).toBe(digest(content))
  expect(rig.transport.requests.filter(({ status }) => status === 413)).toHaveLength(2)
})

test('an upload that exists, pause and resume, and a lost upload', async () => {
  const rig = core()
  const content = bytes(MiB)
  rig.transport.tus.begin(`${ENDPOINT}/old`, { content: content.slice(0, 1000), length: content.length })
  rig.transport.script('PATCH', { sendBytes: 1000, end: 'hang' })
  const upload = rig.upload(content, { uploadUrl: `${ENDPOINT}/old` })
  const started = upload.start()
  await rig.clock.advance(1000)
  await upload.pause()
  rig.transport.tus.uploads.delete(`${ENDPOINT}/old`)
  void upload.resume()
  const { url } = await rig.finish(started)
  expect(url).toBe(`${ENDPOINT}/1`)
  expect(digest(rig.content(url))).toBe(digest(content))
})

test.each<[string, unknown]>([
  ['text', 'häh😀'],
  ['a view', new Uint8Array(Buffer.from('häh😀'))],
  ['a buffer', new Uint8Array(Buffer.from('häh😀')).buffer],
  ['a Blob', new Blob(['häh😀'])],
])('%s is sent', async (_, input) => {
  const rig = core()
  const { url } = await rig.finish(rig.upload(input).start())
  expect(Buffer.from(rig.content(url) ?? []).toString()).toBe('häh😀')
})

test.each([5, null, undefined, {}, [1], new SharedArrayBuffer(3)])(
  '%o is refused, not made text of',
  async (input) => {
    const rig = core()
    await expect(rig.finish(rig.upload(input).start())).rejects.toMatchObject({ code: 'source' })
  },
)

test.each<UploadOptions>([
  { parallel: 2 },
  { checksum: 'sha1' },
  { maxBytesPerSecond: 1 },
  { required: [] },
  { deferLength: true },
])('%o needs a feature', (options) => {
  expect(() => core().upload(bytes(1), options)).toThrow(TypeError)
})

test('what is its default anyway needs none', () => {
  core().upload(bytes(1), { parallel: 1, urlStorage: false })
})

test('a feature that is added works', async () => {
  const { required, parallel } = new Rig().platform.features
  const rig = core({ required, parallel })
  const content = bytes(3 * MiB)
  const { url } = await rig.finish(rig.upload(content, { parallel: 3 }).start())
  expect(digest(rig.content(url))).toBe(digest(content))
  expect(rig.transport.methods.filter((method) => method === 'POST')).toHaveLength(4)
})
