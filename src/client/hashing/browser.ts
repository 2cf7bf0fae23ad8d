import { TransferError } from '../errors.ts'
import type { Hashing } from '../ports/platform.ts'
import { bytesOf, chunksOf } from '../slice-bytes.ts'
import { crc32, crc32Bytes } from './crc32.ts'

/**
 * Digests by WebCrypto, which works beside the page's thread but needs a slice as a whole in memory: slices that are
 * hashed should be small. CRC-32 is counted piece by piece.
 *
 * Pages without TLS have no WebCrypto, hence CRC-32 only; `sha256` rejects there.
 */
export function browserHashing(): Hashing {
  const sha = async (name: string, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> =>
    new Uint8Array(await crypto.subtle.digest(name, bytes))
  return {
    algorithms: new Set(globalThis.crypto?.subtle ? ['sha1', 'sha256', 'sha512', 'crc32'] : ['crc32']),
    async digest(algorithm, slice, signal) {
      if (algorithm === 'md5') throw new TransferError('protocol', 'browsers have no md5')
      if (algorithm === 'crc32') {
        let value = 0
        for await (const chunk of chunksOf(slice, signal)) {
          value = crc32(chunk, value)
          // A piece takes milliseconds: the page may move in between.
          await new Promise((resolve) => setTimeout(resolve))
        }
        return crc32Bytes(value)
      }
      const digest = await sha(algorithm.replace('sha', 'SHA-'), await bytesOf(slice, signal))
      signal.throwIfAborted()
      return digest
    },
    sha256: (bytes) => sha('SHA-256', bytes),
  }
}
