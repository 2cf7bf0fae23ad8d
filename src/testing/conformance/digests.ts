import { createHash } from 'node:crypto'

const hashes = new Map([
  ['sha1', 'sha1'],
  ['sha256', 'sha256'],
  ['sha384', 'sha384'],
  ['sha512', 'sha512'],
  ['md5', 'md5'],
])

/** `Upload-Checksum` of some bytes; `undefined` for an algorithm that the suite cannot compute. */
export function checksum(algorithm: string, data: string | Uint8Array): string | undefined {
  const digest = digestOf(algorithm, Buffer.from(data))
  return digest === undefined ? undefined : `${algorithm} ${digest.toString('base64')}`
}

/** `Upload-Checksum` with `sha1`, the algorithm every server has. */
export function sha1(data: string | Uint8Array): string {
  return `sha1 ${createHash('sha1').update(data).digest('base64')}`
}

function digestOf(algorithm: string, data: Buffer): Buffer | undefined {
  if (algorithm === 'crc32') return crc32(data)
  const name = hashes.get(algorithm)
  return name === undefined ? undefined : createHash(name).update(data).digest()
}

/** CRC-32 (IEEE 802.3), four bytes, big-endian. `zlib.crc32` is not in Node 20.0. */
function crc32(data: Buffer): Buffer {
  let crc = 0xffffffff
  for (const byte of data) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  const digest = Buffer.alloc(4)
  digest.writeUInt32BE((crc ^ 0xffffffff) >>> 0)
  return digest
}
