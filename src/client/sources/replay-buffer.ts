const BLOCK_BYTES = 64 * 1024

/**
 * The bytes of a stream from one offset to another. Offsets are those of the stream.
 *
 * They are copied into blocks of one size: a million small pieces would take more memory than their bytes, and a piece
 * of something large would hold all of that.
 */
export class ReplayBuffer {
  /** The first byte held, or to be held. */
  start = 0
  /** Behind the last byte held. */
  end = 0
  readonly #blocks: Uint8Array<ArrayBuffer>[] = []
  /** Where the first block begins. */
  #first = 0

  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const used = (this.end - this.#first) % BLOCK_BYTES
      if (!used) this.#blocks.push(new Uint8Array(BLOCK_BYTES))
      const piece = bytes.subarray(at, at + BLOCK_BYTES - used)
      this.#blocks.at(-1)?.set(piece, used)
      this.end += piece.length
      at += piece.length
    }
  }

  /** Lets go of the bytes before `offset`, also of those that are still to come. */
  dropTo(offset: number): void {
    this.start = Math.max(this.start, offset)
    while (this.#first + BLOCK_BYTES <= Math.min(this.start, this.end)) {
      this.#first += BLOCK_BYTES
      this.#blocks.shift()
    }
  }

  /** The bytes from `start` to `end`, which must be held. They stay as they are after they were let go. */
  views(start: number, end: number): Uint8Array<ArrayBuffer>[] {
    const views = this.#blocks.map((block, index) => {
      const first = this.#first + index * BLOCK_BYTES
      return block.subarray(Math.max(0, start - first), Math.max(0, end - first))
    })
    return views.filter(({ length }) => length > 0)
  }
}
