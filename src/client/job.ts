import { abortable } from './abortable.ts'
import { SourceChanged, TransferError } from './errors.ts'
import type { Emit, UploadResult } from './events.ts'
import type { ExchangeLog } from './exchange-log.ts'
import type { UploadOptions } from './options.ts'
import type { Cut, Ledger, Previous } from './ports/features.ts'
import type { Platform } from './ports/platform.ts'
import type { Source } from './ports/source.ts'
import { progressMeter } from './progress.ts'
import type { ProgressMeter } from './progress.ts'
import { Requester } from './requester.ts'
import { Retry } from './retry.ts'
import { plainTerms } from './terms.ts'
import type { Terms } from './terms.ts'
import { terminateAt } from './terminate-at.ts'
import { Transfer } from './transfer.ts'
import type { LostUpload, Run, TransferTask } from './transfer.ts'

/** A server that loses one upload after the other would be sent the file for ever. */
const MOST_RESTARTS = 3
const CLEANUP_MS = 10_000

/** The work of one upload over all its runs. Runs follow each other, there is never more than one at a time. */
export class Job {
  readonly platform: Platform
  readonly options: UploadOptions
  readonly requester: Requester
  readonly log: ExchangeLog | undefined
  readonly cut: Cut
  readonly #input: unknown
  readonly #emit: Emit
  readonly #meter: ProgressMeter
  /** What the caller wants to go on with. */
  previous: Previous | undefined
  url: string | undefined
  source: Source | undefined
  terms: Terms | undefined
  ledger: Ledger | undefined
  transfers: readonly Transfer[] = []
  isDivided = false
  #isOpen = false
  #restarts = 0

  constructor(
    platform: Platform,
    given: { readonly input: unknown; readonly options: UploadOptions; readonly emit: Emit },
  ) {
    const { clock, transport, features } = platform
    const { options, emit } = given
    const { maxBytesPerSecond: rate } = options
    this.platform = platform
    this.options = options
    this.#input = given.input
    this.#emit = emit
    this.log = features.report?.(transport, clock)
    this.requester = new Requester({ ...platform, transport: this.log?.transport ?? transport }, options)
    this.#meter = progressMeter(
      clock,
      () => this.source?.sizeBytes,
      (progress) => emit('progress', progress),
    )
    this.cut =
      (rate ? features.maxBytesPerSecond?.(clock, rate) : undefined) ??
      ((source, { start, maxBytes, signal }) => source.slice(start, maxBytes, signal))
    this.previous = options.uploadUrl ? { url: String(options.uploadUrl) } : undefined
  }

  /** Bytes the server has confirmed. */
  get offset(): number {
    return this.transfers.reduce((sum, { offset }) => sum + offset, 0)
  }

  /** Brings the upload forward, as far as the run goes. */
  async run(run: Run): Promise<UploadResult> {
    const source = await this.#open()
    const terms = (this.terms ??= await this.#settle(source, run))
    const release = await this.ledger?.hold(run.signal, () => run.enter('waiting'))
    try {
      run.enter('preparing')
      if (!this.transfers[0]) await this.#place()
      run.enter('uploading')
      this.#meter.begin()
      const task: TransferTask = Object.assign(this, { source, terms })
      if (this.isDivided) await this.platform.features.parallel?.send(task, run)
      else for (const transfer of this.transfers) await transfer.run(task, run)
      const isComplete = this.transfers.every(({ isDone }) => isDone)
      if (isComplete && !this.options.keepEntry) await this.ledger?.remove()
      this.#meter.flush()
      return { url: this.url ?? '', bytes: this.offset, isComplete }
    } finally {
      this.#meter.stop()
      await release?.()
    }
  }

  /** Deletes what is on the server. */
  async terminate(signal: AbortSignal): Promise<void> {
    const retry = new Retry({ ...this.platform, options: { retryBudgetMs: CLEANUP_MS }, signal })
    const urls = new Set([this.url, ...this.transfers.map(({ url }) => url)])
    await Promise.all(
      [...urls].map(async (url) => url && (await retry.run(() => terminateAt(url, this.requester, signal)))),
    )
    await this.ledger?.remove()
  }

  /** @param isFinal - Whether no run can follow; a stream is kept open otherwise. */
  async close(isFinal: boolean): Promise<void> {
    if (!this.#isOpen || !(isFinal || this.source?.isRewindable)) return
    this.#isOpen = false
    await this.source?.close().catch((cause: unknown) => this.warn('the source cannot be closed', cause))
  }

  announce(url: string | undefined): void {
    if (url && url !== this.url) this.#emit('url', { url })
    this.url = url
  }

  warn(message: string, cause?: unknown): void {
    this.#emit('warning', { message, cause })
  }

  retry(
    { signal, enter }: Pick<Run, 'signal' | 'enter'>,
    state: 'preparing' | 'uploading' = 'uploading',
  ): Retry {
    const { platform, options } = this
    return new Retry({
      ...platform,
      options,
      signal,
      onWait: (isWaiting) => enter(isWaiting ? 'waiting' : state),
      onRetry: (failure) => this.#emit('error', failure),
    })
  }

  moved(bytes: number): void {
    this.#meter.moved(bytes, this.offset)
  }

  async located({ url }: Transfer): Promise<void> {
    if (!this.isDivided) this.announce(url)
    await this.ledger?.save()
  }

  async lost(lost: LostUpload, signal: AbortSignal): Promise<'restart' | 'fail'> {
    const { onUploadLost, endpoint } = this.options
    const canRestart = this.source?.isRewindable && endpoint && this.#restarts++ < MOST_RESTARTS
    const verdict = await abortable(
      onUploadLost ? onUploadLost(lost) : canRestart ? 'restart' : 'fail',
      signal,
    )
    if (verdict === 'restart') this.#meter.restart()
    return verdict
  }

  /** @throws {SourceChanged} when it is not what it was in the run before. */
  async #open(): Promise<Source> {
    const before = this.source
    if (before && this.#isOpen) {
      await before.verify()
      return before
    }
    const source = await this.platform.openSource(this.#input, this.options)
    const { sizeBytes, traits } = before ?? source
    if (sizeBytes !== source.sizeBytes || traits.modifiedMs !== source.traits.modifiedMs) {
      await source.close()
      throw new SourceChanged('the source has changed')
    }
    this.#isOpen = true
    return (this.source = source)
  }

  async #settle(source: Source, run: Run): Promise<Terms> {
    const { previous, options, platform, requester } = this
    const { required: negotiate, urlStorage } = platform.features
    const endpoint = String(options.endpoint ?? previous?.endpoint ?? previous?.url ?? '')
    if (!endpoint) throw new TransferError('protocol', 'there is no endpoint')
    const tools = { endpoint, source, requester, retry: this.retry(run, 'preparing'), signal: run.signal }
    const terms = negotiate ? await negotiate(this, tools) : plainTerms(this, endpoint, source)
    this.ledger = await urlStorage?.open(this, source, run.signal)
    return terms
  }

  /** Where the upload goes on, or what is to be made. */
  async #place(): Promise<void> {
    const { parallel, urlStorage } = this.platform.features
    const url = this.previous?.url
    const place = await (parallel ?? urlStorage)?.place(this)
    const { parts = [{ startBytes: 0, url }], isDivided = false, isRemembered = false } = place ?? {}
    this.isDivided = isDivided
    this.transfers = parts.map((part) => new Transfer(part, isRemembered))
    // A plan of parts is stored before the first byte is sent.
    if (isDivided) await this.ledger?.save()
    else this.announce(parts[0]?.url)
  }
}
