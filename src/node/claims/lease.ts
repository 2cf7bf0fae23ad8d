import { inspect } from 'node:util'
import { UploadError } from '../../core/errors.ts'
import type { ClaimDesk, ClaimedUpload } from '../../core/operations/claim.ts'
import type { QueueEntry } from '../../core/ports/catalog.ts'

const MAX_ERROR_CHARACTERS = 2000
const ASSURE_TRIES = 3

export interface LeaseParts {
  readonly desk: ClaimDesk
  readonly leaseMs: number
  readonly maxAttempts: number
  readonly autoExtend: boolean
  readonly report: (error: unknown) => void
  /** Called once, when it is over, whichever way. */
  readonly onEnd: () => void
}

/** The right of this process to process one upload. Keeps itself, if it may, until it is ended. */
export class ClaimLease {
  readonly #parts: LeaseParts
  readonly #entry: QueueEntry
  readonly #lost = new AbortController()
  #untilMs: number
  #state: 'open' | 'ending' | 'ended' | 'lost' = 'open'
  #cancelTimer: (() => void) | undefined

  constructor(parts: LeaseParts, { entry }: ClaimedUpload) {
    this.#parts = parts
    this.#entry = entry
    this.#untilMs = entry.dueAtMs
    this.#keep()
  }

  get attempt(): number {
    return this.#entry.attempts
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Aborts when somebody else has it, or may have. */
  get signal(): AbortSignal {
    return this.#lost.signal
  }

  /** @throws {TypeError} if it was ended; {@link UploadError} `ERR_LEASE_LOST`. */
  assertOpen(): void {
    if (this.#state === 'lost') throw leaseLost()
    if (this.#state !== 'open') throw new TypeError('The claim was ended before: it was done or released.')
  }

  /** @throws {UploadError} `ERR_LEASE_LOST`. */
  async extend(ms: number): Promise<void> {
    this.assertOpen()
    const formerMs = this.#untilMs
    // Before it is certain: an extension of our own that begins meanwhile must not make it shorter.
    this.#untilMs = this.#nowMs() + ms
    try {
      if (!(await this.#parts.desk.extend(this.#entry, this.#untilMs))) throw this.#lose()
    } catch (error) {
      this.#untilMs = formerMs
      throw error
    }
    if (this.isOpen) this.#keep()
  }

  /** Makes sure that nobody else takes it for a while: before something that cannot be taken back. */
  async assure(): Promise<void> {
    const { leaseMs } = this.#parts
    // The extension itself may take as long.
    for (let tries = 0; tries < ASSURE_TRIES && this.#untilMs - this.#nowMs() < leaseMs / 2; tries += 1) {
      await this.extend(leaseMs)
    }
  }

  /** @throws {UploadError} `ERR_LEASE_LOST`. */
  async done(): Promise<void> {
    if (!(await this.#end(() => this.#parts.desk.done(this.#entry)))) throw leaseLost()
  }

  /**
   * Gives it back. There is nothing to give back of one that somebody else has.
   *
   * @param delayMs - When it can be taken again; longer each time if absent.
   */
  async release(error: unknown, delayMs: number | undefined): Promise<void> {
    if (this.#state === 'lost') return
    const { desk, maxAttempts } = this.#parts
    const dueAtMs = this.#nowMs() + (delayMs ?? backoffMs(this.attempt))
    const isDead = this.attempt >= maxAttempts
    await this.#end(() => desk.release(this.#entry, { dueAtMs, isDead, error: textOf(error) }))
  }

  /** Gives it back as if it had not been taken for anything: at the end of the process. */
  async giveBack(): Promise<void> {
    const { desk } = this.#parts
    await this.#end(() => desk.release(this.#entry, { dueAtMs: this.#nowMs(), isDead: false }))
  }

  /** @returns False when somebody else has it. */
  async #end(change: () => Promise<boolean>): Promise<boolean> {
    this.assertOpen()
    this.#state = 'ending'
    this.#cancelTimer?.()
    let isOurs: boolean
    try {
      isOurs = await change()
    } catch (error) {
      // Nothing has changed: it can be tried again.
      this.#state = 'open'
      this.#keep()
      throw error
    }
    if (isOurs) {
      this.#state = 'ended'
      this.#parts.onEnd()
    } else this.#lose()
    return isOurs
  }

  #keep(): void {
    this.#cancelTimer?.()
    const { autoExtend, leaseMs, desk } = this.#parts
    const leftMs = Math.max(0, this.#untilMs - this.#nowMs())
    this.#cancelTimer = autoExtend
      ? desk.clock.after(Math.max(Math.min(leaseMs, leftMs) / 3, leaseMs / 20), () => void this.#renew())
      : desk.clock.after(leftMs, () => void this.#lose())
  }

  async #renew(): Promise<void> {
    const untilMs = Math.max(this.#untilMs, this.#nowMs() + this.#parts.leaseMs)
    try {
      const isOurs = await this.#parts.desk.extend(this.#entry, untilMs)
      if (!this.isOpen) return
      if (!isOurs) {
        this.#lose()
        return
      }
      this.#untilMs = Math.max(this.#untilMs, untilMs)
    } catch (error) {
      if (!this.isOpen) return
      this.#parts.report(error)
      // Others can take it by now, and there is no way to know.
      if (this.#nowMs() >= this.#untilMs) {
        this.#lose()
        return
      }
    }
    this.#keep()
  }

  #lose(): UploadError {
    const error = leaseLost()
    const wasOver = this.#state === 'lost' || this.#state === 'ended'
    this.#state = 'lost'
    this.#cancelTimer?.()
    if (!wasOver) {
      this.#lost.abort(error)
      this.#parts.onEnd()
    }
    return error
  }

  #nowMs(): number {
    return this.#parts.desk.clock.nowMs()
  }
}

const FIRST_BACKOFF_MS = 1000
const LONGEST_BACKOFF_MS = 5 * 60 * 1000

function backoffMs(attempt: number): number {
  return Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (attempt - 1))
}

function leaseLost(): UploadError {
  return new UploadError('ERR_LEASE_LOST', {
    reason: 'Another process has this claim by now, or may have it.',
  })
}

/** For people who look at what was given up. */
function textOf(error: unknown): string | undefined {
  if (error === undefined) return undefined
  const text =
    typeof error === 'string'
      ? error
      : error instanceof Error
        ? `${error.name}: ${error.message}`
        : inspect(error)
  return text.slice(0, MAX_ERROR_CHARACTERS)
}
