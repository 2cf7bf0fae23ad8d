import type { Hashing } from '../ports/platform.ts'
import { bytesOf } from '../slice-bytes.ts'
import { crc32, crc32Bytes } from './crc32.ts'

const PIECE_BYTES = 1024 * 1024

/**
 * Digests by WebCrypto, which works beside the page's thread but needs a slice as a whole in memory: slices that are
 * hashed should be small.
 *
 * Pages without TLS have no WebCrypto, hence CRC-32 only; `sha256` rejects there.
 */
export function browserHashing(): Hashing {
  const sha = async (name: string, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> =>
    new Uint8Array(await crypto.subtle.digest(name, bytes))
  return {
    algorithms: new Set(globalThis.crypto?.subtle ? ['sha1', 'sha256', 'sha512', 'crc32'] : ['crc32']),
    async digest(algorithm, slice, signal) {
      const bytes = await bytesOf(slice, signal)
      if (algorithm !== 'crc32') return await sha(algorithm.replace('sha', 'SHA-'), bytes)
      let value = 0
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
        value = crc32(bytes.subarray(at, at + PIECE_BYTES), value)
        // A piece takes milliseconds: the page may move in between.
        await new Promise((resolve) => setTimeout(resolve))
        signal.throwIfAborted()
      }
      return crc32Bytes(value)
    },
    sha256: (bytes) => sha('SHA-256', bytes),
  }
}
