import { execFileSync } from 'node:child_process'
import { appendFile, mkdir, open, readdir, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SourceChanged } from '../../../src/client/errors.ts'
import type { Slice } from '../../../src/client/ports/source.ts'
import { failWith } from '../../../src/client/sources/file-errors-node.ts'
import { fileSource } from '../../../src/client/sources/file.ts'
import { bytes, same } from '../../support/bytes.ts'
import { temporaryDirectory } from '../../stores/temporary-directory.ts'
import { bytesIn, failure, never, options } from './reading.ts'

const MiB = 1024 * 1024
const large = bytes(3 * MiB + 5)

async function fileOf(content: Uint8Array | string): Promise<string> {
  const path = join(await temporaryDirectory(), 'content.bin')
  await writeFile(path, content)
  return path
}

function chunksOf({ content }: Slice): AsyncIterator<Uint8Array> {
  if (content.kind !== 'chunks') throw new Error('a file yields chunks')
  return content.chunks(never)[Symbol.asyncIterator]()
}

async function openDescriptors(): Promise<number> {
  return (await readdir('/proc/self/fd')).length
}

describe('reading', () => {
  test.each([
    [0, Infinity],
    [0, MiB],
    [1, MiB],
    [MiB, 2 * MiB + 5],
    [2 * MiB, MiB + 5],
    [3 * MiB, 5],
    [3 * MiB + 5, 10],
    [123_456, 1],
  ])('from %i at most %d bytes', async (start, maxBytes) => {
    const source = await fileSource(await fileOf(large), options())
    const expected = large.slice(start, start + maxBytes)
    const slice = await source.slice(start, maxBytes, never)
    expect(slice).toMatchObject({ start, sizeBytes: expected.length })
    expect(slice.isLast).toBe(start + expected.length === large.length)
    expect(same(await bytesIn(slice), expected)).toBe(true)
    await source.verify()
    await source.close()
  })

  test('a range is a source of its own', async () => {
    const source = await fileSource(await fileOf(large), options({ startBytes: 7, endBytes: 2 * MiB }))
    expect(source.sizeBytes).toBe(2 * MiB - 7)
    const slice = await source.slice(3, Infinity, never)
    expect(same(await bytesIn(slice), large.slice(10, 2 * MiB))).toBe(true)
    await source.close()
    expect(await failure(fileSource(await fileOf('abc'), options({ endBytes: 4 })))).toMatchObject({
      code: 'source',
    })
  })

  test('several slices at once do not disturb each other', async () => {
    const source = await fileSource(await fileOf(large), options())
    const slices = await Promise.all([0, 1, 2].map((n) => source.slice(n * MiB, 2 * MiB, never)))
    const read = await Promise.all(slices.map((slice) => bytesIn(slice)))
    read.forEach((part, n) => expect(same(part, large.slice(n * MiB, (n + 2) * MiB))).toBe(true))
    await source.close()
  })

  test('two buffers serve a whole upload, and a piece stays until the next is asked for', async () => {
    const source = await fileSource(await fileOf(bytes(16 * MiB)), options())
    const buffers = new Set<ArrayBufferLike>()
    for (let at = 0; at < 16 * MiB; at += 4 * MiB) {
      const slice = await source.slice(at, 4 * MiB, never)
      const pieces = chunksOf(slice)
      for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) {
        expect(next.value.length).toBe(MiB)
        buffers.add(next.value.buffer)
      }
    }
    expect(buffers.size).toBe(2)
    await source.close()
  })

  test('an empty file has one slice, the last', async () => {
    const source = await fileSource(await fileOf(''), options())
    const slice = await source.slice(0, 10, never)
    expect(slice).toMatchObject({ sizeBytes: 0, isLast: true })
    expect(await bytesIn(slice)).toHaveLength(0)
    await source.close()
  })

  test('says what the file is', async () => {
    const path = await fileOf('abc')
    await utimes(path, 1000, 2000)
    const source = await fileSource(path, options())
    expect(source).toMatchObject({ isRewindable: true, sizeBytes: 3 })
    expect(source.traits).toEqual({ name: 'content.bin', path, modifiedMs: 2_000_000 })
    await source.close()
  })
})

describe('a change', () => {
  test.each<[string, (path: string) => Promise<unknown>]>([
    ['longer', (path) => appendFile(path, 'x')],
    ['shorter', (path) => truncate(path, 5)],
    ['written again', (path) => writeFile(path, large)],
    ['touched', (path) => utimes(path, 1, 1)],
    ['removed', (path) => rm(path)],
    [
      'replaced by another of the same size and time',
      async (path) => {
        await writeFile(`${path}.new`, large)
        await utimes(`${path}.new`, 1000, 1000)
        await rename(`${path}.new`, path)
      },
    ],
  ])('is found by verify: %s', async (_how, change) => {
    const path = await fileOf(large)
    await utimes(path, 1000, 1000)
    const source = await fileSource(path, options())
    await source.verify()
    await change(path)
    expect(await failure(source.verify())).toBeInstanceOf(SourceChanged)
    await source.close()
  })

  test('while a slice is read keeps back its last piece', async () => {
    const path = await fileOf(large)
    await utimes(path, 1, 1)
    const source = await fileSource(path, options())
    const pieces = chunksOf(await source.slice(0, Infinity, never))
    await pieces.next()
    await writeFile(path, large)
    let readBytes = MiB
    const rest = async (): Promise<void> => {
      for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) {
        readBytes += next.value.length
      }
    }
    expect(await failure(rest())).toBeInstanceOf(SourceChanged)
    expect(readBytes).toBe(3 * MiB)
    await source.close()
  })

  test('to fewer bytes ends the reading', async () => {
    const path = await fileOf(large)
    const source = await fileSource(path, options())
    const pieces = chunksOf(await source.slice(0, Infinity, never))
    await truncate(path, 10)
    expect(await failure(pieces.next())).toBeInstanceOf(SourceChanged)
    await source.close()
  })
})

describe('what cannot be read', () => {
  test('fails with a plain message and a hint', async () => {
    const path = await temporaryDirectory()
    await mkdir(join(path, 'd'))
    for (const [name, message, hint] of [
      ['d', 'is a directory', 'Upload the files'],
      ['missing', 'does not exist', 'A string is a path'],
      ['line\nbreak', '\\n', 'A string is a path'],
      ['x'.repeat(5000), 'cannot be read: ENAMETOOLONG', undefined],
      ['nul\0', 'cannot be read', undefined],
    ] as const) {
      const error = await failure(fileSource(join(path, name), options()))
      expect(error).toMatchObject({ name: 'TransferError', code: 'source' })
      expect(error).toHaveProperty('message', expect.stringContaining(message))
      if (hint !== undefined) expect(error).toHaveProperty('hint', expect.stringContaining(hint))
    }
    expect(await failure(fileSource('', options()))).toMatchObject({ message: '"" does not exist' })
  })

  test.each([
    ['EACCES', 'f may not be read'],
    ['EMFILE', 'f cannot be opened: too many files are open'],
    ['EISDIR', 'f is a directory'],
    ['EIO', 'f cannot be read: bad disk'],
  ])('says what %s means', (code, message) => {
    const cause = Object.assign(new Error('bad disk'), { code })
    expect(() => failWith('f')(cause)).toThrow(message)
  })

  test('fails while it is read, and nothing is left unhandled', async () => {
    const path = await fileOf(large)
    const handle = await open(path)
    const source = await fileSource(handle, options())
    const pieces = chunksOf(await source.slice(0, Infinity, never))
    await pieces.next()
    await handle.close()
    // The second piece was read ahead before the handle was closed.
    await pieces.next().catch(() => undefined)
    expect(await failure(source.verify())).toMatchObject({ code: 'source', message: 'the file is closed' })
    const write = await open(path, 'a')
    const unreadable = await fileSource(write, options())
    const reading = chunksOf(await unreadable.slice(0, Infinity, never))
    expect(await failure(reading.next())).toMatchObject({ code: 'source', name: 'TransferError' })
    await write.close()
  })

  test('an aborted reading ends with the reason', async () => {
    const source = await fileSource(await fileOf(large), options())
    const stop = new AbortController()
    const slice = await source.slice(0, Infinity, never)
    if (slice.content.kind !== 'chunks') throw new Error('a file yields chunks')
    const pieces = slice.content.chunks(stop.signal)[Symbol.asyncIterator]()
    await pieces.next()
    stop.abort('enough')
    expect(await failure(pieces.next())).toBe('enough')
    await source.close()
  })
})

describe('descriptors', () => {
  test('one is open for the whole upload, none after it or after a refusal', async () => {
    const path = await fileOf(large)
    const before = await openDescriptors()
    const source = await fileSource(path, options())
    for (const start of [0, MiB, 0]) await bytesIn(await source.slice(start, MiB, never))
    expect(await openDescriptors()).toBe(before + 1)
    await Promise.all([source.close(), source.close()])
    await failure(fileSource(path, options({ endBytes: 1e9 })))
    expect(await openDescriptors()).toBe(before)
    expect(await failure(source.verify())).toMatchObject({ code: 'source' })
  })

  test('of the caller are read from byte 0 and left open', async () => {
    const handle = await open(await fileOf(large))
    await handle.read(new Uint8Array(10))
    const source = await fileSource(handle, options())
    expect(source.traits.path).toBeUndefined()
    expect(same(await bytesIn(await source.slice(0, Infinity, never)), large)).toBe(true)
    await source.verify()
    await source.close()
    expect((await handle.stat()).size).toBe(large.length)
    await handle.close()
  })
})

test('a pipe is read as a stream', async () => {
  const path = join(await temporaryDirectory(), 'pipe')
  execFileSync('mkfifo', [path])
  const source = await fileSource(path, options())
  expect(source).toMatchObject({ isRewindable: false, sizeBytes: undefined, traits: { name: 'pipe', path } })
  const [slice] = await Promise.all([source.slice(0, 100, never), writeFile(path, 'from a pipe')])
  expect(slice).toMatchObject({ sizeBytes: 11, isLast: true })
  expect(Buffer.from(await bytesIn(slice)).toString()).toBe('from a pipe')
  await source.close()
})
