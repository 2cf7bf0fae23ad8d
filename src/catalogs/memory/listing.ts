import type { ListQuery } from '../../core/ports/catalog.ts'
import { isGone, type UploadRecord } from '../../core/upload.ts'
import type { UploadId } from '../../core/upload-id.ts'

/** Whether a listing shows this record. */
export function matches(record: UploadRecord, query: ListQuery): boolean {
  if (query.status !== undefined && !query.status.includes(record.status)) return false
  if (query.withChore === true && record.chore === undefined) return false
  if (query.expiresBeforeMs !== undefined && !(expiry(record) < query.expiresBeforeMs)) return false
  if (query.finishedBeforeMs !== undefined && !(finish(record) < query.finishedBeforeMs)) return false
  if (query.lastWriteBeforeMs === undefined) return true
  return isGone(record) && record.lastWriteAtMs < query.lastWriteBeforeMs
}

function expiry(record: UploadRecord): number {
  return record.expiresAtMs ?? Number.POSITIVE_INFINITY
}

function finish({ status, finishedAtMs }: UploadRecord): number {
  return status === 'complete' ? (finishedAtMs ?? Infinity) : Infinity
}

/** Ids in order. Sorts when a listing asks, so that an insert costs nothing. */
export class SortedIds {
  #sorted: UploadId[] = []
  #unsorted: UploadId[] = []
  readonly #removed = new Set<UploadId>()

  add(id: UploadId): void {
    // An id that was forgotten and comes back is still in the order.
    if (!this.#removed.delete(id)) this.#unsorted.push(id)
  }

  remove(id: UploadId): void {
    this.#removed.add(id)
  }

  /** All ids behind `after`, in order. */
  *from(after: UploadId | undefined): Iterable<UploadId> {
    this.#settle()
    const ids = this.#sorted
    for (let index = after === undefined ? 0 : firstBehind(ids, after); index < ids.length; index += 1) {
      const id = ids[index]
      if (id !== undefined) yield id
    }
  }

  #settle(): void {
    if (this.#unsorted.length === 0 && this.#removed.size === 0) return
    this.#sorted = [...this.#sorted, ...this.#unsorted].filter((id) => !this.#removed.has(id)).sort()
    this.#unsorted = []
    this.#removed.clear()
  }
}

function firstBehind(ids: readonly UploadId[], after: UploadId): number {
  let low = 0
  let high = ids.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ids[middle] ?? '') <= after) low = middle + 1
    else high = middle
  }
  return low
}
