import { onAbort } from './abortable.ts'
import { TransferError } from './errors.ts'
import { UploadEmitter } from './events.ts'
import type { UploadEvents, UploadListener, UploadResult } from './events.ts'
import type { ExchangeRecord } from './exchange-log.ts'
import { Job } from './job.ts'
import type { UploadOptions } from './options.ts'
import type { Features } from './ports/features.ts'
import type { Platform } from './ports/platform.ts'
import type { StoredUpload } from './ports/url-storage.ts'
import { isOver, isRunning } from './state.ts'
import type { UploadState } from './state.ts'
import type { Run } from './transfer.ts'
import { metadataField } from './tus-codec.ts'

/** How long a cancelled upload waits for the answer to its creation, and then for its deletion. */
const CLEANUP_MS = 30_000
/** How long a paused upload waits for the answer to its creation. */
const CREATION_GRACE_MS = 5000
/** More than any source has. */
const MOST_BYTES = 1e15

export interface StartOptions {
  /** Ends the run as soon as the server has this many bytes. @default the end of the source */
  readonly stopAt?: number | undefined
}

/** One upload, from the first request to the last, over pauses, failures and restarts. */
export class UploadMachine {
  readonly #events = new UploadEmitter()
  readonly #job: Job
  #state: UploadState = 'idle'
  /** Ends the newest run: what comes from it afterwards is ignored. */
  #stop = new AbortController()
  /** Ends its creations, which may go on for a while. */
  #creation = new AbortController()
  /** Settles when the newest run has let go of everything. Never rejects. */
  #settled: Promise<void> = Promise.resolve()
  /** What `start()` returned, until it is told what became of it. */
  #outcome: Promise<UploadResult> | undefined
  #resolve: ((result: UploadResult) => void) | undefined
  #reject: ((error: unknown) => void) | undefined
  /** Why it was cancelled. */
  #reason: unknown
  /** Nothing listens to the caller's signal any more. */
  #release: (() => void) | undefined

  /**
   * @throws {TypeError} when a metadata key is no visible ASCII, or has a comma, or when a feature is not there.
   * @throws {RangeError} when a number makes no sense.
   */
  constructor(platform: Platform, input: unknown, options: UploadOptions) {
    checkOptions(options, platform.features)
    this.#job = new Job(platform, { ...options }, input, this.#events.emit)
    if (options.uploadUrl) this.resumeFrom(options.uploadUrl)
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

  /** The last exchanges with the server, without secrets. */
  report(): readonly ExchangeRecord[] {
    return this.#job.log?.list() ?? []
  }

  /**
   * Goes on with an upload that exists, instead of looking for one. To be called before `start()`.
   *
   * @param previous - Its URL, or what `findPreviousUploads()` found.
   */
  resumeFrom(previous: string | URL | StoredUpload): this {
    if (this.#state !== 'idle') throw new TypeError('already started')
    const isEntry = typeof previous === 'object' && 'key' in previous
    this.#job.previous = isEntry ? previous : { url: `${previous}` }
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
    return this.#go(() => stopAt - this.offset)
  }

  /**
   * Sends one chunk, for callers that drive an upload themselves. Parts are sent one after the other then.
   *
   * @throws as `start()`.
   */
  async uploadChunk(): Promise<{ readonly offset: number; readonly isComplete: boolean }> {
    if (isRunning(this.#state)) throw new TypeError('already started')
    const before = this.offset
    const room = (): number => (this.offset > before ? 0 : MOST_BYTES)
    const { bytes, isComplete } = await this.#go(room)
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
    const reason = new TransferError('aborted', 'paused')
    const creation = this.#creation
    const { clock } = this.#job.platform
    this.#move('paused')
    this.#stop.abort(reason)
    await this.#settled.finally(clock.after(CREATION_GRACE_MS, () => creation.abort(reason)))
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
  cancel({ terminate = false }: { readonly terminate?: boolean } = {}): Promise<void> {
    return this.#cancel(new TransferError('aborted', 'cancelled'), terminate)
  }

  async #cancel(reason: unknown, terminate: boolean): Promise<void> {
    if (isOver(this.#state)) return
    const cleanup = new AbortController()
    const giveUp = (): void => {
      this.#creation.abort(reason)
      cleanup.abort(new TransferError('timeout', 'not deleted in time'))
    }
    this.#reason = reason
    this.#leave('cancelled', reason)
    this.#stop.abort(reason)
    if (!terminate) giveUp()
    const stopTimer = this.#job.platform.clock.after(CLEANUP_MS, giveUp)
    try {
      await this.#settled
      if (terminate) await this.#job.terminate(cleanup.signal)
    } finally {
      stopTimer()
      await this.#job.close(true)
    }
  }

  #go(room: Run['room']): Promise<UploadResult> {
    if (this.#state === 'cancelled') return Promise.reject(this.#reason)
    const outcome = (this.#outcome ??= new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    }))
    if (!isRunning(this.#state) && !isOver(this.#state)) this.#begin(room)
    return outcome
  }

  #begin(room: Run['room']): void {
    const { signal: caller } = this.#job.options
    const { signal } = (this.#stop = new AbortController())
    const { signal: creationSignal } = (this.#creation = new AbortController())
    this.#move('preparing')
    this.#release?.()
    this.#release = caller && onAbort(caller, () => void this.#cancel(caller.reason, false))
    const enter = (state: UploadState): void => {
      if (!signal.aborted) this.#move(state)
    }
    // A run that is still letting go must not meet the next one at the source or at the server.
    this.#settled = this.#settled.then(() => this.#execute({ room, signal, creationSignal, enter }))
  }

  async #execute(run: Run): Promise<void> {
    const { signal } = run
    if (signal.aborted) return
    try {
      const result = await this.#job.run(run)
      const { isComplete } = result
      if (signal.aborted) return
      this.#leave(isComplete ? 'complete' : 'paused', undefined, result)
      if (isComplete) this.#events.emit('complete', result)
    } catch (error) {
      if (!signal.aborted) this.#leave('failed', error)
    }
  }

  /** A run is over, or there will be none. */
  #leave(state: UploadState, error?: unknown, result?: UploadResult): void {
    if (state !== 'complete') this.#outcome = undefined
    this.#release?.()
    this.#move(state, error)
    if (result) this.#resolve?.(result)
    else this.#reject?.(error)
  }

  /** Every arrow that is taken is one of `mayBecome()`: there is only one run at a time, and it ends before the next. */
  #move(state: UploadState, error?: unknown): void {
    const previous = this.#state
    this.#state = state
    if (state !== previous) this.#events.emit('state', { state, previous, error })
  }
}

function checkOptions(options: UploadOptions, features: Features): void {
  metadataField(options.metadata)
  for (const name of ['chunkSizeBytes', 'parallel', 'maxBytesPerSecond', 'replayBufferBytes'] as const) {
    if (!((options[name] ?? 1) >= 1)) throw new RangeError(`${name} must be at least 1`)
  }
  // One part is what there is without the feature.
  const parallel = (options.parallel ?? 1) > 1
  // What not every server can is asked for first.
  const required = parallel || options.checksum || options.deferLength || options.required
  const wishes = { ...options, parallel, required }
  for (const name of ['parallel', 'checksum', 'maxBytesPerSecond', 'urlStorage', 'required'] as const) {
    if (wishes[name] && !features[name]) throw new TypeError(`${name}: no such feature`)
  }
}
