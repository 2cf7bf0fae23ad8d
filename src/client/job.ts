import { abortable } from './abortable.ts'
import type { UploadEmitter, UploadEvents, UploadResult } from './events.ts'
import type { RetryOptions, UploadOptions } from './options.ts'
import { concatenate, covers, planParts, runTogether, terminateAt } from './parallel.ts'
import { makePlan } from './plan.ts'
import type { Plan } from './plan.ts'
import type { Platform } from './ports/platform.ts'
import type { Source } from './ports/source.ts'
import type { StoredUpload } from './ports/url-storage.ts'
import { ProgressMeter } from './progress.ts'
import { RateLimit } from './rate-limit.ts'
import { Requester } from './requester.ts'
import { Retry } from './retry.ts'
import { SourceKeeper } from './source-keeper.ts'
import { Transfer } from './transfer.ts'
import type { LostUpload, TransferContext } from './transfer.ts'

/** A server that loses one upload after the other would be sent the file for ever. */
const MOST_RESTARTS = 3
const CLEANUP_MS = 10_000

/** What a run shall do. */
export interface Run {
  readonly signal: AbortSignal
  /** Of creations: outlives `signal` when an upload must be deleted whose URL is not known yet. */
  readonly creationSignal: AbortSignal
  /** Stops when the server has this many bytes. */
  readonly stopAt: number
  /** Stops after one request whose content was accepted. */
  readonly isOneChunk: boolean
  readonly enter: (state: 'preparing' | 'uploading' | 'waiting') => void
}

export interface JobOptions {
  readonly platform: Platform
  readonly input: unknown
  readonly options: UploadOptions
  readonly events: UploadEmitter
}

interface Step {
  readonly run: Run
  readonly source: Source
  readonly plan: Plan
  readonly transfers: readonly Transfer[]
}

/** The work of one upload over all its runs. Runs follow each other, there is never more than one at a time. */
export class Job {
  readonly requester: Requester
  readonly #job: JobOptions
  readonly #meter: ProgressMeter
  readonly #keeper: SourceKeeper
  readonly #rateLimit: RateLimit | undefined
  /** What the caller wants to go on with. */
  previous: string | StoredUpload | undefined
  /** Of an upload in parts: the final one, once it is made. */
  url: string | undefined
  #plan: Plan | undefined
  #transfers: readonly Transfer[] = []
  #isDivided = false
  #restarts = 0

  constructor(job: JobOptions) {
    const { platform, input, options, events } = job
    const { clock } = platform
    this.#job = job
    this.requester = new Requester(platform, options)
    this.#meter = new ProgressMeter(clock, (progress) => events.emit('progress', progress))
    this.#keeper = new SourceKeeper(platform, input, options)
    const { maxBytesPerSecond, uploadUrl } = options
    this.#rateLimit = maxBytesPerSecond === undefined ? undefined : new RateLimit(clock, maxBytesPerSecond)
    this.previous = uploadUrl?.toString()
  }

  /** Bytes the server has confirmed. */
  get offset(): number {
    return this.#transfers.reduce((sum, { offset }) => sum + offset, 0)
  }

  /** Brings the upload forward, as far as the run goes. */
  async run(run: Run): Promise<UploadResult> {
    run.enter('preparing')
    const source = await this.#keeper.open()
    const plan = (this.#plan ??= await this.#makePlan(source, run))
    const release = await plan.ledger?.hold(run.signal, () => run.enter('waiting'))
    try {
      run.enter('preparing')
      if (this.#transfers.length === 0) this.#transfers = await this.#place(source, plan)
      return await this.#transfer({ run, source, plan, transfers: this.#transfers })
    } finally {
      this.#meter.stop()
      await release?.()
    }
  }

  /** Deletes what is on the server. */
  async terminate(signal: AbortSignal): Promise<void> {
    const { requester } = this
    const urls = [this.url, ...this.#transfers.map(({ url }) => url)].filter((url) => url !== undefined)
    const retry = this.#retry({ retryBudgetMs: CLEANUP_MS })
    const remove = (url: string): Promise<void> =>
      retry.run(() => terminateAt(url, { requester, signal }), signal)
    await Promise.all([...new Set(urls)].map(remove))
    await this.#plan?.ledger?.remove()
  }

  async close(isFinal: boolean): Promise<void> {
    await this.#keeper
      .close(isFinal)
      .catch((cause: unknown) => this.#warn('the source cannot be closed', cause))
  }

  #makePlan(source: Source, { signal, enter }: Run): Promise<Plan> {
    const { platform, options } = this.#job
    return makePlan({
      platform,
      options,
      source,
      signal,
      requester: this.requester,
      url: typeof this.previous === 'string' ? this.previous : undefined,
      retry: this.#retry(options, (isWaiting) => enter(isWaiting ? 'waiting' : 'preparing')),
      warn: (message, cause) => this.#warn(message, cause),
    })
  }

  /** Where the upload goes on, or what is to be made. A plan of parts is stored before the first byte is sent. */
  async #place({ sizeBytes }: Source, { terms, ledger }: Plan): Promise<readonly Transfer[]> {
    const isSame = (entry: StoredUpload): boolean =>
      entry.sizeBytes === sizeBytes && hasSame(entry.metadata, terms.metadata)
    const found = this.previous ?? (await ledger?.find(isSame))
    const entry = typeof found === 'object' ? found : undefined
    if (entry !== undefined) ledger?.adopt(entry)
    const url = typeof found === 'string' ? found : (entry?.url ?? ledger?.seenUrl)
    if (url !== undefined) this.#announce(url)
    const planned = terms.parts > 1 ? planParts(sizeBytes ?? 0, terms.parts) : undefined
    const stored = covers(entry?.parts ?? [], sizeBytes) ? entry?.parts : undefined
    const parts = url === undefined ? (stored ?? planned) : undefined
    this.#isDivided = parts !== undefined
    const isRemembered = typeof found !== 'string'
    const transfers = (parts ?? [{ startBytes: 0, url }]).map(
      (part) => new Transfer({ ...part, isRemembered }),
    )
    if (this.#isDivided) await this.#save(transfers)
    return transfers
  }

  async #transfer(step: Step): Promise<UploadResult> {
    const { run, source, plan, transfers } = step
    const { parallel = 1, keepEntry = false } = this.#job.options
    const context = this.#context(step)
    // Parts are created empty: what is sent with a creation whose answer gets lost is sent once more.
    const asPart = { isPartial: true, metadata: {}, defersLength: false, sendsWithCreation: false }
    const terms = this.#isDivided ? { ...plan.terms, ...asPart } : plan.terms
    run.enter('uploading')
    this.#meter.begin(source.sizeBytes)
    // Who drives an upload chunk by chunk wants one request at a time.
    const atOnce = run.isOneChunk || run.stopAt < Infinity ? 1 : parallel
    await runTogether(transfers, { context: { ...context, terms }, atOnce })
    const isComplete = transfers.every(({ isDone }) => isDone)
    const onWait = (isWaiting: boolean): void => run.enter(isWaiting ? 'waiting' : 'uploading')
    if (isComplete && this.#isDivided) await this.#join({ context, transfers, onWait })
    if (isComplete && !keepEntry) await plan.ledger?.remove()
    this.#meter.total = source.sizeBytes
    this.#meter.flush()
    return { url: this.url ?? '', bytes: this.offset, isComplete }
  }

  async #join(parts: {
    readonly context: TransferContext
    readonly transfers: readonly Transfer[]
    readonly onWait: (isWaiting: boolean) => void
  }): Promise<void> {
    const { context, transfers, onWait } = parts
    const { signal, requester, terms } = context
    const urls = transfers.map(({ url = '' }) => url)
    if (this.url === undefined) {
      const joined = context.makeRetry(onWait).run(() => concatenate(urls, context), signal)
      this.#announce(await joined.catch((error: unknown) => doubtful(error, transfers)))
      await this.#save(transfers)
    }
    // The parts are of no use any more. One that stays is left to the server's expiry.
    if (terms.canTerminate)
      await Promise.allSettled(urls.map((url) => terminateAt(url, { requester, signal })))
  }

  #context({ run, source, plan, transfers }: Step): TransferContext {
    const { platform, options } = this.#job
    const { clock, hashing } = platform
    const { signal, creationSignal, stopAt, isOneChunk } = run
    const { terms, chunks } = plan
    const began = this.offset
    return {
      clock,
      hashing,
      source,
      terms,
      chunks,
      signal,
      creationSignal,
      requester: this.requester,
      rateLimit: this.#rateLimit,
      makeRetry: (onWait) => this.#retry(options, onWait),
      room: () => (isOneChunk && this.offset > began ? 0 : stopAt - this.offset),
      moved: (bytes) => this.#meter.moved(bytes),
      changed: () => {
        if (signal.aborted) return
        const inFlightBytes = transfers.reduce((sum, transfer) => sum + transfer.inFlightBytes, 0)
        this.#meter.at(this.offset + inFlightBytes, this.offset)
      },
      activity: () => run.enter(transfers.some(({ isActive }) => isActive) ? 'uploading' : 'waiting'),
      located: (transfer) => this.#located(transfer, transfers),
      lost: (lost) => this.#lost(lost, signal),
      warn: (message) => this.#warn(message),
    }
  }

  async #located({ url }: Transfer, transfers: readonly Transfer[]): Promise<void> {
    if (!this.#isDivided) {
      if (url === undefined) this.url = undefined
      else this.#announce(url)
      if (url === undefined) return void (await this.#plan?.ledger?.remove())
    }
    await this.#save(transfers)
  }

  async #save(transfers: readonly Transfer[]): Promise<void> {
    const { terms, ledger } = this.#plan ?? {}
    const { sizeBytes, path } = this.#keeper
    const parts = transfers.map(({ startBytes, endBytes = 0, url }) => ({ startBytes, endBytes, url }))
    const expiries = transfers.map(({ expiresAtMs = Infinity }) => expiresAtMs)
    const expiresAtMs = Math.min(...expiries)
    await ledger?.put({
      endpoint: terms?.endpoint ?? '',
      url: this.url,
      sizeBytes,
      metadata: terms?.metadata ?? {},
      expiresAtMs: expiresAtMs === Infinity ? undefined : expiresAtMs,
      parts: this.#isDivided ? parts : undefined,
      path,
    })
  }

  async #lost(lost: LostUpload, signal: AbortSignal): Promise<'restart' | 'fail'> {
    const { onUploadLost, endpoint } = this.#job.options
    const canRestart = this.#keeper.canRestart && endpoint !== undefined && this.#restarts++ < MOST_RESTARTS
    const usual = canRestart ? 'restart' : 'fail'
    const verdict =
      onUploadLost === undefined ? usual : await abortable(Promise.resolve(onUploadLost(lost)), signal)
    if (verdict === 'restart') this.#meter.restart()
    return verdict
  }

  #announce(url: string): void {
    if (url === this.url) return
    this.url = url
    this.#job.events.emit('url', { url })
  }

  #warn(message: string, cause?: unknown): void {
    this.#job.events.emit('warning', { message, cause })
  }

  #retry(options: RetryOptions, onWait: (isWaiting: boolean) => void = () => undefined): Retry {
    const { platform, events } = this.#job
    const { clock, connectivity } = platform
    const random = (): number => platform.random()
    const onRetry = (failure: UploadEvents['error']): void => events.emit('error', failure)
    return new Retry({ clock, connectivity, random, options, onRetry, onWait })
  }
}

/** A part may have expired meanwhile: the next run looks at each of them again. */
function doubtful(error: unknown, transfers: readonly Transfer[]): never {
  for (const transfer of transfers) transfer.doubt()
  throw error
}

function hasSame(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}
