import { openAsBlob } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SourceChanged, TransferError } from '../../../src/client/errors.ts'
import type { SourceOptions } from '../../../src/client/ports/source.ts'
import { blobSource } from '../../../src/client/sources/blob.ts'
import { bytesOf, bytesSource } from '../../../src/client/sources/bytes.ts'
import { bytes } from '../../support/bytes.ts'
import { temporaryDirectory } from '../../stores/temporary-directory.ts'
import { bytesIn, failure, never, options } from './reading.ts'

const content = bytes(100) as Uint8Array<ArrayBuffer>

describe.each([
  ['bytes', (given?: Partial<SourceOptions>) => bytesSource(content, options(given))],
  ['blob', (given?: Partial<SourceOptions>) => blobSource(new Blob([content]), options(given))],
])('%s', (_name, open) => {
  test('any range can be read at any time, and the last one is known', async () => {
    const source = open()
    expect(source).toMatchObject({ sizeBytes: 100, isRewindable: true })
    for (const [start, maxBytes, sizeBytes, isLast] of [
      [90, 50, 10, true],
      [0, 40, 40, false],
      [60, 40, 40, true],
      [0, Infinity, 100, true],
      [100, 10, 0, true],
    ] as const) {
      source.release(start)
      const slice = await source.slice(start, maxBytes, never)
      expect(slice).toMatchObject({ start, sizeBytes, isLast })
      expect(await bytesIn(slice)).toEqual(content.slice(start, start + sizeBytes))
    }
    await source.verify()
    await source.close()
  })

  test('a range is a source of its own', async () => {
    const source = open({ startBytes: 10, endBytes: 30 })
    expect(source.sizeBytes).toBe(20)
    const slice = await source.slice(5, 100, never)
    expect(slice).toMatchObject({ start: 5, sizeBytes: 15, isLast: true })
    expect(await bytesIn(slice)).toEqual(content.slice(15, 30))
  })

  test.each([
    { startBytes: 50, endBytes: 40 },
    { endBytes: 101 },
    { startBytes: 101 },
    { startBytes: -1 },
    { startBytes: 0.5 },
    { endBytes: Number.NaN },
    { endBytes: Infinity },
    { sizeBytes: 99 },
  ])('%o is refused', (given) => {
    expect(() => open(given)).toThrow(TransferError)
  })

  test('a start behind the end is refused', async () => {
    expect(await failure(open().slice(101, 1, never))).toMatchObject({ code: 'source' })
  })

  test('an aborted signal is obeyed', async () => {
    const reason = new Error('stop')
    expect(await failure(open().slice(0, 1, AbortSignal.abort(reason)))).toBe(reason)
  })
})

test('an empty source has one slice, the last', async () => {
  const empty = bytesSource(new Uint8Array(0), options())
  expect(await empty.slice(0, 10, never)).toMatchObject({ sizeBytes: 0, isLast: true })
  await blobSource(new Blob([]), options()).verify()
})

test('views and buffers are not copied, shared memory is', () => {
  const buffer = new ArrayBuffer(8)
  const shared = new SharedArrayBuffer(8)
  for (const given of [buffer, new DataView(buffer), new Uint16Array(buffer), Buffer.from(buffer)]) {
    expect(bytesOf(given)?.buffer).toBe(buffer)
  }
  expect(bytesOf(new Uint16Array(buffer, 2, 2))).toMatchObject({ byteOffset: 2, byteLength: 4 })
  new Uint8Array(shared)[3] = 7
  for (const given of [shared, new DataView(shared), new Uint8Array(shared)]) {
    const copy = bytesOf(given)
    expect(copy?.buffer).toBeInstanceOf(ArrayBuffer)
    expect(copy?.[3]).toBe(7)
  }
  expect(bytesOf(new Uint8Array(shared, 2, 3))).toEqual(new Uint8Array([0, 7, 0]))
  for (const other of ['text', 5, null, {}, [1, 2]]) expect(bytesOf(other)).toBeUndefined()
})

test('memory that was handed to somebody else is a change', async () => {
  const given = new Uint8Array(10)
  const source = bytesSource(given, options())
  structuredClone(given, { transfer: [given.buffer] })
  expect(await failure(source.verify())).toBeInstanceOf(SourceChanged)
  expect(await failure(source.slice(0, 5, never))).toBeInstanceOf(SourceChanged)
})

test('a File says what it is', () => {
  const file = Object.assign(new Blob(['x'], { type: 'image/png' }), {
    name: 'ä.png',
    lastModified: 5,
    webkitRelativePath: 'holiday/ä.png',
  })
  expect(blobSource(file, options()).traits).toEqual({
    name: 'ä.png',
    type: 'image/png',
    path: 'holiday/ä.png',
    modifiedMs: 5,
  })
  expect(blobSource(new Blob(['x']), options()).traits.type).toBeUndefined()
})

test('a Blob whose file has changed on disk is a change, one that cannot be read is not', async () => {
  const path = join(await temporaryDirectory(), 'f')
  await writeFile(path, 'before')
  const blob = await openAsBlob(path)
  const source = blobSource(blob, options())
  await source.verify()
  await writeFile(path, 'longer than before')
  expect(await failure(source.verify())).toBeInstanceOf(SourceChanged)
  const locked = Object.assign(new Blob(['x']), {
    slice: () => ({ arrayBuffer: () => Promise.reject(new Error('no')) }),
  })
  const error = await failure(blobSource(locked, options()).verify())
  expect(error).toMatchObject({ code: 'source', name: 'TransferError' })
})
