import type { ChecksumAlgorithm, Hashing } from '../ports/platform.ts'
import { bytesOf, chunksOf } from '../slice-bytes.ts'
import { TransferError } from '../errors.ts'
import { crc32, crc32Bytes } from './crc32.ts'

const SUBTLE_NAMES = { sha1: 'SHA-1', sha256: 'SHA-256', sha512: 'SHA-512' } as const

/**
 * Digests by WebCrypto, which works beside the page's thread but needs a slice as a whole in memory: slices that are
 * hashed should be small. CRC-32 is counted piece by piece.
 *
 * Pages without TLS have no WebCrypto, hence CRC-32 only; `sha256` rejects there.
 */
export function browserHashing(): Hashing {
  const isSecure = globalThis.crypto?.subtle !== undefined
  const algorithms: readonly ChecksumAlgorithm[] = isSecure
    ? ['sha1', 'sha256', 'sha512', 'crc32']
    : ['crc32']
  return {
    algorithms: new Set(algorithms),
    async digest(algorithm, slice, signal) {
      if (algorithm === 'crc32') return crcOf(chunksOf(slice, signal))
      if (algorithm === 'md5') throw new TransferError('protocol', 'md5 is not available in browsers')
      const digest = await sha(SUBTLE_NAMES[algorithm], await bytesOf(slice, signal))
      signal.throwIfAborted()
      return digest
    },
    sha256: (bytes) => sha('SHA-256', bytes),
  }
}

async function sha(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(name, bytes))
}

async function crcOf(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  let value = 0
  for await (const chunk of chunks) {
    value = crc32(chunk, value)
    // A piece takes milliseconds: the page may move in between.
    await new Promise((resolve) => setTimeout(resolve))
  }
  return crc32Bytes(value)
}
