import { createReadStream, openAsBlob } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Source, SourceOptions } from '../../../src/client/ports/source.ts'
import { openNodeSource } from '../../../src/client/sources/open-node.ts'
import { bytes } from '../../support/bytes.ts'
import { temporaryDirectory } from '../../stores/temporary-directory.ts'
import { bytesIn, failure, never, options, utf8 } from './reading.ts'

const content = bytes(500) as Uint8Array<ArrayBuffer>

async function fileOf(given: Uint8Array): Promise<string> {
  const path = join(await temporaryDirectory(), 'f')
  await writeFile(path, given)
  return path
}

async function contentOf(source: Source): Promise<Uint8Array> {
  const slice = await source.slice(0, 1024, never)
  expect(slice.isLast).toBe(true)
  const result = await bytesIn(slice)
  await source.close()
  return result
}

async function* slowly(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < 500; at += 100) {
    await setImmediate()
    yield content.slice(at, at + 100)
  }
}

const inputs: [name: string, isRewindable: boolean, make: () => unknown][] = [
  ['a path', true, () => fileOf(content)],
  ['a file: URL', true, async () => pathToFileURL(await fileOf(content))],
  ['a FileHandle', true, async () => open(await fileOf(content))],
  ['a stream of a file', true, async () => createReadStream(await fileOf(content))],
  ['a Blob', true, () => new Blob([content])],
  ['a Blob of a file', true, async () => openAsBlob(await fileOf(content))],
  ['a Buffer', true, () => Buffer.from(content)],
  ['an ArrayBuffer', true, () => content.buffer],
  ['a Readable', false, () => Readable.from([content.slice(0, 200), content.slice(200)])],
  ['a Readable in object mode', false, () => Readable.from(slowly())],
  ['a web stream', false, () => new Blob([content]).stream()],
  ['a reader', false, () => new Blob([content]).stream().getReader()],
  ['an async iterable', false, slowly],
  ['an iterable', false, () => [content.slice(0, 1), content.slice(1)]],
]

describe.each(inputs)('%s', (_name, isRewindable, make) => {
  test.each<Partial<SourceOptions>>([
    {},
    { startBytes: 0, endBytes: 500 },
    { startBytes: 120 },
    { endBytes: 3 },
  ])('is sent whole or in part: %o', async (range) => {
    const input = await make()
    const source = await openNodeSource(input, options(range))
    expect(source.isRewindable).toBe(isRewindable)
    expect(await contentOf(source)).toEqual(content.slice(range.startBytes, range.endBytes))
    if (typeof input === 'object' && input !== null && 'fd' in input && 'close' in input) {
      await (input as { close(): Promise<void> }).close()
    }
  })
})

describe('a stream of a file', () => {
  test('with a range is that range of the file', async () => {
    const path = await fileOf(content)
    const stream = createReadStream(path, { start: 100, end: 199 })
    const source = await openNodeSource(stream, options())
    expect(source).toMatchObject({ sizeBytes: 100, isRewindable: true, traits: { path } })
    expect(stream.destroyed).toBe(true)
    expect(await contentOf(source)).toEqual(content.slice(100, 200))
    const part = await openNodeSource(
      createReadStream(path, { start: 400, end: 9999 }),
      options({ startBytes: 10, endBytes: 20 }),
    )
    expect(await contentOf(part)).toEqual(content.slice(410, 420))
  })

  test('that was read from already is sent from where it stands', async () => {
    const stream = createReadStream(await fileOf(content), { highWaterMark: 100 })
    const first = await new Promise((resolve) => stream.once('readable', () => resolve(stream.read(30))))
    expect(first).toHaveLength(30)
    const source = await openNodeSource(stream, options())
    expect(source.isRewindable).toBe(false)
    expect(await contentOf(source)).toEqual(content.slice(30))
  })

  test('that could not open it harms nobody', async () => {
    const stream = createReadStream(await fileOf(content), { flags: 'wx' })
    expect(await contentOf(await openNodeSource(stream, options()))).toEqual(content)
  })

  test('that does not exist fails when it is read, not in the air', async () => {
    const source = await openNodeSource(createReadStream('/nowhere/at-all'), options())
    await setImmediate()
    expect(await failure(source.slice(0, 10, never))).toMatchObject({
      code: 'source',
      cause: expect.objectContaining({ code: 'ENOENT' }),
    })
  })
})

describe('a Readable', () => {
  test('that fails before, between or after slices ends nothing but the upload', async () => {
    const before = new PassThrough()
    const source = await openNodeSource(before, options())
    before.destroy(new Error('cut'))
    await setImmediate()
    expect(await failure(source.slice(0, 10, never))).toMatchObject({
      code: 'source',
      message: 'the stream failed: cut',
    })

    const between = new PassThrough()
    const other = await openNodeSource(between, options())
    between.write('abcdef')
    await other.slice(0, 3, never)
    between.destroy(new Error('cut'))
    await setImmediate()
    expect(await failure(other.slice(3, 10, never))).toMatchObject({ code: 'source' })
    await other.close()
  })

  test('that was destroyed or read before is no empty file', async () => {
    const destroyed = Readable.from([content])
    destroyed.destroy()
    await setImmediate()
    const source = await openNodeSource(destroyed, options())
    expect(await failure(source.slice(0, 10, never))).toMatchObject({ code: 'source' })
    const read = Readable.from([content])
    for await (const _ of read);
    expect(await failure(openNodeSource(read, options()))).toMatchObject({ code: 'source' })
  })

  test('is destroyed by close, also while a slice waits', async () => {
    const stream = new PassThrough()
    const source = await openNodeSource(stream, options())
    const waiting = failure(source.slice(0, 10, never))
    await setImmediate()
    await source.close()
    expect(stream.destroyed).toBe(true)
    expect(await waiting).toMatchObject({ message: 'the source is closed' })
  })

  test('of objects is a clear error', async () => {
    const source = await openNodeSource(Readable.from([{ a: 1 }]), options())
    expect(await failure(source.slice(0, 10, never))).toMatchObject({
      code: 'source',
      message: expect.stringContaining('Object'),
    })
  })
})

test('a Blob is handed on, not copied', async () => {
  const source = await openNodeSource(await openAsBlob(await fileOf(content)), options())
  expect((await source.slice(5, 10, never)).content.kind).toBe('blob')
})

test.each([5, null, undefined, {}, Symbol('x'), new URL('http://localhost/x'), () => utf8('x')])(
  '%s is no source',
  async (input) => {
    expect(await failure(openNodeSource(input, options()))).toMatchObject({
      code: 'source',
      name: 'TransferError',
    })
  },
)

test('a web stream that somebody reads is no source', async () => {
  const stream = new Blob([content]).stream()
  stream.getReader()
  expect(await failure(openNodeSource(stream, options()))).toMatchObject({ code: 'source' })
})
