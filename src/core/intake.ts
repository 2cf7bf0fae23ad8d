import { Batch } from './batch.ts'
import type { BufferHolder, MemoryBudget } from './memory-budget.ts'
import type { Body } from './ports/body.ts'
import type { Clock } from './ports/clock.ts'
import type { Digest } from './ports/digest.ts'
import type { Appender } from './ports/store.ts'
import type { Ticker } from './ticker.ts'
import type { StopReason } from './writers.ts'

/** How receiving ended. In every case but `failed` all bytes counted in `receivedBytes` are written. */
export type IntakeEnd =
  | { readonly kind: 'complete'; readonly trailers: ReadonlyMap<string, string> }
  | { readonly kind: 'cut' }
  | { readonly kind: 'too-slow' }
  | { readonly kind: 'overflow' }
  | { readonly kind: 'stopped'; readonly reason: StopReason }
  | { readonly kind: 'failed'; readonly error: unknown }

export interface IntakeOptions {
  readonly body: Body
  readonly appender: Pick<Appender, 'write'>
  readonly budget: MemoryBudget
  readonly ticker: Ticker
  readonly clock: Clock
  /** Bytes that may still come; more end the intake as `overflow`. `Infinity`: no limit. */
  readonly roomBytes: number
  readonly digest: Digest | undefined
  readonly pace: Pace
  /** Makes durable and records what is written so far. */
  checkpoint(): Promise<void>
}

/** When to write, to record and to give up. */
export interface Pace {
  /** Record after this many bytes: what a crash of a long request can cost at most. */
  readonly checkpointBytes: number
  readonly checkpointMs: number
  /** Held bytes are written when no more have come for this long. */
  readonly idleFlushMs: number
  /** A body without a byte for this long is given up. */
  readonly idleTimeoutMs: number
  /** A body slower than this, measured over `minRateWindowMs`, is given up. */
  readonly minRateBytesPerSecond: number
  readonly minRateWindowMs: number
  /** A pre-empted body may still bring what has already reached this machine for this long. */
  readonly stopGraceMs: number
}

/**
 * Moves one pushed body into an appender: gathers chunks, keeps one write in flight, pauses the sender when
 * both the write and the next batch are full, and records progress on the way.
 */
export class Intake implements BufferHolder {
  readonly #options: IntakeOptions
  #pending = new Batch()
  #receivedBytes = 0
  #sinceCheckpointBytes = 0
  #writing = false
  #flushSoon = false
  #paused = false
  #checkpointing: Promise<void> | undefined
  #end: IntakeEnd | undefined
  #resolve: (end: IntakeEnd) => void = () => undefined
  #settled = false
  #cancelGrace: (() => void) | undefined
  #lastDataMs = 0
  #lastCheckpointMs = 0
  #windowStartMs = 0
  #windowBytes = 0
  #tickSeenBytes = 0

  constructor(options: IntakeOptions) {
    this.#options = options
  }

  /** Bytes taken from the body so far. */
  get receivedBytes(): number {
    return this.#receivedBytes
  }

  get heldBytes(): number {
    return this.#writing && this.#flushSoon ? 0 : this.#pending.bytes
  }

  /** Receives until the body ends. Never rejects: a failure is one of the ends. */
  async run(nowMs: number): Promise<IntakeEnd> {
    const { body, budget, ticker } = this.#options
    this.#lastDataMs = this.#lastCheckpointMs = this.#windowStartMs = nowMs
    budget.join(this)
    ticker.add(this.#tick)
    const ended = new Promise<IntakeEnd>((resolve) => (this.#resolve = resolve))
    body.consume({
      data: (chunk) => this.#data(chunk),
      end: (end) => this.#finish(end.kind === 'complete' ? end : { kind: 'cut' }),
    })
    const end = await ended
    ticker.remove(this.#tick)
    this.#cancelGrace?.()
    budget.leave(this)
    // A record of what is written may still be on its way; the next one must not overtake it.
    await this.#checkpointing
    return this.#end?.kind === 'failed' ? this.#end : end
  }

  /**
   * Asks for an early end. What has arrived is written; a body that is fully here is not disturbed.
   *
   * A pre-empted body may go on for a moment: what this machine has received is still on its way through buffers,
   * and a request that is all there but for the reading should not be cut.
   */
  stop(reason: StopReason): void {
    const { clock, pace } = this.#options
    if (reason !== 'pre-empted') return this.#cutShort(reason)
    this.#cancelGrace ??= clock.after(pace.stopGraceMs, () => this.#cutShort(reason))
  }

  resume(): void {
    this.#regulate()
  }

  /** Writes what is held; if a write is under way, right after it. */
  flush(): void {
    this.#flushSoon = true
    if (!this.#writing) this.#write()
  }

  #cutShort(reason: StopReason): void {
    if (this.#end !== undefined) return
    this.#options.body.stop()
    this.#finish({ kind: 'stopped', reason })
  }

  #data(chunk: Uint8Array): void {
    if (this.#end !== undefined) return
    const { roomBytes, budget } = this.#options
    const room = roomBytes - this.#receivedBytes
    const kept = chunk.length <= room ? chunk : chunk.subarray(0, room)
    this.#receivedBytes += kept.length
    this.#pending.add(kept, this.#receivedBytes !== this.#options.body.contentLength)
    budget.take(kept.length)
    if (chunk.length > room) {
      this.#options.body.stop()
      return this.#finish({ kind: 'overflow' })
    }
    if (this.#pending.bytes >= budget.flushBytes && !this.#writing) this.#write()
    this.#regulate()
  }

  /** Holds the sender back while a write is under way and the next batch is full, or the budget is used up. */
  #regulate(): void {
    if (this.#end !== undefined) return
    const { body, budget } = this.#options
    const isFull = this.#writing && this.#pending.bytes >= budget.flushBytes
    const mustWait = isFull || !budget.admits(this)
    if (mustWait === this.#paused) return
    this.#paused = mustWait
    if (mustWait) body.pause()
    else body.resume()
  }

  #finish(end: IntakeEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    if (!this.#writing) this.#write()
  }

  #fail(error: unknown): void {
    if (this.#end?.kind === 'failed') return
    if (this.#end === undefined) this.#options.body.stop()
    this.#end = { kind: 'failed', error }
  }

  /** Starts one write of everything held, or settles when there is nothing left to do. */
  #write(): void {
    this.#flushSoon = false
    if (this.#pending.bytes === 0 || this.#end?.kind === 'failed') return this.#settle()
    const batch = this.#pending
    this.#pending = new Batch()
    this.#writing = true
    const done = (): void => {
      batch.release()
      this.#written(batch.bytes)
    }
    // Not released then: one of the two may still be reading.
    const failed = (error: unknown): void => {
      this.#fail(error)
      this.#written(batch.bytes)
    }
    try {
      const { appender, digest } = this.#options
      const chunks = batch.take()
      const hashed = digest?.update(chunks)
      const written = appender.write(chunks)
      if (hashed === undefined && written === undefined) done()
      else void Promise.all([hashed, written]).then(done, failed)
    } catch (error) {
      failed(error)
    }
  }

  #written(bytes: number): void {
    const { budget, pace } = this.#options
    this.#writing = false
    this.#sinceCheckpointBytes += bytes
    budget.give(bytes)
    // The budget may have asked for the next batch already; settling now would leave that write behind.
    if (this.#writing) return
    const enough = this.#pending.bytes >= budget.flushBytes
    if (this.#end !== undefined || enough || this.#flushSoon) this.#write()
    this.#regulate()
    if (this.#sinceCheckpointBytes >= pace.checkpointBytes) this.#checkpoint()
  }

  #settle(): void {
    if (this.#end === undefined || this.#settled) return
    this.#settled = true
    if (this.#pending.bytes > 0) this.#options.budget.give(this.#pending.bytes)
    this.#pending.release()
    this.#pending = new Batch()
    this.#resolve(this.#end)
  }

  #checkpoint(): void {
    if (this.#checkpointing !== undefined || this.#end !== undefined) return
    this.#sinceCheckpointBytes = 0
    this.#checkpointing = this.#options
      .checkpoint()
      .catch((error: unknown) => {
        this.#fail(error)
        if (!this.#writing) this.#settle()
      })
      .finally(() => (this.#checkpointing = undefined))
  }

  readonly #tick = (nowMs: number): void => {
    const { pace } = this.#options
    const moved = this.#receivedBytes > this.#tickSeenBytes
    this.#tickSeenBytes = this.#receivedBytes
    // A sender that we hold back is not slow.
    if (moved || this.#paused || this.#writing) this.#lastDataMs = nowMs
    const idleMs = nowMs - this.#lastDataMs
    // Whoever is held back is sent nothing more: its part of the memory goes to the store, even if the write that
    // the others wait for hangs.
    if ((idleMs >= pace.idleFlushMs || this.#paused) && this.#pending.bytes > 0) this.flush()
    if (nowMs - this.#lastCheckpointMs >= pace.checkpointMs) {
      this.#lastCheckpointMs = nowMs
      if (this.#sinceCheckpointBytes > 0) this.#checkpoint()
    }
    if (idleMs >= pace.idleTimeoutMs || this.#belowMinRate(nowMs)) {
      if (this.#end !== undefined) return
      this.#options.body.stop()
      this.#finish({ kind: 'too-slow' })
    }
  }

  #belowMinRate(nowMs: number): boolean {
    const { pace } = this.#options
    if (this.#paused || this.#writing) this.#windowStartMs = nowMs
    const windowMs = nowMs - this.#windowStartMs
    if (windowMs < pace.minRateWindowMs) return false
    const rate = ((this.#receivedBytes - this.#windowBytes) * 1000) / windowMs
    this.#windowStartMs = nowMs
    this.#windowBytes = this.#receivedBytes
    return rate < pace.minRateBytesPerSecond
  }
}
