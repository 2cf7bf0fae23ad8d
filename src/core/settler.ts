import type { Lease, Leases } from './leases.ts'
import type { Catalog } from './ports/catalog.ts'
import type { Clock } from './ports/clock.ts'
import type { UploadId } from './upload-id.ts'

const BATCH_DELAY_MS = 100
const RETRY_DELAY_MS = 5000
const BATCH_UPLOADS = 256

/** Does what is left to do for uploads that this process now holds; reports failures itself. */
export type DoChores = (leases: readonly Lease[]) => Promise<void>

interface Parts {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly leases: Leases
  readonly report: (error: unknown) => void
}

/**
 * Sees to what is left after an answer: final places of small uploads in batches, flattening, freeing what was
 * terminated, assembling finals. Each chore stands in the record, so a restart finds it again.
 */
export class Settler {
  readonly #parts: Parts
  readonly #waiting = new Set<UploadId>()
  #doChores: DoChores = () => Promise.resolve()
  #cancelTimer: (() => void) | undefined
  #running: Promise<void> | undefined
  #closed = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** The operations need the settler and the settler needs them: they are handed in once both exist. */
  start(doChores: DoChores): void {
    this.#doChores = doChores
  }

  /** Takes up an upload whose record says that something is left to do. */
  add(id: UploadId): void {
    this.#waiting.add(id)
    this.#schedule(BATCH_DELAY_MS)
  }

  /** Takes an upload up again after a while: what it needs is not there yet. */
  addLater(id: UploadId): void {
    if (this.#closed) return
    this.#parts.clock.after(RETRY_DELAY_MS, () => this.add(id))
  }

  /** Takes up everything that an earlier run, here or in another process, has left behind. */
  async recover(): Promise<void> {
    let after: UploadId | undefined
    for (;;) {
      const page = await this.#parts.catalog.list({ withChore: true, after, limit: BATCH_UPLOADS })
      for (const record of page) this.#waiting.add(record.id)
      if (page.length < BATCH_UPLOADS) break
      after = page.at(-1)?.id
    }
    this.#schedule(0)
  }

  /** Ends the batch under way and does one more; what is left then is found at the next start. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimer?.()
    await this.#running
    await this.#runBatch()
  }

  #schedule(delayMs: number): void {
    const busy = this.#cancelTimer !== undefined || this.#running !== undefined
    if (busy || this.#closed || this.#waiting.size === 0) return
    this.#cancelTimer = this.#parts.clock.after(delayMs, () => {
      this.#cancelTimer = undefined
      this.#running = this.#runBatch().finally(() => {
        this.#running = undefined
        this.#schedule(BATCH_DELAY_MS)
      })
    })
  }

  async #runBatch(): Promise<void> {
    const ids = [...this.#waiting].slice(0, BATCH_UPLOADS)
    for (const id of ids) this.#waiting.delete(id)
    try {
      const busy = await this.#parts.leases.tryHoldAll(ids, this.#doChores)
      for (const id of busy) this.addLater(id)
    } catch (error) {
      for (const id of ids) this.addLater(id)
      this.#parts.report(error)
    }
  }
}
