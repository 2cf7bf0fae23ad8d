import type { RecordChange } from '../../core/ports/catalog.ts'
import type { UploadRecord } from '../../core/upload.ts'
import type { UploadId } from '../../core/upload-id.ts'

const MAX_RECORDS = 1024
const MAX_HELD_BYTES = 2 * 1024 * 1024

/**
 * The records used last, as they are committed.
 *
 * Every commit makes SQLite forget its pages on the reading connection; the next read of a record then costs several
 * reads of the file. Only a process that is alone may use this: each change has come through it.
 */
export class RecordCache {
  /** The least recently used comes first. */
  readonly #records = new Map<UploadId, UploadRecord>()
  #heldBytes = 0

  get(id: UploadId): UploadRecord | undefined {
    const record = this.#records.get(id)
    if (record === undefined) return undefined
    this.#records.delete(id)
    this.#records.set(id, record)
    return record
  }

  put(record: UploadRecord): void {
    this.delete(record.id)
    this.#records.set(record.id, record)
    this.#heldBytes += heldBytesOf(record)
    for (const oldest of this.#records.keys()) {
      if (this.#records.size <= MAX_RECORDS && this.#heldBytes <= MAX_HELD_BYTES) break
      this.delete(oldest)
    }
  }

  /** Applies a change that has been committed. */
  change(id: UploadId, change: RecordChange): void {
    const record = this.#records.get(id)
    if (record !== undefined) this.put({ ...record, ...change })
  }

  delete(id: UploadId): void {
    const record = this.#records.get(id)
    if (record === undefined) return
    this.#records.delete(id)
    this.#heldBytes -= heldBytesOf(record)
  }

  clear(): void {
    this.#records.clear()
    this.#heldBytes = 0
  }
}

function heldBytesOf(record: UploadRecord): number {
  return (record.placement.inline?.byteLength ?? 0) + (record.handling?.answer?.body.byteLength ?? 0)
}
