import { TransferError } from './errors.ts'
import { UploadEmitter } from './events.ts'
import type { UploadEvent, UploadEvents, UploadListener, UploadResult } from './events.ts'
import type { ExchangeRecord } from './exchange-log.ts'
import { Job } from './job.ts'
import type { UploadOptions } from './options.ts'
import type { Platform } from './ports/platform.ts'
import type { StoredUpload } from './ports/url-storage.ts'
import { isRunning, mayBecome } from './state.ts'
import type { UploadState } from './state.ts'
import { metadataField } from './transfer.ts'

/** How long a cancelled upload waits for the answer to its creation, and then for its deletion. */
const CLEANUP_MS = 30_000
/** How long a paused upload waits for the answer to its creation. */
const CREATION_GRACE_MS = 5000

export interface StartOptions {
  /** Ends the run as soon as the server has this many bytes. @default the end of the source */
  readonly stopAt?: number | undefined
}

interface Goal {
  readonly stopAt: number
  readonly isOneChunk: boolean
}

/** One run: everything that comes from it after its signal has been aborted is ignored. */
interface Generation extends Goal {
  readonly stop: AbortController
  readonly creation: AbortController
}

interface Outcome {
  readonly promise: Promise<UploadResult>
  readonly resolve: (result: UploadResult) => void
  readonly reject: (error: unknown) => void
}

/** One upload, from the first request to the last, over pauses, failures and restarts. */
export class UploadMachine {
  readonly #platform: Platform
  readonly #options: UploadOptions
  readonly #events = new UploadEmitter()
  readonly #job: Job
  #state: UploadState = 'idle'
  #generation: Generation | undefined
  /** Settles when the newest run has let go of everything. Never rejects. */
  #settled: Promise<void> = Promise.resolve()
  #outcome: Outcome | undefined
  /** Why it was cancelled. */
  #reason: unknown

  /**
   * @throws {TypeError} when a metadata key is no visible ASCII, or has a comma.
   * @throws {RangeError} when a number makes no sense.
   */
  constructor(platform: Platform, input: unknown, options: UploadOptions) {
    checkOptions(options)
    this.#platform = platform
    this.#options = Object.freeze({ ...options })
    this.#job = new Job({ platform, input, options: this.#options, events: this.#events })
  }

  get state(): UploadState {
    return this.#state
  }

  /** Where the upload is. `undefined` until it is created; for one in parts until they are put together. */
  get url(): string | undefined {
    return this.#job.url
  }

  /** Bytes the server has confirmed. */
  get offset(): number {
    return this.#job.offset
  }

  on<Type extends keyof UploadEvents>(type: Type, listener: UploadListener<Type>): this {
    this.#events.on(type, listener)
    return this
  }

  off<Type extends keyof UploadEvents>(type: Type, listener: UploadListener<Type>): this {
    this.#events.off(type, listener)
    return this
  }

  /** The events from now on, until the upload is complete, cancelled or has failed. Does not start it. */
  [Symbol.asyncIterator](): AsyncGenerator<UploadEvent, void, undefined> {
    return this.#events.iterate(this.#state === 'complete' || this.#state === 'cancelled')
  }

  /** The last exchanges with the server, without secrets. */
  report(): readonly ExchangeRecord[] {
    return this.#job.requester.report()
  }

  /**
   * Goes on with an upload that exists, instead of looking for one. To be called before `start()`.
   *
   * @param previous - Its URL, or what `findPreviousUploads()` found.
   */
  resumeFrom(previous: string | URL | StoredUpload): this {
    if (this.#state !== 'idle') throw new TypeError('resumeFrom() comes before start()')
    this.#job.previous = previous instanceof URL ? previous.href : previous
    return this
  }

  /**
   * Uploads, or goes on after a pause or a failure, with a full budget for retries.
   *
   * Idempotent: while the upload runs or is paused, the same promise is returned.
   *
   * @returns When the server has every byte, or `stopAt` of them.
   * @throws {TransferError} what ended the upload; `start()` may be called again.
   * @throws `signal.reason` when aborted by the caller's signal.
   */
  start({ stopAt = Infinity }: StartOptions = {}): Promise<UploadResult> {
    return this.#go({ stopAt, isOneChunk: false })
  }

  /**
   * Sends one chunk, for callers that drive an upload themselves. Parts are sent one after the other then.
   *
   * @throws as `start()`.
   */
  async uploadChunk(): Promise<{ readonly offset: number; readonly isComplete: boolean }> {
    if (isRunning(this.#state)) throw new TypeError('the upload is running already')
    const { bytes, isComplete } = await this.#go({ stopAt: Infinity, isOneChunk: true })
    return { offset: bytes, isComplete }
  }

  /**
   * Stops the request under way; `start()` and `resume()` go on from what the server has. A creation may come to its
   * end, for a few seconds: without its answer the upload would be left behind, and be made once more.
   *
   * Resolves when all is quiet.
   */
  async pause(): Promise<void> {
    if (!isRunning(this.#state)) return
    const reason = new TransferError('aborted', 'the upload is paused')
    const generation = this.#generation
    this.#move('paused')
    generation?.stop.abort(reason)
    const stopTimer = this.#platform.clock.after(CREATION_GRACE_MS, () => generation?.creation.abort(reason))
    await this.#settled.finally(stopTimer)
  }

  /** Goes on after `pause()`; the promise is that of `start()`. */
  resume(): Promise<UploadResult> {
    return this.start()
  }

  /**
   * Ends the upload for good. What is on the server stays, and can be found again, unless it is terminated.
   *
   * @param options.terminate - Deletes it on the server, also when the answer to its creation has not come yet.
   * @throws {TransferError} when it could not be deleted.
   */
  async cancel({ terminate = false }: { readonly terminate?: boolean } = {}): Promise<void> {
    const reason = new TransferError('aborted', 'the upload was cancelled')
    const generation = this.#generation
    if (!this.#end(reason)) return
    const cleanup = new AbortController()
    const giveUp = (): void => {
      generation?.creation.abort(reason)
      cleanup.abort(new TransferError('timeout', 'the upload could not be deleted in time'))
    }
    if (!terminate) giveUp()
    const stopTimer = this.#platform.clock.after(CLEANUP_MS, giveUp)
    try {
      await this.#settled
      if (terminate) await this.#job.terminate(cleanup.signal)
    } finally {
      stopTimer()
      await this.#job.close(true)
    }
  }

  #go(goal: Goal): Promise<UploadResult> {
    const { signal } = this.#options
    if (this.#state === 'cancelled') return Promise.reject(this.#reason)
    const isTaken = isRunning(this.#state) || this.#state === 'complete'
    if (isTaken && this.#outcome !== undefined) return this.#outcome.promise
    this.#outcome ??= makeOutcome()
    const { promise } = this.#outcome
    if (signal?.aborted === true) this.#abort()
    else this.#begin(goal)
    return promise
  }

  #begin(goal: Goal): void {
    const generation = { ...goal, stop: new AbortController(), creation: new AbortController() }
    this.#generation = generation
    this.#options.signal?.addEventListener('abort', this.#abort)
    this.#move('preparing')
    // A run that is still letting go must not meet the next one at the source or at the server.
    this.#settled = this.#settled.then(() => this.#execute(generation))
  }

  async #execute(generation: Generation): Promise<void> {
    const { stop, creation, stopAt, isOneChunk } = generation
    const isCurrent = (): boolean => this.#generation === generation && !stop.signal.aborted
    const enter = (state: UploadState): void => {
      if (isCurrent()) this.#move(state)
    }
    const work = { stopAt, isOneChunk, signal: stop.signal, creationSignal: creation.signal, enter }
    try {
      if (!isCurrent()) return
      const result = await this.#job.run(work)
      await this.#job.close(result.isComplete)
      if (isCurrent()) this.#succeed(result)
    } catch (error) {
      await this.#job.close(false)
      if (isCurrent()) this.#fail(error)
    }
  }

  #succeed(result: UploadResult): void {
    const outcome = this.#outcome
    this.#release()
    this.#move(result.isComplete ? 'complete' : 'paused')
    if (result.isComplete) {
      this.#events.emit('complete', result)
      this.#events.end()
    } else this.#outcome = undefined
    outcome?.resolve(result)
  }

  #fail(error: unknown): void {
    const outcome = this.#outcome
    this.#outcome = undefined
    this.#release()
    this.#move('failed', error)
    this.#events.end()
    outcome?.reject(error)
  }

  /** Makes the upload `cancelled`, unless it is over already. */
  #end(reason: unknown): boolean {
    if (!mayBecome(this.#state, 'cancelled')) return false
    this.#reason = reason
    this.#release()
    this.#move('cancelled', reason)
    this.#generation?.stop.abort(reason)
    this.#events.end()
    this.#outcome?.reject(reason)
    return true
  }

  readonly #abort = (): void => {
    const reason: unknown = this.#options.signal?.reason
    if (!this.#end(reason)) return
    this.#generation?.creation.abort(reason)
    this.#settled = this.#settled.then(() => this.#job.close(true))
  }

  /** Nothing listens to the caller's signal any more. */
  #release(): void {
    this.#options.signal?.removeEventListener('abort', this.#abort)
  }

  #move(state: UploadState, error?: unknown): void {
    const previous = this.#state
    if (state === previous || !mayBecome(previous, state)) return
    this.#state = state
    this.#events.emit('state', { state, previous, ...(error !== undefined && { error }) })
  }
}

function makeOutcome(): Outcome {
  let settle: Pick<Outcome, 'resolve' | 'reject'> | undefined
  const promise = new Promise<UploadResult>((resolve, reject) => (settle = { resolve, reject }))
  return { promise, resolve: (result) => settle?.resolve(result), reject: (error) => settle?.reject(error) }
}

function checkOptions(options: UploadOptions): void {
  metadataField(options.metadata ?? {})
  const { chunkSizeBytes = 1, parallel = 1, maxBytesPerSecond = 1, replayBufferBytes = 1 } = options
  const numbers = { chunkSizeBytes, parallel, maxBytesPerSecond, replayBufferBytes }
  for (const [name, value] of Object.entries(numbers)) {
    if (!(value >= 1)) throw new RangeError(`${name} must be at least 1`)
  }
}
