/**
 * CRC-32 (ISO-HDLC, as in gzip and `Upload-Checksum: crc32`).
 *
 * @param seed - The value of the bytes before, to go on with it.
 */
export function crc32(bytes: Uint8Array, seed = 0): number {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    for (let bit = 0; bit < 8; bit += 1) byte = (byte >>> 1) ^ (byte & 1 ? 0xedb88320 : 0)
    return byte
  })
  let crc = ~seed
  for (const byte of bytes) crc = (table[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  return ~crc >>> 0
}

let table: Uint32Array | undefined

/** A CRC-32 as a digest: four bytes, the highest first. */
export function crc32Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}
