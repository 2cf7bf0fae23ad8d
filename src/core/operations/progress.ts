import type { Context } from '../context.ts'
import type { Intake } from '../intake.ts'
import type { Lease } from '../leases.ts'
import type { Stopping } from '../ports/hooks.ts'
import type { Requester } from './decide.ts'
import { contextOf } from './decide.ts'

/** Tells whoever asked for it how far a request has come, and lets the application stop it. */
export class ProgressWatch {
  readonly #ctx: Context
  readonly #lease: Lease
  readonly #by: Requester
  #intake: Intake | undefined
  #toldBytes = 0
  #toldMs = 0
  #isAsking = false
  #stopping: Stopping | undefined

  /** @returns `undefined` when nobody wants to know. */
  static make(ctx: Context, lease: Lease, by: Requester): ProgressWatch | undefined {
    const isWanted = ctx.isObserved || ctx.hooks.onProgress !== undefined
    return isWanted ? new ProgressWatch(ctx, lease, by) : undefined
  }

  private constructor(ctx: Context, lease: Lease, by: Requester) {
    this.#ctx = ctx
    this.#lease = lease
    this.#by = by
  }

  /** The application's wish to end the upload. */
  get stopping(): Stopping | undefined {
    return this.#stopping
  }

  start(intake: Intake): void {
    this.#intake = intake
    this.#toldMs = this.#ctx.clock.nowMs()
    this.#start = this.#lease.record.offset
    this.#ctx.ticker.add(this.#tick)
  }

  end(): void {
    this.#ctx.ticker.remove(this.#tick)
    this.#tell()
  }

  #start = 0

  readonly #tick = (nowMs: number): void => {
    if (nowMs - this.#toldMs < this.#ctx.progressIntervalMs || !this.#tell()) return
    this.#toldMs = nowMs
    void this.#ask()
  }

  get #receivedBytes(): number {
    return this.#start + (this.#intake?.receivedBytes ?? 0)
  }

  /** @returns False when nothing has come since the last time. */
  #tell(): boolean {
    const receivedBytes = this.#receivedBytes
    if (receivedBytes === this.#toldBytes || receivedBytes === this.#start) return false
    this.#toldBytes = receivedBytes
    this.#ctx.happen({ type: 'progress', upload: this.#lease.record, receivedBytes })
    return true
  }

  async #ask(): Promise<void> {
    const { hooks } = this.#ctx
    if (hooks.onProgress === undefined || this.#isAsking) return
    this.#isAsking = true
    try {
      const { record } = this.#lease
      const facts = { ...contextOf(record, this.#by), receivedBytes: this.#receivedBytes }
      const decision = await hooks.onProgress(facts)
      if (decision === undefined) return
      this.#stopping = decision
      this.#intake?.stop('application')
    } catch (error) {
      // Nothing depends on its answer: an application that cannot be asked stops no upload.
      this.#ctx.report(error, this.#lease.record.id)
    } finally {
      this.#isAsking = false
    }
  }
}
