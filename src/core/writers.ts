import { UploadError } from './errors.ts'
import type { Clock } from './ports/clock.ts'
import type { UploadId } from './upload-id.ts'

/** Why a writer is asked to stop. `application`: a hook has ended the upload. */
export type StopReason = 'pre-empted' | 'shutdown' | 'application'

/** Asks the holder to stop soon. A holder whose body is fully received just goes on to its end. */
export type Stop = (reason: StopReason) => void

interface Holder {
  readonly stop: Stop | undefined
  /** Resolves when the holder has left. */
  readonly left: Promise<void>
  leave(): void
}

/**
 * One writer per upload within this process. A newer request pre-empts the older one: it asks it to stop and
 * waits until it has stored what had arrived (design: invariant 4).
 */
export class Writers {
  readonly #holders = new Map<UploadId, Holder>()
  readonly #clock: Clock
  readonly #waitMs: number

  /** @param waitMs - How long a newcomer waits for the older one, in milliseconds. */
  constructor(clock: Clock, waitMs: number) {
    this.#clock = clock
    this.#waitMs = waitMs
  }

  get waitMs(): number {
    return this.#waitMs
  }

  isBusy(id: UploadId): boolean {
    return this.#holders.has(id)
  }

  /** Whether a request is writing, not just a chore being done. */
  isServing(id: UploadId): boolean {
    return this.#holders.get(id)?.stop !== undefined
  }

  /**
   * Admits the caller as the only writer.
   *
   * @returns A function that gives the place back.
   * @throws {UploadError} `ERR_UPLOAD_LOCKED` if the older one did not stop in time.
   */
  async enter(id: UploadId, stop: Stop): Promise<() => void> {
    // A loop, because another newcomer may have been first when the older one left.
    const deadlineMs = this.#clock.nowMs() + this.#waitMs
    for (;;) {
      const leave = this.tryEnter(id, stop)
      if (leave !== undefined) return leave
      await this.quiesce(id, 'pre-empted', deadlineMs)
    }
  }

  /**
   * Like `enter`, without waiting and without disturbing anybody.
   *
   * @param stop - Absent for a chore: it cannot be stopped, and `stopAll` does not wait for it.
   */
  tryEnter(id: UploadId, stop?: Stop): (() => void) | undefined {
    if (this.#holders.has(id)) return undefined
    const holder = makeHolder(stop)
    this.#holders.set(id, holder)
    return () => {
      this.#holders.delete(id)
      holder.leave()
    }
  }

  /**
   * Asks the present writer, if any, to stop and waits until it has left.
   *
   * @throws {UploadError} `ERR_UPLOAD_LOCKED` when the deadline passes first.
   */
  async quiesce(id: UploadId, reason: StopReason, deadlineMs?: number): Promise<void> {
    const holder = this.#holders.get(id)
    if (holder === undefined) return
    holder.stop?.(reason)
    const leftMs = (deadlineMs ?? this.#clock.nowMs() + this.#waitMs) - this.#clock.nowMs()
    await this.#within(holder.left, leftMs)
  }

  /** Another process wants to write: the holder stops, nobody waits here. */
  yieldTo(id: UploadId): void {
    this.#holders.get(id)?.stop?.('pre-empted')
  }

  /** Asks everybody to stop and waits for all of them, at most `waitMs` milliseconds. */
  async stopAll(waitMs: number): Promise<void> {
    const holders = [...this.#holders.values()].filter(({ stop }) => stop !== undefined)
    for (const holder of holders) holder.stop?.('shutdown')
    const all = Promise.all(holders.map((holder) => holder.left))
    await this.#within(all, waitMs).catch(() => undefined)
  }

  #within(done: Promise<unknown>, waitMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(Math.max(0, waitMs), () =>
        reject(new UploadError('ERR_UPLOAD_LOCKED', { retryAfterSeconds: 1 })),
      )
      void done.then(() => {
        cancel()
        resolve()
      })
    })
  }
}

function makeHolder(stop: Stop | undefined): Holder {
  let leave = (): void => undefined
  // The promise is made only for somebody who waits: nearly every request meets nobody.
  let left: Promise<void> | undefined
  let gone = false
  return {
    stop,
    get left(): Promise<void> {
      left ??= gone ? Promise.resolve() : new Promise((resolve) => (leave = resolve))
      return left
    },
    leave(): void {
      gone = true
      leave()
    },
  }
}
