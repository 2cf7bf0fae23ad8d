import { expect, test } from 'vitest'
import type { UploadEvent } from '../../../src/client/events.ts'
import { ENDPOINT, MiB, Rig, bytes, digest, fileLike, stream } from './rigging.ts'

/** An upload that stands still in its PATCH, after 100 bytes of it. */
async function stuck(rig: Rig, content = bytes(2 * MiB)) {
  rig.transport.script('PATCH', { sendBytes: 100_000, end: 'hang' })
  const upload = rig.upload(content)
  const started = upload.start()
  await rig.clock.advance(1000)
  expect(upload.state).toBe('uploading')
  return { upload, started, content }
}

test('start() is idempotent: the same promise while it runs, and when it is complete', async () => {
  const rig = new Rig()
  const upload = rig.upload(bytes(10))
  const first = upload.start()
  expect(upload.start()).toBe(first)
  await rig.finish(first)
  expect(upload.start()).toBe(first)
  expect(rig.transport.methods).toEqual(['OPTIONS', 'POST'])
  expect(rig.of('complete')).toHaveLength(1)
})

test('states and events of a plain upload, in order', async () => {
  const rig = new Rig()
  await rig.finish(rig.upload(bytes(10)).start())
  expect(rig.states).toEqual(['preparing', 'uploading', 'complete'])
  expect(rig.events.map(({ type }) => type).filter((type) => type !== 'state')).toEqual([
    'progress',
    'url',
    'progress',
    'complete',
  ])
})

test('pause keeps the place: the promise stays, HEAD comes first, nothing is sent twice', async () => {
  const rig = new Rig()
  const { upload, started, content } = await stuck(rig)
  await upload.pause()
  expect(upload.state).toBe('paused')
  expect(rig.transport.requests.at(-1)?.isAborted).toBe(true)
  const before = rig.transport.requests.length
  await rig.clock.advance(60 * 60_000)
  expect(rig.transport.requests.length).toBe(before)
  expect(upload.resume()).toBe(started)
  const { url } = await rig.finish(started)
  expect(digest(rig.content(url))).toBe(digest(content))
  expect(rig.transport.methods).toEqual(['OPTIONS', 'POST', 'PATCH', 'HEAD', 'PATCH'])
  expect(rig.transport.sentBytes).toBe(content.length)
})

test('pause and resume without waiting: one loop, one success', async () => {
  const rig = new Rig()
  const { upload, started, content } = await stuck(rig)
  void upload.pause()
  void upload.resume()
  void upload.pause()
  void upload.start()
  const { url } = await rig.finish(started)
  expect(rig.of('complete')).toHaveLength(1)
  expect(rig.transport.mostWriters).toBe(1)
  expect(digest(rig.content(url))).toBe(digest(content))
})

test('the next run begins when the last one has let go of the line', async () => {
  const rig = new Rig()
  const send = rig.transport.send.bind(rig.transport)
  let atOnce = 0
  rig.transport.send = async (request) => {
    atOnce += 1
    expect(atOnce).toBe(1)
    try {
      return await send(request)
    } finally {
      await new Promise<void>((resolve) => rig.clock.after(300, resolve))
      atOnce -= 1
    }
  }
  const { upload, started } = await stuck(rig)
  void upload.pause()
  void upload.resume()
  await rig.finish(started)
  expect(rig.transport.methods).toEqual(['OPTIONS', 'POST', 'PATCH', 'HEAD', 'PATCH'])
})

test('a pause lets a creation come to its end, and waits for a few seconds only', async () => {
  const rig = new Rig()
  let answer = (): void => undefined
  rig.transport.script('POST', { hold: new Promise<void>((resolve) => (answer = resolve)) })
  const upload = rig.upload(bytes(10))
  const started = upload.start()
  await rig.clock.advance(100)
  const paused = upload.pause()
  await rig.clock.advance(1000)
  answer()
  await rig.finish(paused)
  void upload.resume()
  await rig.finish(started)
  expect(rig.transport.methods).toEqual(['OPTIONS', 'POST', 'HEAD'])
  rig.transport.script('POST', { end: 'hang' })
  const other = rig.upload(bytes(10))
  other.start().catch(() => undefined)
  await rig.clock.advance(100)
  await rig.finish(other.pause(), 6000)
})

test('pause during a wait for the next attempt', async () => {
  const rig = new Rig()
  rig.transport.script('POST', { status: 503, headers: { 'Retry-After': '600' } })
  const upload = rig.upload(bytes(10))
  const started = upload.start()
  await rig.clock.advance(1000)
  expect(upload.state).toBe('waiting')
  await upload.pause()
  expect(rig.clock.pending).toBe(0)
  void upload.resume()
  await rig.finish(started)
  expect(rig.states).toEqual([
    'preparing',
    'uploading',
    'waiting',
    'paused',
    'preparing',
    'uploading',
    'complete',
  ])
})

test('cancel rejects, ends the requests and keeps what is on the server', async () => {
  const rig = new Rig()
  const { upload, started } = await stuck(rig)
  const cancelled = upload.cancel()
  await expect(started).rejects.toMatchObject({ code: 'aborted' })
  await rig.finish(cancelled)
  expect(upload.state).toBe('cancelled')
  expect(rig.transport.methods).not.toContain('DELETE')
  await expect(upload.start()).rejects.toMatchObject({ code: 'aborted' })
  expect(rig.clock.pending).toBe(0)
})

test('cancel with terminate deletes the upload', async () => {
  const rig = new Rig()
  const { upload, started } = await stuck(rig)
  rig.transport.script('DELETE', { status: 423 })
  const cancelled = upload.cancel({ terminate: true })
  await expect(started).rejects.toMatchObject({ code: 'aborted' })
  await rig.finish(cancelled)
  expect(rig.exchanges.slice(-2)).toEqual(['DELETE 423', 'DELETE 204'])
  expect(rig.transport.tus.uploads.size).toBe(0)
})

test.each([200, 404, 410])('an upload whose deletion is answered %i is deleted', async (status) => {
  const rig = new Rig()
  const { upload, started } = await stuck(rig)
  started.catch(() => undefined)
  rig.transport.script('DELETE', { status })
  await rig.finish(upload.cancel({ terminate: true }))
  expect(rig.transport.methods.at(-1)).toBe('DELETE')
})

test('cancel with terminate before the answer to the creation: it is awaited, and the upload deleted', async () => {
  const rig = new Rig()
  let answer = (): void => undefined
  rig.transport.script('POST', { hold: new Promise<void>((resolve) => (answer = resolve)) })
  const upload = rig.upload(bytes(10))
  const started = upload.start()
  await rig.clock.advance(10)
  const cancelled = upload.cancel({ terminate: true })
  await expect(started).rejects.toMatchObject({ code: 'aborted' })
  await rig.clock.advance(1000)
  answer()
  await rig.finish(cancelled)
  expect(rig.transport.methods).toEqual(['OPTIONS', 'POST', 'DELETE'])
  expect(rig.transport.tus.uploads.size).toBe(0)
})

test('that wait is bounded', async () => {
  const rig = new Rig()
  rig.transport.script('POST', { end: 'hang' })
  const upload = rig.upload(bytes(10))
  const started = upload.start()
  await rig.clock.advance(10)
  const cancelled = upload.cancel({ terminate: true })
  started.catch(() => undefined)
  await rig.finish(cancelled, 40_000)
})

test('the signal of the caller cancels, with its reason', async () => {
  const rig = new Rig()
  const stop = new AbortController()
  rig.transport.script('PATCH', { sendBytes: 10, end: 'hang' })
  const upload = rig.upload(bytes(2 * MiB), { signal: stop.signal })
  const started = upload.start()
  await rig.clock.advance(10)
  const reason = new Error('enough')
  stop.abort(reason)
  await expect(started).rejects.toBe(reason)
  expect(upload.state).toBe('cancelled')
  const late = rig.upload(bytes(10), { signal: stop.signal })
  await expect(late.start()).rejects.toBe(reason)
})

test('an answer that comes after a pause changes nothing', async () => {
  const rig = new Rig()
  const content = bytes(2 * MiB)
  const upload = rig.upload(content)
  rig.transport.onPiece = (request) => {
    if (request.method !== 'PATCH') return
    rig.transport.onPiece = undefined
    void upload.pause()
  }
  const started = upload.start()
  await rig.clock.advance(1000)
  const events = rig.events.length
  await rig.clock.advance(1000)
  expect(rig.events.length).toBe(events)
  void upload.resume()
  const { url } = await rig.finish(started)
  expect(digest(rig.content(url))).toBe(digest(content))
})

test('stopAt ends a run there, the next one goes on without HEAD', async () => {
  const rig = new Rig({ extensions: ['creation'] })
  const content = bytes(1000)
  const upload = rig.upload(content)
  expect(await rig.finish(upload.start({ stopAt: 300 }))).toMatchObject({ bytes: 300, isComplete: false })
  expect(upload.state).toBe('paused')
  expect(upload.offset).toBe(300)
  const { url } = await rig.finish(upload.start())
  expect(rig.transport.methods).toEqual(['OPTIONS', 'POST', 'PATCH', 'PATCH'])
  expect(digest(rig.content(url))).toBe(digest(content))
})

test('stopAt 0 creates the upload and sends nothing', async () => {
  const rig = new Rig()
  await rig.finish(rig.upload(bytes(1000)).start({ stopAt: 0 }))
  expect(rig.transport.methods).toEqual(['OPTIONS', 'POST'])
  expect(rig.transport.sentBytes).toBe(0)
})

test('uploadChunk() sends one chunk at a time', async () => {
  const rig = new Rig({ extensions: ['creation'] })
  const content = bytes(1000)
  const upload = rig.upload(content, { chunkSizeBytes: 400 })
  const steps = []
  for (let step = 0; step < 3; step += 1) steps.push(await rig.finish(upload.uploadChunk()))
  expect(steps).toEqual([
    { offset: 400, isComplete: false },
    { offset: 800, isComplete: false },
    { offset: 1000, isComplete: true },
  ])
  expect(rig.transport.methods).not.toContain('HEAD')
  expect(digest(rig.content(upload.url))).toBe(digest(content))
})

test('uploadChunk() of an upload that runs is refused', async () => {
  const rig = new Rig()
  const { upload, started } = await stuck(rig)
  await expect(upload.uploadChunk()).rejects.toThrow(TypeError)
  await rig.finish(started)
})

test('the iterator yields the events and ends', async () => {
  const rig = new Rig()
  const upload = rig.upload(bytes(10))
  const seen: UploadEvent['type'][] = []
  const reading = (async () => {
    for await (const event of upload) seen.push(event.type)
  })()
  await rig.finish(upload.start())
  await reading
  expect(seen.at(-1)).toBe('complete')
  expect(seen).toContain('url')
  for await (const event of upload) throw new Error(`an event after the end: ${event.type}`)
})

test('a slow reader of the iterator gets the latest progress only', async () => {
  const rig = new Rig({ extensions: ['creation'] })
  const upload = rig.upload(bytes(1000), { chunkSizeBytes: 10, maxBytesPerSecond: 100 })
  const iterator = upload[Symbol.asyncIterator]()
  await rig.finish(upload.start())
  const seen: UploadEvent[] = []
  for await (const event of iterator) seen.push(event)
  const progress = seen.filter(({ type }) => type === 'progress')
  expect(progress).toEqual([expect.objectContaining({ accepted: 1000 })])
})

test('a listener that throws is seen and does not break the upload', async () => {
  const rig = new Rig()
  const upload = rig.upload(bytes(10))
  const thrown: unknown[] = []
  const keep = (error: unknown): void => void thrown.push(error)
  const others = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', keep)
  upload.on('url', () => {
    throw new Error('mine')
  })
  await rig.finish(upload.start())
  await new Promise((resolve) => void setImmediate(resolve))
  process.removeAllListeners('unhandledRejection')
  for (const listener of others) process.on('unhandledRejection', listener)
  expect(thrown).toEqual([new Error('mine')])
})

test('off() stops a listener', async () => {
  const rig = new Rig()
  const upload = rig.upload(bytes(10))
  const listener = (): void => expect.unreachable()
  upload.on('complete', listener).off('complete', listener)
  await rig.finish(upload.start())
})

test('progress never goes back, ends at the total, and comes at most every 100 ms', async () => {
  const rig = new Rig()
  const content = bytes(2 * MiB)
  const at: number[] = []
  rig.transport.onPiece = () => rig.clock.advance(5)
  rig.transport.script('PATCH', { sendBytes: 500_000, end: 'drop', reaches: false })
  const upload = rig.upload(content)
  upload.on('progress', () => at.push(rig.clock.nowMs()))
  await rig.finish(upload.start())
  const progress = rig.of('progress')
  progress.reduce((before, event) => {
    expect(event.sent).toBeGreaterThanOrEqual(before.sent)
    expect(event.accepted).toBeGreaterThanOrEqual(before.accepted)
    expect(event.sent).toBeGreaterThanOrEqual(event.accepted)
    return event
  })
  expect(progress.at(-1)).toMatchObject({
    sent: content.length,
    accepted: content.length,
    total: content.length,
    secondsLeft: 0,
  })
  // The last one alone may follow closely.
  at.slice(1, -1).forEach((time, index) => expect(time - (at[index] ?? 0)).toBeGreaterThanOrEqual(100))
})

test('the speed does not count what was there before', async () => {
  const rig = new Rig()
  const content = bytes(2 * MiB)
  rig.transport.tus.begin(`${ENDPOINT}/old`, {
    content: content.slice(0, 2 * MiB - 10_000),
    length: content.length,
  })
  rig.transport.pieceBytes = 1000
  rig.transport.onPiece = () => rig.clock.advance(100)
  await rig.finish(rig.upload(content, { uploadUrl: `${ENDPOINT}/old` }).start())
  expect(Math.max(...rig.of('progress').map(({ bytesPerSecond }) => bytesPerSecond))).toBeLessThanOrEqual(
    10_500,
  )
})

test('the source is closed when the upload is complete, failed or cancelled', async () => {
  let closed = 0
  const source = (): ReturnType<typeof fileLike> =>
    fileLike(bytes(10), { close: async () => void (closed += 1) })
  const rig = new Rig()
  await rig.finish(rig.upload(source()).start())
  expect(closed).toBe(1)
  rig.transport.script('POST', { status: 403 })
  await expect(rig.finish(rig.upload(source()).start())).rejects.toThrow()
  expect(closed).toBe(2)
  rig.transport.script('POST', { end: 'hang' })
  const upload = rig.upload(source())
  upload.start().catch(() => undefined)
  await rig.clock.advance(10)
  await rig.finish(upload.cancel())
  expect(closed).toBe(3)
})

test('a stream survives a failure: start() goes on with it', async () => {
  const rig = new Rig()
  const content = bytes(50_000)
  rig.transport.script('PATCH', { status: 403 })
  const upload = rig.upload(stream(content), { chunkSizeBytes: 10_000 })
  await expect(rig.finish(upload.start())).rejects.toMatchObject({ status: 403 })
  const { url } = await rig.finish(upload.start())
  expect(digest(rig.content(url))).toBe(digest(content))
})

test('no timer is left when an upload is complete', async () => {
  const rig = new Rig()
  await rig.finish(rig.upload(bytes(2 * MiB)).start())
  expect(rig.clock.pending).toBe(0)
})

test('the report shows the exchanges', async () => {
  const rig = new Rig()
  const upload = rig.upload(bytes(10))
  await rig.finish(upload.start())
  expect(upload.report().map(({ method, status }) => [method, status])).toEqual([
    ['OPTIONS', 204],
    ['POST', 201],
  ])
})
