import { abortable } from './abortable.ts'
import { SourceChanged, TransferError } from './errors.ts'
import type { Emit, UploadResult } from './events.ts'
import type { ExchangeLog } from './exchange-log.ts'
import type { UploadOptions } from './options.ts'
import type { Cut, Ledger, OpenTask, Previous } from './ports/features.ts'
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
import type { Run, TransferTask } from './transfer.ts'

/** A server that loses one upload after the other would be sent the file for ever. */
const MOST_RESTARTS = 3

/** The work of one upload over all its runs. Runs follow each other, there is never more than one at a time. */
export class Job {
  // Declared only, for each field that is set to nothing would weigh something in a page.
  declare readonly platform: Platform
  declare readonly options: UploadOptions
  declare readonly requester: Requester
  declare readonly log: ExchangeLog | undefined
  declare readonly cut: Cut
  readonly #input: unknown
  readonly #emit: Emit
  readonly #meter: ProgressMeter
  /** What the caller wants to go on with. */
  declare previous: Previous | undefined
  declare url: string | undefined
  declare source: Source | undefined
  declare terms: Terms | undefined
  declare ledger: Ledger | undefined
  transfers: readonly Transfer[] = []
  isDivided = false
  #isOpen = false
  #restarts = 0

  constructor(platform: Platform, options: UploadOptions, input: unknown, emit: Emit) {
    const { clock, transport, features } = platform
    const { maxBytesPerSecond: rate } = options
    this.platform = platform
    this.options = options
    this.#input = input
    this.#emit = emit
    this.log = features.report?.(transport, clock)
    // The log has a transport of its own.
    this.requester = new Requester({ ...platform, ...this.log }, options)
    this.#meter = progressMeter(
      clock,
      () => this.source?.sizeBytes,
      (progress) => emit('progress', progress),
    )
    const limited = rate ? features.maxBytesPerSecond?.(clock, rate) : undefined
    this.cut = limited ?? ((source, ...place) => source.slice(...place))
  }

  /** Bytes the server has confirmed. */
  get offset(): number {
    return this.transfers.reduce((sum, { offset }) => sum + offset, 0)
  }

  /** Brings the upload forward, as far as the run goes. */
  async run(run: Run): Promise<UploadResult> {
    const { parallel, urlStorage } = this.platform.features
    let release: (() => Promise<void>) | undefined
    let isComplete = false
    try {
      await this.#open()
      this.terms ??= await this.#settle(this as OpenTask, run)
      const task = this as TransferTask
      this.ledger ??= await urlStorage?.open(task, run.signal)
      release = await this.ledger?.hold(run.signal, () => run.enter('waiting'))
      run.enter('preparing')
      if (!this.transfers[0]) {
        const url = this.previous?.url
        const place = await (parallel ?? urlStorage)?.place(task)
        const { parts, isRemembered } = place ?? { parts: [{ startBytes: 0, url }], isRemembered: false }
        // Only parts of a plan have ends.
        this.isDivided = !!parts[0]?.endBytes
        this.transfers = parts.map((part) => new Transfer(task, part, isRemembered))
        // A plan of parts is stored before the first byte is sent.
        if (this.isDivided) await this.ledger?.save()
        else this.announce(parts[0]?.url)
      }
      this.#meter.begin()
      if (this.isDivided) await parallel?.send(task, run)
      else for (const transfer of this.transfers) await transfer.run(run)
      isComplete = this.transfers.every(({ isDone }) => isDone)
      if (isComplete && !this.options.keepEntry) await this.ledger?.remove()
      this.#meter.flush()
      return { url: this.url ?? '', bytes: this.offset, isComplete }
    } finally {
      this.#meter.stop()
      await release?.()
      await this.close(isComplete)
    }
  }

  /** Deletes what is on the server. */
  async terminate(signal: AbortSignal): Promise<void> {
    const retry = new Retry({ ...this.platform, options: {}, signal })
    const urls = new Set([this.url, ...this.transfers.map(({ url }) => url)])
    await Promise.all(
      [...urls].map(async (url) => url && (await retry.run(() => terminateAt(this.requester, url, signal)))),
    )
    await this.ledger?.remove()
  }

  /** @param isFinal - Whether no run can follow; a stream is kept open otherwise. */
  async close(isFinal: boolean): Promise<void> {
    if (!this.#isOpen || !(isFinal || this.source?.isRewindable)) return
    this.#isOpen = false
    await this.source?.close().catch((cause: unknown) => this.warn('cannot close the source', cause))
  }

  readonly announce = (url: string | undefined): void => {
    if (url && url !== this.url) this.#emit('url', { url })
    this.url = url
  }

  readonly warn = (message: string, cause?: unknown): void => this.#emit('warning', { message, cause })

  readonly retry: TransferTask['retry'] = ({ signal, enter }, state = 'uploading') =>
    new Retry({
      ...this.platform,
      options: this.options,
      signal,
      onWait: (isWaiting) => enter(isWaiting ? 'waiting' : state),
      onRetry: (failure) => this.#emit('error', failure),
    })

  readonly moved = (bytes: number): void => this.#meter.moved(bytes, this.offset)

  readonly located: TransferTask['located'] = async ({ url }) => {
    if (!this.isDivided) this.announce(url)
    await this.ledger?.save()
  }

  readonly lost: TransferTask['lost'] = async (lost, signal) => {
    const { onUploadLost, endpoint } = this.options
    const canRestart = this.source?.isRewindable && endpoint && this.#restarts++ < MOST_RESTARTS
    const verdict = await abortable(onUploadLost?.(lost), signal)
    const restarts = verdict ? verdict === 'restart' : !!canRestart
    if (restarts) this.#meter.restart()
    return restarts
  }

  /** @throws {SourceChanged} when it is not what it was in the run before. */
  async #open(): Promise<void> {
    const before = this.source
    if (before && this.#isOpen) return await before.verify()
    const source = await this.platform.openSource(this.#input, this.options)
    const { sizeBytes, traits } = before ?? source
    if (sizeBytes !== source.sizeBytes || traits.modifiedMs !== source.traits.modifiedMs) {
      await source.close()
      throw new SourceChanged()
    }
    this.#isOpen = true
    this.source = source
  }

  async #settle(task: OpenTask, run: Run): Promise<Terms> {
    const { previous, options, platform } = task
    const endpoint = options.endpoint ?? previous?.endpoint ?? previous?.url
    if (!endpoint) throw new TransferError('protocol', 'no endpoint')
    return (await platform.features.required?.(task, `${endpoint}`, run)) ?? plainTerms(task, `${endpoint}`)
  }
}
