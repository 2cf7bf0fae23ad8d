import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { SourceNotRewindable } from '../../../src/client/errors.ts'
import type { Source, SourceOptions } from '../../../src/client/ports/source.ts'
import { iteratorFeed, readerFeed, streamSource } from '../../../src/client/sources/stream.ts'
import { bytes, same } from '../../support/bytes.ts'
import { bytesIn, failure, never, options, utf8 } from './reading.ts'

const content = bytes(5000) as Uint8Array<ArrayBuffer>

function* pieces(of: Uint8Array, sizeBytes: number): Generator<Uint8Array, void, void> {
  for (let at = 0; at < of.length; at += sizeBytes) yield of.slice(at, at + sizeBytes)
}

function sourceOf(chunks: Iterable<unknown>, given: Partial<SourceOptions> = {}): Source {
  return streamSource(iteratorFeed(chunks[Symbol.iterator]()), options(given))
}

/** All of a source, slice by slice; each is confirmed before the next. */
async function sent(source: Source, maxBytes: number): Promise<{ bytes: Uint8Array; slices: number }> {
  const all: Uint8Array[] = []
  for (let at = 0, slices = 1; ; slices += 1) {
    const slice = await source.slice(at, maxBytes, never)
    const part = await bytesIn(slice)
    expect(part.length).toBe(slice.sizeBytes)
    all.push(part.slice())
    at += slice.sizeBytes
    source.release(at)
    if (slice.isLast) return { bytes: Buffer.concat(all), slices }
  }
}

describe('a stream of unknown length', () => {
  test.each([
    { lengthBytes: 0, slices: 1 },
    { lengthBytes: 1, slices: 1 },
    { lengthBytes: 999, slices: 1 },
    { lengthBytes: 1000, slices: 1 },
    { lengthBytes: 1001, slices: 2 },
    { lengthBytes: 5000, slices: 5 },
  ])(
    'of $lengthBytes bytes goes in $slices slices of 1000, whatever its chunks',
    async ({ lengthBytes, slices }) => {
      const part = content.slice(0, lengthBytes)
      for (const chunkBytes of [1, 7, 500, 1000, 1001, 5000]) {
        const source = sourceOf(pieces(part, chunkBytes))
        expect(source).toMatchObject({ sizeBytes: undefined, isRewindable: false })
        const result = await sent(source, 1000)
        expect(result.slices).toBe(slices)
        expect(same(result.bytes, part)).toBe(true)
        expect(source.sizeBytes).toBe(lengthBytes)
      }
    },
  )

  test('large chunks arrive as they are', async () => {
    const large = bytes(3_000_000) as Uint8Array<ArrayBuffer>
    for (const chunkBytes of [20_000, 65_536, 2_500_000]) {
      const source = streamSource(
        iteratorFeed(pieces(large, chunkBytes)),
        options({ replayBufferBytes: 400_000 }),
      )
      expect(same((await sent(source, 150_000)).bytes, large)).toBe(true)
    }
  })

  test('no slice is larger than the replay buffer', async () => {
    expect(await sourceOf([content]).slice(0, Infinity, never)).toMatchObject({
      sizeBytes: 1024,
      isLast: false,
    })
  })

  test('empty chunks are no end', async () => {
    const source = sourceOf([new Uint8Array(0), '', utf8('ab'), new Uint8Array(0), utf8('c'), ''])
    expect((await sent(source, 2)).bytes.toString()).toBe('abc')
  })

  test('a buffer that is filled again by the generator does no harm', async () => {
    const buffer = new Uint8Array(30_000)
    const source = sourceOf(
      (function* () {
        for (let value = 1; value <= 3; value += 1) yield buffer.fill(value)
      })(),
      { replayBufferBytes: 100_000 },
    )
    const read = await bytesIn(await source.slice(0, 90_000, never))
    expect([0, 29_999, 30_000, 59_999, 60_000, 89_999].map((at) => read[at])).toEqual([1, 1, 2, 2, 3, 3])
  })

  test('small chunks are put together: a million of them would take more memory than their bytes', async () => {
    const slice = await streamSource(iteratorFeed(pieces(content, 1)), options()).slice(0, 1000, never)
    expect(slice.content.kind).toBe('bytes')
  })
})

describe('going back', () => {
  test('is possible to what is held, also in the middle of a slice', async () => {
    const source = sourceOf(pieces(content, 100))
    await source.slice(0, 800, never)
    source.release(300)
    const again = await source.slice(450, 600, never)
    expect(again).toMatchObject({ start: 450, sizeBytes: 600, isLast: false })
    expect(same(await bytesIn(again), content.slice(450, 1050))).toBe(true)
  })

  test('is refused to what was released', async () => {
    const source = sourceOf(pieces(content, 100))
    await source.slice(0, 800, never)
    source.release(300)
    const error = await failure(source.slice(299, 10, never))
    expect(error).toBeInstanceOf(SourceNotRewindable)
    expect(error).toMatchObject({ code: 'source', message: expect.stringContaining('from byte 300 on') })
    expect(await source.slice(300, 10, never)).toMatchObject({ sizeBytes: 10 })
  })

  test('without any release reaches as far as the buffer', async () => {
    const source = sourceOf(pieces(content, 100))
    for (let at = 0; at < 4000; at += 500) await source.slice(at, 500, never)
    expect(same(await bytesIn(await source.slice(2976, 1024, never)), content.slice(2976, 4000))).toBe(true)
    expect(await failure(source.slice(2975, 1, never))).toBeInstanceOf(SourceNotRewindable)
  })

  test('a slice in flight keeps its bytes when they are released', async () => {
    const source = sourceOf(pieces(content, 10))
    const slice = await source.slice(0, 1000, never)
    source.release(1000)
    await source.slice(1000, 1000, never)
    expect(same(await bytesIn(slice), content.slice(0, 1000))).toBe(true)
  })

  test('what was confirmed beyond what was read is skipped', async () => {
    const source = sourceOf(pieces(content, 300))
    source.release(4000)
    const slice = await source.slice(4000, 5000, never)
    expect(slice).toMatchObject({ start: 4000, sizeBytes: 1000, isLast: true })
    expect(same(await bytesIn(slice), content.slice(4000))).toBe(true)
    expect(await failure(source.slice(3999, 1, never))).toBeInstanceOf(SourceNotRewindable)
    expect(await failure(sourceOf(pieces(content, 300)).slice(5001, 1, never))).toMatchObject({
      message: expect.stringContaining('only 5000 bytes'),
    })
  })
})

test('the room that a slice leaves is filled while it is sent, and no more', async () => {
  let asked = 0
  const feed = iteratorFeed(pieces(content, 100))
  const counting = { ...feed, next: () => ((asked += 1), feed.next()) }
  const source = streamSource(counting, options())
  await source.slice(0, 400, never)
  await setImmediate()
  // The eleventh does not fit whole: the rest of it waits.
  expect(asked).toBe(11)
  await source.slice(400, 624, never)
  await setImmediate()
  expect(asked).toBe(11)
  source.release(400)
  expect(same(await bytesIn(await source.slice(400, 600, never)), content.slice(400, 1000))).toBe(true)
  await setImmediate()
  expect(asked).toBe(15)
})

describe('a size that was announced', () => {
  test('is told from the beginning and kept', async () => {
    const source = sourceOf(pieces(content, 300), { sizeBytes: 5000 })
    expect(source.sizeBytes).toBe(5000)
    expect(await sent(source, 1000)).toMatchObject({ slices: 5 })
  })

  test.each([
    [4999, 'goes on after the 4999 bytes'],
    [5001, 'ended after 5000 bytes, 5001 were'],
  ])('of %i for 5000 bytes is an error', async (sizeBytes, message) => {
    const error = await failure(sent(sourceOf(pieces(content, 1000), { sizeBytes }), 1000))
    expect(error).toMatchObject({ code: 'source', message: expect.stringContaining(message) })
  })
})

describe('a range', () => {
  test('skips what is before and does not look at what is behind', async () => {
    const chunks = pieces(content, 100)
    const source = sourceOf(chunks, { startBytes: 150, endBytes: 1700, sizeBytes: 5000 })
    expect(source.sizeBytes).toBe(1550)
    const result = await sent(source, 1000)
    expect(result.slices).toBe(2)
    expect(same(result.bytes, content.slice(150, 1700))).toBe(true)
    expect(chunks.next().value).toEqual(content.slice(1700, 1800))
  })

  test('without an end goes to that of the stream', async () => {
    const source = sourceOf(pieces(content, 100), { startBytes: 4900 })
    expect(same((await sent(source, 1000)).bytes, content.slice(4900))).toBe(true)
    expect(source.sizeBytes).toBe(100)
  })

  test('that the stream does not reach is an error', async () => {
    expect(await failure(sourceOf([utf8('abc')], { endBytes: 4 }).slice(0, 10, never))).toMatchObject({
      code: 'source',
    })
    expect(await failure(sourceOf([utf8('abc')], { startBytes: 4 }).slice(0, 10, never))).toMatchObject({
      code: 'source',
    })
  })
})

describe('chunks', () => {
  test('of text are sent as UTF-8, characters cut in two are put together', async () => {
    const text = 'ä€😀🎉.'
    const { bytes } = await sent(sourceOf(Array.from({ length: text.length }, (_, i) => text[i])), 1000)
    expect(bytes.toString()).toBe(text)
    expect((await sent(sourceOf(['a\uD83D']), 1000)).bytes.toString()).toBe('a\uFFFD')
  })

  test('that are neither bytes nor text are a clear error', async () => {
    const error = await failure(sourceOf([utf8('a'), { id: 1 }]).slice(0, 10, never))
    expect(error).toMatchObject({ code: 'source', message: expect.stringContaining('Object') })
    expect(await failure(sourceOf([1, 2]).slice(0, 10, never))).toMatchObject({ code: 'source' })
    expect(await failure(sourceOf(['\uD83D', utf8('a')]).slice(0, 10, never))).toMatchObject({
      code: 'source',
    })
  })

  test('of every kind of memory are taken', async () => {
    const view = utf8('cd')
    const shared = new Uint8Array(new SharedArrayBuffer(2)).fill(101)
    const source = sourceOf([utf8('ab').buffer, new DataView(view.buffer), Promise.resolve('!'), shared])
    expect((await sent(source, 1000)).bytes.toString()).toBe('abcd!ee')
  })
})

describe('failures', () => {
  test('surface in slice, with their cause, again and again', async () => {
    const cause = new Error('disk on fire')
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield content.slice(0, 500)
      throw cause
    }
    const source = streamSource(iteratorFeed(broken()), options())
    expect(await source.slice(0, 400, never)).toMatchObject({ sizeBytes: 400 })
    for (let i = 0; i < 2; i += 1) {
      const error = await failure(source.slice(0, 600, never))
      expect(error).toMatchObject({ code: 'source', cause, message: 'the stream failed: disk on fire' })
    }
  })

  test('between slices wait for the next one', async () => {
    const controller: { current?: ReadableStreamDefaultController<Uint8Array> } = {}
    const stream = new ReadableStream<Uint8Array>({ start: (given) => void (controller.current = given) })
    const source = streamSource(readerFeed(stream.getReader()), options())
    controller.current?.enqueue(content.slice(0, 500))
    await source.slice(0, 400, never)
    controller.current?.error(new Error('gone'))
    await setImmediate()
    expect(await failure(source.slice(400, 400, never))).toMatchObject({ code: 'source' })
  })
})

describe('stopping', () => {
  test('an abort ends the waiting and loses no byte', async () => {
    const controller: { current?: ReadableStreamDefaultController<Uint8Array> } = {}
    const stream = new ReadableStream<Uint8Array>({ start: (given) => void (controller.current = given) })
    const source = streamSource(readerFeed(stream.getReader()), options())
    controller.current?.enqueue(content.slice(0, 500))
    const stop = new AbortController()
    const waiting = failure(source.slice(0, 1000, stop.signal))
    await setImmediate()
    stop.abort('enough')
    expect(await waiting).toBe('enough')
    controller.current?.enqueue(content.slice(500, 700))
    controller.current?.close()
    expect(same((await sent(source, 300)).bytes, content.slice(0, 700))).toBe(true)
  })

  test('closing cancels the stream and is never taken for its end', async () => {
    let cancelled = 0
    const stream = new ReadableStream<Uint8Array>({ cancel: () => void (cancelled += 1) })
    const source = streamSource(readerFeed(stream.getReader()), options())
    const waiting = failure(source.slice(0, 10, never))
    await setImmediate()
    await Promise.all([source.close(), source.close()])
    expect(await waiting).toMatchObject({ code: 'source', message: 'the source is closed' })
    expect(await failure(source.slice(0, 10, never))).toMatchObject({ message: 'the source is closed' })
    expect(cancelled).toBe(1)
    expect(source.sizeBytes).toBeUndefined()
  })

  test('closing ends a generator, and does not wait for one that waits itself', async () => {
    let ended = false
    const source = sourceOf(
      (function* () {
        try {
          yield utf8('ab')
        } finally {
          ended = true
        }
      })(),
    )
    await source.slice(0, 1, never)
    await source.close()
    expect(ended).toBe(true)
    const stuck = streamSource(
      { next: () => new Promise(() => undefined), cancel: () => new Promise(() => undefined) },
      options(),
    )
    const stop = new AbortController()
    const waiting = failure(stuck.slice(0, 1, stop.signal))
    await stuck.close()
    stop.abort('enough')
    expect(await waiting).toBe('enough')
  })
})
