const MIN_FLUSH_BYTES = 64 * 1024
const MAX_FLUSH_BYTES = 4 * 1024 * 1024

/** Something that holds received bytes and can be asked to write them out. */
export interface BufferHolder {
  /** What `flush` would set free; none for a holder that has been asked already. */
  readonly heldBytes: number
  /** Writes out what is held, as soon as the write under way is done. */
  flush(): void
  /** There is room again: reading may go on. */
  resume(): void
}

/**
 * One budget over all bytes that are held in memory for uploads, so that a thousand slow clients cost no
 * more than one fast one.
 */
export class MemoryBudget {
  readonly #totalBytes: number
  readonly #holders = new Set<BufferHolder>()
  readonly #waiting = new Set<BufferHolder>()
  #usedBytes = 0

  /** @param totalBytes - Bytes that all uploads of this process may hold together. */
  constructor(totalBytes: number) {
    if (!(totalBytes >= MIN_FLUSH_BYTES)) throw new RangeError('the memory budget must be at least 64 KiB')
    this.#totalBytes = totalBytes
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get hasRoom(): boolean {
    return this.#usedBytes < this.#totalBytes
  }

  /** How much one upload gathers before it writes: few uploads write 4 MiB at a time, many 64 KiB. */
  get flushBytes(): number {
    // Two shares each: one is being written while the next is gathered.
    const share = this.#totalBytes / (2 * Math.max(1, this.#holders.size))
    return Math.min(MAX_FLUSH_BYTES, Math.max(MIN_FLUSH_BYTES, Math.floor(share)))
  }

  join(holder: BufferHolder): void {
    this.#holders.add(holder)
  }

  leave(holder: BufferHolder): void {
    this.#holders.delete(holder)
    this.#waiting.delete(holder)
  }

  /** Counts bytes that have arrived; they are here, so this cannot be refused. */
  take(bytes: number): void {
    this.#usedBytes += bytes
    if (!this.hasRoom) this.#largest()?.flush()
  }

  /** Whether a holder may go on reading. If not, its `resume` is called once there is room. */
  admits(holder: BufferHolder): boolean {
    if (this.hasRoom) return true
    this.#waiting.add(holder)
    return false
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes
    // Everybody may be paused below their flush size: without this nobody would write and free anything.
    if (!this.hasRoom) return this.#largest()?.flush()
    if (this.#waiting.size === 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const holder of waiting) holder.resume()
  }

  #largest(): BufferHolder | undefined {
    let largest: BufferHolder | undefined
    for (const holder of this.#holders) {
      if (largest === undefined || holder.heldBytes > largest.heldBytes) largest = holder
    }
    return largest
  }
}
