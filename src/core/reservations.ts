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
  /** The longest silent first: an entry that is renewed moves to the end. */
  readonly #entries = new Map<UploadId, { bytes: number; activeMs: number }>()
  readonly #store: Store
  readonly #clock: Clock
  #totalBytes = 0

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /**
   * Refuses bytes that cannot fit beside what others were promised.
   *
   * @throws {UploadError} `ERR_STORE_FULL`.
   */
  async check(id: UploadId, bytes: number): Promise<void> {
    if (this.#store.freeBytes === undefined || bytes === 0) return
    this.#assertFits(id, bytes, await this.#store.freeBytes())
  }

  /**
   * Promises an upload the space for what is still to come of it.
   *
   * @throws {UploadError} `ERR_STORE_FULL`; an earlier promise ends.
   */
  async reserve(id: UploadId, bytes: number): Promise<void> {
    if (this.#store.freeBytes === undefined || bytes === 0) return
    const freeBytes = await this.#store.freeBytes()
    // No await from here on: of two that ask at once only one may be promised the last bytes.
    try {
      this.#assertFits(id, bytes, freeBytes)
    } catch (error) {
      this.release(id)
      throw error
    }
    this.progress(id, bytes)
  }

  /** Notes that an upload is active, and how much of it is still to come. */
  progress(id: UploadId, bytes: number): void {
    this.release(id)
    if (this.#store.freeBytes === undefined || bytes === 0) return
    this.#entries.set(id, { bytes, activeMs: this.#clock.nowMs() })
    this.#totalBytes += bytes
  }

  release(id: UploadId): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    this.#totalBytes -= entry.bytes
    this.#entries.delete(id)
  }

  #assertFits(id: UploadId, bytes: number, freeBytes: number): void {
    this.#dropSilent()
    const others = this.#totalBytes - (this.#entries.get(id)?.bytes ?? 0)
    if (bytes > freeBytes - others) throw new UploadError('ERR_STORE_FULL', { retryAfterSeconds: 60 })
  }

  #dropSilent(): void {
    const beforeMs = this.#clock.nowMs() - ACTIVE_MS
    for (const [id, { activeMs }] of this.#entries) {
      if (activeMs > beforeMs) return
      this.release(id)
    }
  }
}
