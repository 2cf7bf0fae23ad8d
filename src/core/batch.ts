const SLAB_BYTES = 16 * 1024
const SPARE_SLABS = 1024
/** Chunks from here on stay as they came: copying them would cost more than it saves. */
const KEEP_FROM_BYTES = 32 * 1024

/** Slabs that no batch uses at the moment. Shared by all uploads of the process. */
const spare: Uint8Array[] = []

/**
 * Chunks on their way into one write.
 *
 * Small ones are copied into slabs that are used again and again. A thousand slow uploads would otherwise keep many
 * small buffers alive just long enough for the garbage collector to take them for old ones, and memory would grow
 * far past what is really held.
 */
export class Batch {
  readonly #chunks: Uint8Array[] = []
  readonly #slabs: Uint8Array[] = []
  #slab: Uint8Array | undefined
  #slabFrom = 0
  #slabTo = 0
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  /** @param mustWait - False for the last chunk of a body: it is written at once and need not be copied. */
  add(chunk: Uint8Array, mustWait: boolean): void {
    this.#bytes += chunk.length
    if (mustWait && chunk.length < KEEP_FROM_BYTES) return this.#copy(chunk)
    this.#seal()
    this.#chunks.push(chunk)
  }

  /** What was added, in order. Nothing may be added afterwards. */
  take(): readonly Uint8Array[] {
    this.#seal()
    return this.#chunks
  }

  /** The bytes are written: the slabs may serve others. */
  release(): void {
    for (const slab of this.#slabs.splice(0)) if (spare.length < SPARE_SLABS) spare.push(slab)
  }

  #copy(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      const slab = (this.#slab ??= this.#newSlab())
      const end = Math.min(chunk.length, at + slab.length - this.#slabTo)
      slab.set(chunk.subarray(at, end), this.#slabTo)
      this.#slabTo += end - at
      at = end
      if (this.#slabTo < slab.length) continue
      this.#seal()
      this.#slab = undefined
    }
  }

  #newSlab(): Uint8Array {
    const slab = spare.pop() ?? new Uint8Array(SLAB_BYTES)
    this.#slabs.push(slab)
    this.#slabFrom = this.#slabTo = 0
    return slab
  }

  /** What was copied since the last time becomes a chunk. */
  #seal(): void {
    if (this.#slab === undefined || this.#slabFrom === this.#slabTo) return
    this.#chunks.push(this.#slab.subarray(this.#slabFrom, this.#slabTo))
    this.#slabFrom = this.#slabTo
  }
}
