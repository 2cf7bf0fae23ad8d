import { UploadError } from '../../core/errors.ts'
import type { Clock } from '../../core/ports/clock.ts'
import type {
  Appender,
  ByteRange,
  Commit,
  FindRecord,
  FinishOutcome,
  Orphan,
  Store,
} from '../../core/ports/store.ts'
import type { Placement, UploadRecord } from '../../core/upload.ts'
import { cutTo, endOf, indexOf, joinChunks } from './pieces.ts'
import type { Piece } from './pieces.ts'

export interface MemoryStoreOptions {
  /**
   * Bytes that all uploads together may hold; a write past it fails with `ERR_STORE_FULL`.
   *
   * @default unlimited; then the store does not offer `freeBytes`
   */
  readonly maxBytes?: number | undefined
  /** Tells the age of orphans. @default the system's clock */
  readonly clock?: Pick<Clock, 'nowMs'> | undefined
}

/**
 * Keeps uploads in the memory of this process: for tests and for places without a disk.
 *
 * Everything is gone when the process ends. Bytes are copied in once and shared between a final upload and its parts.
 *
 * @throws {RangeError} if `maxBytes` is not a non-negative integer.
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  const { maxBytes } = options
  if (maxBytes !== undefined && (!Number.isSafeInteger(maxBytes) || maxBytes < 0)) {
    throw new RangeError('maxBytes must be a non-negative integer')
  }
  return new MemoryStore(maxBytes, options.clock ?? { nowMs: () => Date.now() })
}

/** The placement of every upload: the bytes are found by id alone. */
const PLACEMENT: Placement = Object.freeze({ where: null })

interface Entry {
  pieces: Piece[]
  changedAtMs: number
}

class MemoryStore implements Store {
  readonly #entries = new Map<string, Entry>()
  readonly #maxBytes: number | undefined
  readonly #clock: Pick<Clock, 'nowMs'>
  readonly freeBytes?: () => Promise<number>

  constructor(maxBytes: number | undefined, clock: Pick<Clock, 'nowMs'>) {
    this.#maxBytes = maxBytes
    this.#clock = clock
    if (maxBytes !== undefined) this.freeBytes = async () => Math.max(0, maxBytes - this.#heldBytes())
  }

  place(): Placement {
    return PLACEMENT
  }

  async open(record: UploadRecord): Promise<Appender> {
    const pieces = this.#recorded(record)
    // A copy of the list: whoever wrote before keeps the old one, so its late writes land nowhere.
    const entry = { pieces: cutTo(pieces, record.offset), changedAtMs: this.#clock.nowMs() }
    this.#entries.set(record.id, entry)
    return new MemoryAppender(entry, record.offset, {
      fits: (size) => this.#maxBytes === undefined || this.#heldBytes() + size <= this.#maxBytes,
      nowMs: () => this.#clock.nowMs(),
    })
  }

  async *read(record: UploadRecord, range: ByteRange, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    signal.throwIfAborted()
    if (range.start >= range.end) return
    const pieces = this.#recorded(record)
    for (let index = indexOf(pieces, range.start); index < pieces.length; index += 1) {
      const piece = pieces[index]
      if (piece === undefined || piece.start >= range.end) return
      signal.throwIfAborted()
      yield piece.bytes.subarray(Math.max(0, range.start - piece.start), range.end - piece.start)
    }
  }

  finishing(): 'none' {
    return 'none'
  }

  async finish(records: readonly UploadRecord[]): Promise<readonly FinishOutcome[]> {
    return records.map((record): FinishOutcome => {
      try {
        this.#recorded(record)
        return { ok: true, placement: record.placement }
      } catch (error) {
        return { ok: false, error }
      }
    })
  }

  async tidy(): Promise<void> {
    // Finishing moves nothing, so nothing is left over.
  }

  async remove(record: UploadRecord): Promise<void> {
    this.#entries.delete(record.id)
  }

  async concatenate(parts: readonly UploadRecord[], into: UploadRecord): Promise<Placement> {
    const pieces: Piece[] = []
    let start = 0
    for (const part of parts) {
      for (const piece of cutTo(this.#recorded(part), part.offset)) {
        pieces.push({ start: start + piece.start, bytes: piece.bytes })
      }
      start += part.offset
    }
    this.#entries.set(into.id, { pieces, changedAtMs: this.#clock.nowMs() })
    return PLACEMENT
  }

  async *orphans(find: FindRecord, olderThanMs: number): AsyncGenerator<Orphan, void, undefined> {
    const before = this.#clock.nowMs() - olderThanMs
    for (const [id, entry] of this.#entries) {
      if (entry.changedAtMs > before || (await find(id)) !== undefined) continue
      yield {
        name: id,
        sizeBytes: endOf(entry.pieces),
        remove: async () => void this.#entries.delete(id),
      }
    }
  }

  async close(): Promise<void> {
    // The bytes stay: an engine that is closed and made anew over this store goes on where it was.
  }

  #recorded(record: UploadRecord): readonly Piece[] {
    const pieces = this.#entries.get(record.id)?.pieces ?? []
    if (endOf(pieces) < record.offset) throw new UploadError('ERR_CORRUPT_RECORD')
    return pieces
  }

  /** Counts shared bytes once. Walks everything: only asked when there is a limit. */
  #heldBytes(): number {
    const buffers = new Set<ArrayBufferLike>()
    let held = 0
    for (const { pieces } of this.#entries.values()) {
      for (const { bytes } of pieces) {
        if (buffers.has(bytes.buffer)) continue
        buffers.add(bytes.buffer)
        held += bytes.buffer.byteLength
      }
    }
    return held
  }
}

interface Room {
  fits(sizeBytes: number): boolean
  nowMs(): number
}

class MemoryAppender implements Appender {
  readonly #entry: Entry
  readonly #openedAt: number
  readonly #room: Room

  constructor(entry: Entry, openedAt: number, room: Room) {
    this.#entry = entry
    this.#openedAt = openedAt
    this.#room = room
  }

  write(chunks: readonly Uint8Array[]): void | Promise<void> {
    let size = 0
    for (const chunk of chunks) size += chunk.byteLength
    if (size === 0) return
    if (!this.#room.fits(size)) return Promise.reject(new UploadError('ERR_STORE_FULL'))
    this.#entry.pieces.push(joinChunks(endOf(this.#entry.pieces), chunks))
    this.#entry.changedAtMs = this.#room.nowMs()
  }

  async commit(): Promise<Commit> {
    return { offset: endOf(this.#entry.pieces), placement: PLACEMENT }
  }

  async rollback(): Promise<void> {
    this.#entry.pieces = cutTo(this.#entry.pieces, this.#openedAt)
  }

  async close(): Promise<void> {
    // Nothing is held besides the bytes.
  }
}
