import { createHash } from 'node:crypto'

/** A prime, so that bytes at the wrong place never happen to be the right ones. */
const POOL_BYTES = 1_048_583
const pool = makePool()

/** Content that is known at every offset, different for each seed. */
export interface Content {
  /** Bytes from `start` to before `end`. */
  slice(start: number, end: number): Buffer
}

export function contentOf(seed: number): Content {
  const shift = (seed * 104_729) % POOL_BYTES
  return {
    slice(start, end) {
      const bytes = Buffer.allocUnsafe(end - start)
      let done = 0
      while (done < bytes.length) {
        const from = (shift + start + done) % POOL_BYTES
        done += pool.copy(bytes, done, from, Math.min(POOL_BYTES, from + bytes.length - done))
      }
      return bytes
    },
  }
}

/** Numbers from 0 to before 1, the same ones for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function makePool(): Buffer {
  const random = seededRandom(1)
  const bytes = Buffer.allocUnsafe(POOL_BYTES)
  for (let at = 0; at < POOL_BYTES; at += 1) bytes[at] = random() * 256
  return bytes
}
