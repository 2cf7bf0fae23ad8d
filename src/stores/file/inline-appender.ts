import type { Appender, Commit } from '../../core/ports/store.ts'
import { inlinePlacement } from './placement.ts'
import { sizeOf } from './write-all.ts'

/** Collects a small body for the record itself: no file, no system call. */
export class InlineAppender implements Appender {
  readonly #recorded: Uint8Array
  #added: Uint8Array[] = []

  constructor(recorded: Uint8Array) {
    this.#recorded = recorded
  }

  write(chunks: readonly Uint8Array[]): void {
    const size = sizeOf(chunks)
    // A copy, because the chunks belong to the caller; unpooled, because it may live on in a cache of records.
    if (size > 0) this.#added.push(join(chunks, size))
  }

  async commit(): Promise<Commit> {
    const size = this.#recorded.byteLength + sizeOf(this.#added)
    if (size === this.#recorded.byteLength) {
      return { offset: size, placement: inlinePlacement(this.#recorded) }
    }
    const [only] = this.#added
    const alone = this.#recorded.byteLength === 0 && this.#added.length === 1
    const bytes = alone && only !== undefined ? only : join([this.#recorded, ...this.#added], size)
    return { offset: size, placement: inlinePlacement(bytes) }
  }

  async rollback(): Promise<void> {
    this.#added = []
  }

  async close(): Promise<void> {
    // Nothing is held besides the bytes.
  }
}

function join(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}
