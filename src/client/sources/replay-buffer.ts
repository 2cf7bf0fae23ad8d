/**
 * The last bytes of a stream, as many as fit. Offsets are those of the stream.
 *
 * They are copied into a ring that is made once: a million small pieces would take more memory than their bytes, and a
 * piece of something large would hold all of that.
 */
export class ReplayBuffer {
  /** The first byte held, or to be held. */
  start = 0
  /** Behind the last byte held. */
  end = 0
  readonly #sizeBytes: number
  #ring: Uint8Array | undefined

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes
  }

  append(bytes: Uint8Array): void {
    this.#ring ??= new Uint8Array(this.#sizeBytes)
    for (let at = 0; at < bytes.length;) {
      const place = this.end % this.#sizeBytes
      const piece = bytes.subarray(at, at + this.#sizeBytes - place)
      this.#ring.set(piece, place)
      this.end += piece.length
      at += piece.length
    }
    this.dropTo(this.end - this.#sizeBytes)
  }

  /** Lets go of the bytes before `offset`, also of those that are still to come. */
  dropTo(offset: number): void {
    this.start = Math.max(this.start, offset)
  }

  /** A copy of the bytes from `start` to `end`, which must be held. */
  slice(start: number, end: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(end - start)
    for (let at = start; at < end;) {
      const place = at % this.#sizeBytes
      const piece = this.#ring?.subarray(place, place + end - at) ?? bytes
      bytes.set(piece, at - start)
      at += piece.length
    }
    return bytes
  }
}
