import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Digest, DigestAlgorithm, Digests } from '../core/ports/digest.ts'

/** Checksums by Node's own crypto and zlib. A CRC-32 is four bytes, the highest first. */
export const nodeDigests: Digests = {
  algorithms: ['sha1', 'sha256', 'sha512', 'md5', 'crc32'],
  create: (algorithm) => (algorithm === 'crc32' ? crcDigest() : hashDigest(algorithm)),
}

function hashDigest(algorithm: Exclude<DigestAlgorithm, 'crc32'>): Digest {
  const hash = createHash(algorithm)
  return {
    update(chunks) {
      for (const chunk of chunks) hash.update(chunk)
    },
    result: () => hash.digest(),
  }
}

function crcDigest(): Digest {
  let value = 0
  return {
    update(chunks) {
      for (const chunk of chunks) value = crc32(chunk, value)
    },
    result() {
      const bytes = new Uint8Array(4)
      new DataView(bytes.buffer).setUint32(0, value)
      return bytes
    },
  }
}
