import { createHash } from 'node:crypto'

const MiB = 1024 * 1024
const blockBytes = MiB
const slideBytes = 64 * 1024

// One small hot buffer: a client that walks through cold memory would measure its own cache misses. Every block is
// a different window into it, so that bytes stored at a wrong place change the hash.
const pool = fill(Buffer.allocUnsafeSlow(blockBytes + slideBytes))

function fill(buffer: Buffer): Buffer {
  let state = 0x2545f491
  for (let at = 0; at + 4 <= buffer.length; at += 4) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    buffer.writeInt32LE(state, at)
  }
  return buffer
}

export interface Extent {
  /** Two uploads with different seeds differ in content. */
  seed: number
  from: number
  bytes: number
}

/** The content of an upload as windows into one preallocated buffer, none longer than `pieceBytes`. */
export function* pieces(extent: Extent, pieceBytes: number = blockBytes): Generator<Buffer> {
  const end = extent.from + extent.bytes
  for (let at = extent.from; at < end;) {
    const block = Math.floor(at / blockBytes)
    const within = at - block * blockBytes
    const take = Math.min(pieceBytes, blockBytes - within, end - at)
    const shift = ((extent.seed + block) * 4099) % slideBytes
    yield pool.subarray(shift + within, shift + within + take)
    at += take
  }
}

/** SHA-256 of what {@link pieces} gives. */
export function sha256Of(extent: Extent): Buffer {
  const hash = createHash('sha256')
  for (const piece of pieces(extent)) hash.update(piece)
  return hash.digest()
}
