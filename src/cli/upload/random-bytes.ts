import { randomBytes } from 'node:crypto'

const PIECE_BYTES = 256 * 1024

/** This many random bytes, piece by piece. */
export function* randomContent(sizeBytes: number): Iterable<Uint8Array> {
  for (let leftBytes = sizeBytes; leftBytes > 0; leftBytes -= PIECE_BYTES) {
    yield randomBytes(Math.min(PIECE_BYTES, leftBytes))
  }
}
