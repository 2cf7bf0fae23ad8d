import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import type { ChecksumAlgorithm, Hashing } from '../ports/platform.ts'
import { chunksOf } from '../slice-chunks.ts'
import { crc32Bytes } from './crc32.ts'

/** A megabyte takes about a millisecond; sockets and timers get their turn in between. */
const PIECE_BYTES = 1024 * 1024

/** Digests by Node's crypto and zlib, piece by piece: nothing is gathered, and nothing else waits for long. */
export function nodeHashing(): Hashing {
  return {
    algorithms: new Set(['sha1', 'sha256', 'sha512', 'md5', 'crc32']),
    async digest(algorithm, slice, signal) {
      const digest = digestOf(algorithm)
      for await (const chunk of chunksOf(slice, signal)) {
        for (let start = 0; start < chunk.length; start += PIECE_BYTES) {
          digest.update(chunk.subarray(start, start + PIECE_BYTES))
          await setImmediate()
        }
      }
      signal.throwIfAborted()
      return digest.result()
    },
    async sha256(bytes) {
      return createHash('sha256').update(bytes).digest()
    },
  }
}

interface Digest {
  update(bytes: Uint8Array): void
  result(): Uint8Array
}

function digestOf(algorithm: ChecksumAlgorithm): Digest {
  let crc = 0
  if (algorithm === 'crc32') {
    return { update: (bytes) => void (crc = crc32(bytes, crc)), result: () => crc32Bytes(crc) }
  }
  const hash = createHash(algorithm)
  return { update: (bytes) => void hash.update(bytes), result: () => hash.digest() }
}
