import { shutdownError, UploadError } from './errors.ts'
import type { Catalog, Guard, RecordChange, UploadEvent } from './ports/catalog.ts'
import type { Clock } from './ports/clock.ts'
import type { WriteRight } from './ports/store.ts'
import type { OwnerBounds, UploadRecord } from './upload.ts'
import type { UploadId } from './upload-id.ts'
import type { Stop } from './writers.ts'
import { Writers } from './writers.ts'

const ASK_AGAIN_MS = 20

/** What belongs to the first record of an upload that is being created. */
export interface Birth {
  readonly events: readonly UploadEvent[]
  readonly bounds: OwnerBounds | undefined
  /** Called once it is recorded. */
  told(record: UploadRecord): void
}

/** The right to write one upload, and the record as this holder knows it. */
export class Lease {
  readonly #catalog: Catalog
  #record: UploadRecord
  #birth: Birth | undefined

  /** @param birth - Of an upload that is being created: its first `update` records it. */
  constructor(catalog: Catalog, record: UploadRecord, birth?: Birth) {
    this.#catalog = catalog
    this.#record = record
    this.#birth = birth
  }

  get record(): UploadRecord {
    return this.#record
  }

  /** False for an upload that is being created, until its first `update`. */
  get isRecorded(): boolean {
    return this.#birth === undefined
  }

  get right(): WriteRight {
    const catalog = this.#catalog
    return {
      epoch: this.#record.epoch,
      writer: catalog.writer,
      mayExtend: (writer) => catalog.mayExtend(writer),
    }
  }

  /**
   * Changes the record, guarded by what this holder believes it to be.
   *
   * @returns The record after the change; durable.
   * @throws {UploadError} `ERR_LEASE_LOST` if somebody else has written meanwhile: nothing was changed.
   */
  async update(change: RecordChange, events: readonly UploadEvent[] = []): Promise<UploadRecord> {
    const next = { ...this.#record, ...change }
    if (this.#birth === undefined) {
      const done = await this.#catalog.update(next.id, this.#guard(), change, events)
      if (!done) throw new UploadError('ERR_LEASE_LOST', { retryAfterSeconds: 1 })
    } else {
      const birth = this.#birth
      await this.#catalog.insert(next, [...birth.events, ...events], birth.bounds)
      this.#birth = undefined
      birth.told(next)
    }
    this.#record = next
    return next
  }

  /** Removes the record for good, as if the upload had never been. */
  async forget(): Promise<void> {
    if (this.#birth === undefined) await this.#catalog.forget(this.#record.id, this.#guard())
  }

  #guard(): Guard {
    const { epoch, offset, status } = this.#record
    return { epoch, offset, status }
  }
}

/** Hands out leases: one writer per upload within the process, then one process among all. */
export class Leases {
  readonly #catalog: Catalog
  readonly #clock: Clock
  readonly #writers: Writers
  #closing = false

  /** @param waitMs - How long a newcomer waits for an older writer to stop, in milliseconds. */
  constructor(catalog: Catalog, clock: Clock, waitMs: number) {
    this.#catalog = catalog
    this.#clock = clock
    this.#writers = new Writers(clock, waitMs)
    catalog.onWanted((id) => this.#writers.yieldTo(id))
  }

  isBusy(id: UploadId): boolean {
    return this.#writers.isBusy(id)
  }

  /** Whether a request of this process is writing the upload; a chore, which nobody asked for, does not count. */
  isServing(id: UploadId): boolean {
    return this.#writers.isServing(id)
  }

  /**
   * Runs `work` as the only writer of an upload, after stopping an older one.
   *
   * @param stop - Called when a newer request wants the upload.
   * @throws {UploadError} `ERR_UPLOAD_LOCKED` when the older one cannot be stopped within the waiting time,
   *   `ERR_UPLOAD_NOT_FOUND` when there is no record, `ERR_SERVER_SHUTDOWN` while closing.
   */
  async hold<T>(id: UploadId, stop: Stop, work: (lease: Lease) => Promise<T>): Promise<T> {
    this.#assertOpen()
    const leave = await this.#writers.enter(id, stop)
    try {
      // Whoever waited while the engine began to close was not asked to stop.
      this.#assertOpen()
      const record = await this.#acquire(id)
      try {
        return await work(new Lease(this.#catalog, record))
      } finally {
        await this.#catalog.release(id)
      }
    } finally {
      leave()
    }
  }

  /**
   * Like `hold` for several uploads, but disturbs nobody.
   *
   * @returns Those left out, because somebody is writing them.
   */
  async tryHoldAll(
    ids: readonly UploadId[],
    work: (leases: readonly Lease[]) => Promise<void>,
  ): Promise<readonly UploadId[]> {
    const busy: UploadId[] = []
    const held: { lease: Lease; leave: () => void }[] = []
    try {
      for (const id of ids) {
        const leave = this.#writers.tryEnter(id)
        const acquired = leave === undefined ? 'busy' : await this.#tryAcquire(id, leave)
        if (leave !== undefined && typeof acquired === 'object') {
          held.push({ lease: new Lease(this.#catalog, acquired), leave })
          continue
        }
        leave?.()
        if (acquired === 'busy') busy.push(id)
      }
      if (held.length > 0) await work(held.map(({ lease }) => lease))
      return busy
    } finally {
      await Promise.allSettled(held.map(({ lease }) => this.#catalog.release(lease.record.id)))
      for (const { leave } of held) leave()
    }
  }

  /**
   * Holds an upload that is about to be recorded for the first time.
   *
   * @param birth - What to record together with it.
   * @throws {UploadError} `ERR_UPLOAD_EXISTS` when somebody is writing an upload of this id, which only an application
   *   can have chosen: nobody is disturbed.
   */
  async holdNew<T>(
    record: UploadRecord,
    birth: Birth,
    stop: Stop,
    work: (lease: Lease) => Promise<T>,
  ): Promise<T> {
    this.#assertOpen()
    const leave = this.#writers.tryEnter(record.id, stop)
    if (leave === undefined) throw new UploadError('ERR_UPLOAD_EXISTS')
    try {
      return await work(new Lease(this.#catalog, record, birth))
    } finally {
      leave()
    }
  }

  /**
   * Stops whoever writes the upload, here or in another process, and waits until it has stored what it had.
   *
   * @returns False when there was certainly nobody.
   */
  async quiesce(id: UploadId): Promise<boolean> {
    if (this.#catalog.isAlone && !this.#writers.isBusy(id)) return false
    await this.#writers.quiesce(id, 'pre-empted')
    const deadlineMs = this.#clock.nowMs() + this.#writers.waitMs
    while (await this.#catalog.heldElsewhere(id, true)) await this.#askAgain(deadlineMs)
    return true
  }

  /** No new leases from now on; asks all holders to store what they have and waits for them. */
  async close(waitMs: number): Promise<void> {
    this.#closing = true
    await this.#writers.stopAll(waitMs)
  }

  get closing(): boolean {
    return this.#closing
  }

  #assertOpen(): void {
    if (this.#closing) throw shutdownError()
  }

  async #acquire(id: UploadId): Promise<UploadRecord> {
    const deadlineMs = this.#clock.nowMs() + this.#writers.waitMs
    for (;;) {
      const acquired = await this.#catalog.acquire(id)
      if (acquired.kind === 'held') return acquired.record
      if (acquired.kind === 'missing') throw new UploadError('ERR_UPLOAD_NOT_FOUND')
      await this.#askAgain(deadlineMs)
    }
  }

  /** @param leave - Called when the catalog fails: the upload would stay locked for ever. */
  async #tryAcquire(id: UploadId, leave: () => void): Promise<UploadRecord | 'busy' | 'missing'> {
    try {
      if (await this.#catalog.heldElsewhere(id, false)) return 'busy'
      const acquired = await this.#catalog.acquire(id)
      return acquired.kind === 'held' ? acquired.record : acquired.kind
    } catch (error) {
      leave()
      throw error
    }
  }

  async #askAgain(deadlineMs: number): Promise<void> {
    if (this.#clock.nowMs() >= deadlineMs)
      throw new UploadError('ERR_UPLOAD_LOCKED', { retryAfterSeconds: 1 })
    await new Promise<void>((resolve) => this.#clock.after(ASK_AGAIN_MS, resolve))
  }
}
