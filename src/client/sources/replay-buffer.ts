interface Block {
  readonly start: number
  readonly bytes: Uint8Array<ArrayBuffer>
  used: number
}

const MIN_BLOCK_BYTES = 64 * 1024
/** Larger blocks would be held whole long after their beginning was let go. */
const MAX_BLOCK_BYTES = 1024 * 1024
const MIN_KEPT_BYTES = 16 * 1024

/** The bytes of a stream from one offset to another, in blocks. Offsets are those of the stream. */
export class ReplayBuffer {
  #blocks: Block[] = []
  #start = 0
  #end = 0

  /** The first byte held. */
  get start(): number {
    return this.#start
  }

  /** Behind the last byte held. */
  get end(): number {
    return this.#end
  }

  /** @param isOurs - Whether nobody else writes to the memory of `bytes`: then it may be held without a copy. */
  append(bytes: Uint8Array<ArrayBuffer>, isOurs: boolean): void {
    if (isOurs && isWorthKeeping(bytes)) this.#add(bytes, bytes.length)
    else this.#copy(bytes)
  }

  /** Counts bytes that nobody wants. */
  skip(bytes: number): void {
    this.#end += bytes
    this.dropTo(this.#end)
  }

  /** Lets go of the bytes before `offset`. */
  dropTo(offset: number): void {
    this.#start = Math.max(this.#start, Math.min(offset, this.#end))
    const kept = this.#blocks.findIndex(({ start, used }) => start + used > this.#start)
    this.#blocks.splice(0, kept < 0 ? this.#blocks.length : kept)
  }

  /** The bytes from `start` to `end`, which must be held. They stay as they are after they were let go. */
  views(start: number, end: number): Uint8Array<ArrayBuffer>[] {
    return this.#blocks
      .filter((block) => block.start < end && block.start + block.used > start)
      .map((block) =>
        block.bytes.subarray(Math.max(0, start - block.start), Math.min(block.used, end - block.start)),
      )
  }

  #copy(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const last = this.#blocks.at(-1)
      const room = last === undefined ? 0 : last.bytes.length - last.used
      if (last === undefined || room === 0) {
        const wanted = Math.min(MAX_BLOCK_BYTES, Math.max(MIN_BLOCK_BYTES, bytes.length - at))
        this.#add(new Uint8Array(wanted), 0)
        continue
      }
      const piece = bytes.subarray(at, at + room)
      last.bytes.set(piece, last.used)
      last.used += piece.length
      this.#end += piece.length
      at += piece.length
    }
  }

  #add(bytes: Uint8Array<ArrayBuffer>, used: number): void {
    this.#blocks.push({ start: this.#end, bytes, used })
    this.#end += used
  }
}

/** A small piece costs more than its bytes, and a piece of something large holds all of that in memory. */
function isWorthKeeping(bytes: Uint8Array): boolean {
  const { length, buffer } = bytes
  return length >= MIN_KEPT_BYTES && length <= MAX_BLOCK_BYTES && buffer.byteLength <= 2 * length
}
