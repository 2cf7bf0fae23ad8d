import type { Lease, Leases } from './leases.ts'
import type { Clock } from './ports/clock.ts'
import type { UploadId } from './upload-id.ts'

const BATCH_DELAY_MS = 100
const RETRY_DELAY_MS = 5000

/** Does what is left to do for uploads that this process now holds; reports failures itself. */
export type DoChores = (leases: readonly Lease[]) => Promise<void>

interface Parts {
  readonly clock: Clock
  readonly leases: Leases
  readonly report: (error: unknown) => void
}

/** Uploads with something left to do, taken up in batches, one batch at a time. */
export class SettlerLane {
  readonly #parts: Parts
  readonly #batchUploads: number
  readonly #waiting = new Set<UploadId>()
  #doChores: DoChores = () => Promise.resolve()
  #cancelTimer: (() => void) | undefined
  #running: Promise<void> | undefined
  #closed = false

  /** @param batchUploads - How many uploads one batch takes at most. */
  constructor(parts: Parts, batchUploads: number) {
    this.#parts = parts
    this.#batchUploads = batchUploads
  }

  start(doChores: DoChores): void {
    this.#doChores = doChores
  }

  /** @param delayMs - How long to wait for more, so that one batch serves many. */
  add(id: UploadId, delayMs: number = BATCH_DELAY_MS): void {
    this.#waiting.add(id)
    this.#schedule(delayMs)
  }

  addLater(id: UploadId, delayMs: number = RETRY_DELAY_MS): void {
    if (this.#closed) return
    this.#parts.clock.after(delayMs, () => this.add(id))
  }

  /** Takes nothing up any more, and does not wait for the batch under way. */
  abandon(): void {
    this.#closed = true
    this.#cancelTimer?.()
  }

  /** Ends the batch under way and does one more; what is left then is found at the next start. */
  async close(): Promise<void> {
    this.abandon()
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
    const ids = [...this.#waiting].slice(0, this.#batchUploads)
    for (const id of ids) this.#waiting.delete(id)
    try {
      const busy = await this.#parts.leases.tryHoldAll(ids, this.#doChores)
      for (const id of busy) this.addLater(id)
    } catch (error) {
      for (const id of ids) this.addLater(id)
      // An abandoned batch fails because everything around it is closed: nothing to tell.
      if (!this.#closed) this.#parts.report(error)
    }
  }
}
