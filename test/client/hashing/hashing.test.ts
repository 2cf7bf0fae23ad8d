import { createHash } from 'node:crypto'
import { crc32 as reference } from 'node:zlib'
import { describe, expect, test, vi } from 'vitest'
import type { ChecksumAlgorithm, Hashing } from '../../../src/client/ports/platform.ts'
import { browserHashing } from '../../../src/client/hashing/browser.ts'
import { crc32 } from '../../../src/client/hashing/crc32.ts'
import { nodeHashing } from '../../../src/client/hashing/node.ts'
import { bytes } from '../../support/bytes.ts'
import { blobSlice, bytesSlice, chunksSlice } from '../transports/serving.ts'

const { signal } = new AbortController()

function expected(algorithm: ChecksumAlgorithm, content: Uint8Array): string {
  if (algorithm !== 'crc32') return createHash(algorithm).update(content).digest('hex')
  return reference(content).toString(16).padStart(8, '0')
}

async function* inPieces(content: Uint8Array): AsyncGenerator<Uint8Array> {
  const shared = new Uint8Array(300_000)
  for (let at = 0; at < content.length; at += shared.length) {
    const part = content.subarray(at, at + shared.length)
    shared.set(part)
    yield shared.subarray(0, part.length)
    shared.fill(0)
  }
}

describe.each<[string, () => Hashing]>([
  ['Node', nodeHashing],
  ['a browser', browserHashing],
])('digests in %s', (_, make) => {
  test.each([0, 1, 3_500_000])('%i bytes of every kind, by every algorithm', async (size) => {
    const hashing = make()
    const content = bytes(size)
    for (const algorithm of hashing.algorithms) {
      const slices = [
        bytesSlice(content),
        blobSlice(new Blob([content.slice()])),
        chunksSlice(size, () => inPieces(content)),
      ]
      for (const slice of slices) {
        const digest = await hashing.digest(algorithm, slice, signal)
        expect(Buffer.from(digest).toString('hex')).toBe(expected(algorithm, content))
      }
    }
  })

  test('of bytes in memory', async () => {
    const content = new Uint8Array(bytes(1000))
    const digest = await make().sha256(content)
    expect(Buffer.from(digest).toString('hex')).toBe(expected('sha256', content))
  })

  test('abort ends them with its reason', async () => {
    for (const algorithm of make().algorithms) {
      const controller = new AbortController()
      async function* chunks(): AsyncGenerator<Uint8Array> {
        yield bytes(1000)
        controller.abort(new Error('stop'))
        yield bytes(1000)
      }
      const digest = make().digest(algorithm, chunksSlice(2000, chunks), controller.signal)
      await expect(digest).rejects.toThrow('stop')
    }
  })

  test('a source that fails is told as such', async () => {
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield bytes(1000)
    }
    for (const algorithm of make().algorithms) {
      const digest = make().digest(algorithm, chunksSlice(2000, chunks), signal)
      await expect(digest).rejects.toMatchObject({ code: 'source' })
    }
  })
})

test('md5 is of Node only', () => {
  expect([...nodeHashing().algorithms]).toEqual(['sha1', 'sha256', 'sha512', 'md5', 'crc32'])
  expect([...browserHashing().algorithms]).toEqual(['sha1', 'sha256', 'sha512', 'crc32'])
})

test('a page without TLS has CRC-32 only', async () => {
  vi.stubGlobal('crypto', { subtle: undefined })
  try {
    expect([...browserHashing().algorithms]).toEqual(['crc32'])
    await expect(browserHashing().sha256(new Uint8Array(1))).rejects.toThrow()
  } finally {
    vi.unstubAllGlobals()
  }
})

test('a CRC-32 goes on where another ended', () => {
  const content = bytes(1000)
  expect(crc32(content.subarray(400), crc32(content.subarray(0, 400)))).toBe(reference(content))
})

test('a long digest in Node lets others have their turn', async () => {
  let turns = 0
  const timer = setInterval(() => (turns += 1), 0)
  await nodeHashing().digest('sha512', bytesSlice(new Uint8Array(32 * 1024 * 1024)), signal)
  clearInterval(timer)
  expect(turns).toBeGreaterThan(5)
})
