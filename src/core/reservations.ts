import { UploadError } from './errors.ts'
import type { Clock } from './ports/clock.ts'
import type { Store } from './ports/store.ts'
import type { UploadId } from './upload-id.ts'

const ACTIVE_MS = 10 * 60 * 1000

/**
 * Space that uploads under way will still need, so that two of them are not promised the same free bytes.
 * Only receiving reserves: a creation alone must not fill the disk. An upload that has been silent for ten
 * minutes gives its reservation up.
 */
export class Reservations {
  readonly #entries = new Map<UploadId, { bytes: number; activeMs: number }>()
  readonly #store: Store
  readonly #clock: Clock
  #totalBytes = 0

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /**
   * Refuses bytes that cannot fit.
   *
   * @throws {UploadError} `ERR_STORE_FULL`.
   */
  async check(id: UploadId, bytes: number): Promise<void> {
    if (this.#store.freeBytes === undefined || bytes === 0) return
    const free = await this.#store.freeBytes()
    if (bytes <= free - this.#others(id)) return
    this.#dropSilent()
    if (bytes > free - this.#others(id)) throw new UploadError('ERR_STORE_FULL', { retryAfterSeconds: 60 })
  }

  /** Notes that an upload is receiving and how much of it is still to come. */
  reserve(id: UploadId, bytes: number): void {
    this.release(id)
    this.#entries.set(id, { bytes, activeMs: this.#clock.nowMs() })
    this.#totalBytes += bytes
  }

  release(id: UploadId): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    this.#totalBytes -= entry.bytes
    this.#entries.delete(id)
  }

  #others(id: UploadId): number {
    return this.#totalBytes - (this.#entries.get(id)?.bytes ?? 0)
  }

  #dropSilent(): void {
    const before = this.#clock.nowMs() - ACTIVE_MS
    for (const [id, entry] of this.#entries) if (entry.activeMs < before) this.release(id)
  }
}
