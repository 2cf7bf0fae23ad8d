import { expect, test } from 'vitest'
import type { SeenRequest } from '../scripted-transport.ts'
import { KiB, MiB, ENDPOINT, Rig, bytes, digest, fileLike, stream } from './rigging.ts'

test('a small file goes out with its creation, in one request after OPTIONS', async () => {
  const rig = new Rig()
  const content = bytes(100 * KiB)
  const result = await rig.finish(rig.upload(content).start())
  expect(rig.exchanges).toEqual(['OPTIONS 204', 'POST 201'])
  expect(result).toEqual({ url: `${ENDPOINT}/1`, bytes: content.length, isComplete: true })
  expect(digest(rig.content(result.url))).toBe(digest(content))
})

test('of a large file only the first 256 KiB go with the creation, the rest in one PATCH', async () => {
  const rig = new Rig()
  const content = bytes(3 * MiB)
  const { url } = await rig.finish(rig.upload(content).start())
  expect(rig.transport.requests.map(({ method, sentBytes }) => [method, sentBytes])).toEqual([
    ['OPTIONS', 0],
    ['POST', 256 * KiB],
    ['PATCH', 3 * MiB - 256 * KiB],
  ])
  expect(digest(rig.content(url))).toBe(digest(content))
})

test('without creation-with-upload the POST is empty', async () => {
  const rig = new Rig({ extensions: ['creation'] })
  const content = bytes(10)
  await rig.finish(rig.upload(content).start())
  expect(rig.exchanges).toEqual(['OPTIONS 204', 'POST 201', 'PATCH 204'])
  expect(rig.transport.requests[1]?.sentBytes).toBe(0)
})

test('a server that does not answer OPTIONS gets creation, PATCH and HEAD only', async () => {
  const rig = new Rig()
  rig.transport.script('OPTIONS', { status: 404 })
  await rig.finish(rig.upload(bytes(10), { parallel: 4, checksum: 'sha256' }).start())
  expect(rig.exchanges).toEqual(['OPTIONS 404', 'POST 201', 'PATCH 204'])
  expect(rig.of('warning').map(({ message }) => message)).toEqual([
    expect.stringContaining('parallel'),
    expect.stringContaining('sha256'),
  ])
})

test('an empty file is one POST', async () => {
  const rig = new Rig()
  const { url } = await rig.finish(rig.upload(new Uint8Array(0)).start())
  expect(rig.exchanges).toEqual(['OPTIONS 204', 'POST 201'])
  expect(rig.transport.requests[1]?.header('Upload-Length')).toBe('0')
  expect(rig.content(url)).toHaveLength(0)
})

test.each([
  ['keeps fewer bytes than were sent', { sendBytes: 100 }],
  ['does not say how many it kept', { headers: { 'Upload-Offset': undefined } }],
  ['says less than nothing', { headers: { 'Upload-Offset': '-5' } }],
])('a creation whose answer %s is gone on with from what the server has', async (_, script) => {
  const rig = new Rig()
  const content = bytes(200 * KiB)
  rig.transport.script('POST', script)
  const { url } = await rig.finish(rig.upload(content).start())
  expect(digest(rig.content(url))).toBe(digest(content))
  expect(rig.transport.methods.filter((method) => method === 'POST')).toHaveLength(1)
})

test('metadata: name and type of the file, overridden by the caller, any Unicode', async () => {
  const rig = new Rig()
  const upload = rig.upload(fileLike(bytes(10)), { metadata: { filename: 'Ünï 📁.mp4', album: '' } })
  await rig.finish(upload.start())
  const encode = (text: string): string => Buffer.from(text).toString('base64')
  expect(rig.transport.requests[1]?.header('Upload-Metadata')).toBe(
    `filename ${encode('Ünï 📁.mp4')},filetype ${encode('video/mp4')},album`,
  )
})

test('a metadata key with a space is refused at construction', () => {
  expect(() => new Rig().upload(bytes(1), { metadata: { 'my key': '1' } })).toThrow(TypeError)
})

test('a file larger than the server takes fails before it is read', async () => {
  const rig = new Rig({ maxSizeBytes: 10 })
  await expect(rig.finish(rig.upload(bytes(11)).start())).rejects.toMatchObject({
    code: 'server',
    status: 413,
  })
  expect(rig.transport.methods).toEqual(['OPTIONS'])
})

test.each(['parallel', 'checksum', 'deferred-length', 'termination'] as const)(
  'a required feature that the server lacks is refused before a byte is sent: %s',
  async (feature) => {
    const rig = new Rig({ extensions: ['creation'] })
    const upload = rig.upload(bytes(10), { required: [feature], parallel: 2, checksum: 'sha1' })
    await expect(rig.finish(upload.start())).rejects.toMatchObject({ name: 'Unsupported', code: 'protocol' })
    expect(rig.transport.methods).toEqual(['OPTIONS'])
  },
)

test('a range of the source', async () => {
  const rig = new Rig()
  const content = bytes(1000)
  const { url } = await rig.finish(rig.upload(content, { startBytes: 100, endBytes: 900 }).start())
  expect(digest(rig.content(url))).toBe(digest(content.subarray(100, 900)))
})

test('chunks of a wished size, and no HEAD after a success', async () => {
  const rig = new Rig({ extensions: ['creation'] })
  const content = bytes(10_000)
  await rig.finish(rig.upload(content, { chunkSizeBytes: 4000 }).start())
  expect(
    rig.transport.requests.filter(({ method }) => method === 'PATCH').map(({ sentBytes }) => sentBytes),
  ).toEqual([4000, 4000, 2000])
  expect(rig.transport.methods).not.toContain('HEAD')
})

test('413 halves the chunk until the server takes it, and the next upload knows', async () => {
  const rig = new Rig({ maxBodyBytes: 256 * KiB })
  const content = bytes(MiB)
  const { url } = await rig.finish(rig.upload(content).start())
  expect(digest(rig.content(url))).toBe(digest(content))
  const refused = rig.transport.requests.filter(({ status }) => status === 413).length
  expect(refused).toBeLessThan(5)
  await rig.finish(rig.upload(content).start())
  expect(rig.transport.requests.filter(({ status }) => status === 413)).toHaveLength(refused)
})

test('413 for an empty creation is final', async () => {
  const rig = new Rig()
  rig.transport.script('POST', { status: 413, times: 5 })
  await expect(rig.finish(rig.upload(bytes(10)).start())).rejects.toMatchObject({ status: 413 })
  expect(rig.transport.methods).toEqual(['OPTIONS', 'POST', 'POST'])
})

test('an endpoint that is no tus server is asked once', async () => {
  const rig = new Rig()
  rig.transport.script('OPTIONS', { status: 200, text: '<html>', headers: {} })
  rig.transport.script('POST', { status: 200, text: '<html>', times: 9 })
  await expect(rig.finish(rig.upload(bytes(10)).start())).rejects.toMatchObject({ code: 'protocol' })
  expect(rig.transport.methods).toEqual(['OPTIONS', 'POST'])
})

test('an upload whose place a tus server does not tell is not created again and again', async () => {
  const rig = new Rig()
  rig.transport.script('POST', { headers: { Location: undefined }, times: 9 })
  await expect(rig.finish(rig.upload(bytes(10)).start())).rejects.toMatchObject({ code: 'protocol' })
  expect(rig.transport.methods).toEqual(['OPTIONS', 'POST'])
})

test.each([
  ['of unknown length, in several chunks', 100_000, {}],
  ['that ends exactly where a chunk ends', 40_000, {}],
  ['that is empty', 0, {}],
  ['whose length is known', 100_000, { sizeBytes: 100_000 }],
])('a stream %s', async (_, size, options) => {
  const rig = new Rig()
  const content = bytes(size)
  const { url, bytes: sent } = await rig.finish(
    rig.upload(stream(content), { replayBufferBytes: 40_000, chunkSizeBytes: 20_000, ...options }).start(),
  )
  expect(sent).toBe(size)
  expect(digest(rig.content(url))).toBe(digest(content))
  expect(rig.transport.tus.uploads.get(url)?.length).toBe(size)
})

test('a stream never gathers more than half of its replay buffer', async () => {
  const rig = new Rig({ extensions: ['creation', 'creation-defer-length'] })
  await rig.finish(rig.upload(stream(bytes(100_000)), { replayBufferBytes: 40_000 }).start())
  expect(Math.max(...rig.transport.requests.map(({ sentBytes }) => sentBytes))).toBe(20_000)
})

test('the length that was declared late is declared by an empty PATCH when the last bytes have gone before', async () => {
  const rig = new Rig()
  const content = bytes(30_000)
  // The PATCH with the last bytes arrives, but a proxy takes the length away.
  const upload = rig.upload(content, { deferLength: true, chunkSizeBytes: 10_000 })
  rig.transport.script('PATCH', { when: ({ header }) => header('Upload-Length') !== undefined, end: 'drop' })
  const started = upload.start()
  const { url } = await rig.finish(started)
  expect(rig.transport.tus.uploads.get(url)?.length).toBe(30_000)
  const again = new Rig()
  again.transport.tus.begin(`${ENDPOINT}/old`, { content, metadata: undefined })
  await again.finish(again.upload(content, { uploadUrl: `${ENDPOINT}/old` }).start())
  expect(again.transport.requests.at(-1)).toMatchObject({ method: 'PATCH', sentBytes: 0 })
  expect(again.transport.tus.uploads.get(`${ENDPOINT}/old`)?.length).toBe(30_000)
})

test('a short stream goes to a server without deferred length, a long one does not', async () => {
  const rig = new Rig({ extensions: ['creation'] })
  const content = bytes(1000)
  const { url } = await rig.finish(rig.upload(stream(content)).start())
  expect(digest(rig.content(url))).toBe(digest(content))
  const long = rig.upload(stream(bytes(100_000)), { replayBufferBytes: 20_000 })
  await expect(rig.finish(long.start())).rejects.toMatchObject({ name: 'Unsupported' })
})

test('a stream that the server wants from further back than is held ends typed', async () => {
  const rig = new Rig({ extensions: ['creation', 'creation-defer-length'] })
  const upload = rig.upload(stream(bytes(100_000)), { replayBufferBytes: 20_000 })
  rig.transport.script('PATCH', { when: ({ header }) => header('Upload-Offset') === '40000', end: 'drop' })
  rig.transport.script('HEAD', { headers: { 'Upload-Offset': '0' } })
  await expect(rig.finish(upload.start())).rejects.toMatchObject({
    name: 'SourceNotRewindable',
    code: 'source',
  })
})

test('checksums: each request has one, the next is made while this one is sent', async () => {
  const rig = new Rig()
  const content = bytes(10_000)
  const slices: number[] = []
  const source = fileLike(content)
  const counting = fileLike(content, {
    slice: (start, maxBytes, signal) => {
      slices.push(start)
      return source.slice(start, maxBytes, signal)
    },
  })
  rig.transport.onPiece = ({ method, header }) => {
    if (method === 'PATCH' && header('Upload-Offset') === '0') expect(slices).toContain(4000)
  }
  const { url } = await rig.finish(rig.upload(counting, { checksum: 'sha256', chunkSizeBytes: 4000 }).start())
  const patches = rig.transport.requests.filter(({ method }) => method === 'PATCH')
  expect(patches.map(({ header }) => header('Upload-Checksum')?.split(' ')[0])).toEqual([
    'sha256',
    'sha256',
    'sha256',
  ])
  expect(rig.exchanges.slice(2)).toEqual(['PATCH 204', 'PATCH 204', 'PATCH 204'])
  expect(digest(rig.content(url))).toBe(digest(content))
})

test('460: the same chunk again, at most five times', async () => {
  const rig = new Rig()
  const content = bytes(1000)
  rig.transport.script('PATCH', { status: 460, times: 3 })
  const { url } = await rig.finish(rig.upload(content, { checksum: 'sha1' }).start())
  expect(digest(rig.content(url))).toBe(digest(content))
  rig.transport.script('PATCH', { status: 460, times: 9 })
  await expect(rig.finish(rig.upload(content, { checksum: 'sha1' }).start())).rejects.toMatchObject({
    code: 'protocol',
  })
  expect(rig.exchanges.filter((exchange) => exchange === 'PATCH 460')).toHaveLength(8)
})

test('a checksum is never sent to a server that announced none, or not this one', async () => {
  for (const behaviour of [{ extensions: ['creation'] }, { checksumAlgorithms: ['md5'] }]) {
    const rig = new Rig(behaviour)
    await rig.finish(rig.upload(bytes(10), { checksum: 'sha256' }).start())
    expect(rig.transport.requests.map(({ header }) => header('Upload-Checksum'))).not.toContain(
      expect.anything(),
    )
    expect(rig.of('warning')).toHaveLength(1)
  }
})

test('bandwidth: bytes are sent no faster than wished', async () => {
  const rig = new Rig()
  const began = rig.clock.nowMs()
  const content = bytes(100 * KiB)
  await rig.finish(rig.upload(content, { maxBytesPerSecond: 10 * KiB }).start())
  const seconds = (rig.clock.nowMs() - began) / 1000
  expect(seconds).toBeGreaterThan(7)
  expect(seconds).toBeLessThan(20)
})

test('a proxy that cuts what it finds too large gets smaller requests', async () => {
  const rig = new Rig({ extensions: ['creation'] })
  const content = bytes(2 * MiB)
  const isLarge = (request: SeenRequest): boolean => Number(request.header('X-Bytes')) > 300 * KiB
  rig.transport.script('PATCH', {
    when: isLarge,
    sendBytes: 400 * KiB,
    end: 'drop',
    reaches: false,
    times: 99,
  })
  // The scripted server has no way to know the size of a body before it has come.
  const send = rig.transport.send.bind(rig.transport)
  rig.transport.send = (request) => {
    const headers = new Map(request.headers).set('X-Bytes', String(request.body?.sizeBytes ?? 0))
    return send({ ...request, headers })
  }
  const { url } = await rig.finish(rig.upload(content).start())
  expect(digest(rig.content(url))).toBe(digest(content))
  expect(rig.of('error').length).toBeLessThan(5)
})

test.each([400, 417])('a checksum that is announced and refused by %i is left out', async (status) => {
  const rig = new Rig()
  const content = bytes(1000)
  const hasChecksum = ({ headers }: SeenRequest): boolean => headers.has('Upload-Checksum')
  rig.transport.script('PATCH', { status, when: hasChecksum, times: 9 })
  const { url } = await rig.finish(rig.upload(content, { checksum: 'sha1' }).start())
  expect(digest(rig.content(url))).toBe(digest(content))
  const strict = rig.upload(content, { checksum: 'sha1', required: ['checksum'] })
  await expect(rig.finish(strict.start())).rejects.toMatchObject({ code: 'protocol' })
})

test('a creation that broke off is tried again without content', async () => {
  const rig = new Rig()
  rig.transport.script('POST', { sendBytes: 1000, end: 'drop', reaches: false })
  const content = bytes(10_000)
  const { url } = await rig.finish(rig.upload(content).start())
  expect(rig.transport.requests.map(({ method, sentBytes }) => [method, sentBytes])).toEqual([
    ['OPTIONS', 0],
    ['POST', 1000],
    ['POST', 0],
    ['PATCH', 10_000],
  ])
  expect(digest(rig.content(url))).toBe(digest(content))
})
