import { isTransferError } from '../../client/errors.ts'
import type { UploadResult } from '../../client/events.ts'
import type { ExchangeRecord } from '../../client/exchange-log.ts'
import type { RequestOptions, UploadOptions } from '../../client/options.ts'
import { offsetOf } from '../../client/tus-answers.ts'
import type { Board, FileProgress } from './board.ts'
import type { Display } from './display.ts'
import type { FileExitCode } from './exit-codes.ts'
import { failureLine, failureOf } from './failure.ts'
import type { Found } from './find-files.ts'
import type { JobInput } from './job-input.ts'
import { openInput } from './job-input.ts'
import { patience } from './patience.ts'
import { time } from './progress-text.ts'
import type { RunMemory } from './run-memory.ts'
import type { UploadConfig } from './settings.ts'
import type { OpenTransfer, Transfer } from './transfer.ts'

/** How one file ended. */
export type Outcome =
  | { readonly kind: 'complete'; readonly bytes: number }
  | { readonly kind: 'failed'; readonly exitCode: FileExitCode }
  /** By the user. */
  | { readonly kind: 'stopped'; readonly isResumable: boolean; readonly acceptedBytes: number }

/** What every job of a run shares. */
export interface JobTools {
  readonly config: UploadConfig
  readonly endpoint: string
  readonly request: RequestOptions
  readonly memory: RunMemory | undefined
  readonly openTransfer: OpenTransfer
  readonly stdin: AsyncIterable<Uint8Array>
  readonly board: Board
  readonly display: Display
  /** Aborted to stop; with a `TransferError` as its reason the files count as failed. */
  readonly stop: AbortSignal
  /** Checks a complete upload (`--verify`, `--expect-complete`); notes what it found. */
  check(upload: UploadResult, input: JobInput, file: FileProgress): Promise<void>
  /** The exchanges with the server, for `--debug`. */
  debug(name: string, report: readonly ExchangeRecord[]): void
}

/** An orderly end must not take longer than a user waits. */
const LEAVE_MS = 10_000
const CREATION_MS = 3000

/** Uploads one file. Never rejects: a file fails alone. */
export async function runJob(item: Found, tools: JobTools): Promise<Outcome> {
  if (item.kind === 'unusable') return failed(tools, { name: item.name, error: item.error })
  const input = openInput(item, tools.config, tools.stdin)
  const sizeBytes = item.kind === 'stream' ? tools.config.files.lengthBytes : item.sizeBytes
  const job = new Job(tools, tools.board.begin(item.name, sizeBytes), input)
  tools.display.started(job.file)
  return job.run()
}

class Job {
  readonly file: FileProgress
  readonly #tools: JobTools
  readonly #input: JobInput
  readonly #transfer: Transfer
  #url: string | undefined
  #hasUrl: Promise<void> = Promise.resolve()
  /** To which this run has sent something. */
  readonly #written = new Set<string>()

  constructor(tools: JobTools, file: FileProgress, input: JobInput) {
    this.file = file
    this.#tools = tools
    this.#input = input
    this.#transfer = tools.openTransfer(input.input, this.#options())
    this.#watch()
  }

  async run(): Promise<Outcome> {
    const tools = this.#tools
    const { board, display } = tools
    const { file } = this
    try {
      const result = await this.#untilStopped()
      if (result === undefined) return await this.#stopped()
      this.#url = result.url
      await tools.check(result, this.#input, file)
      const seconds = (board.clock.nowMs() - file.startedMs) / 1000
      board.end(file)
      display.complete(file, { url: result.url, bytes: result.bytes, seconds })
      return { kind: 'complete', bytes: result.bytes }
    } catch (error) {
      await this.#tidy(error)
      return failed(tools, { name: file.name, error, url: this.#url, file })
    } finally {
      board.end(file)
      if (tools.config.connection.debug) tools.debug(file.name, this.#transfer.report())
    }
  }

  #options(): UploadOptions {
    const { config, endpoint, request, memory } = this.#tools
    const { options, isResumable } = this.#input
    return {
      ...request,
      ...options,
      endpoint,
      urlStorage: (isResumable && memory?.storageFor(this.file.totalBytes)) || false,
      keepEntry: true,
      ...(config.chunkSizeBytes === undefined ? {} : { chunkSizeBytes: config.chunkSizeBytes }),
      ...(config.checksum === undefined ? {} : { checksum: config.checksum }),
      shouldRetry: patience(config.retries, () => this.#url !== undefined),
      beforeRequest: ({ method, url }) => void (method === 'PATCH' && this.#written.add(url)),
      afterResponse: ({ method, url }, response) => {
        // What the server has before anything is sent to it comes from an earlier run.
        if (method === 'HEAD' && !this.#written.has(url)) this.file.resumedBytes += offsetOf(response) ?? 0
        this.#written.add(url)
      },
      ...(isResumable ? { onUploadLost: () => this.#lost() } : {}),
    }
  }

  #watch(): void {
    const { board, display } = this.#tools
    const { file } = this
    this.#transfer.on('progress', (progress) => {
      board.moved(file, progress)
      display.moved(file)
    })
    this.#hasUrl = new Promise((resolve) => {
      this.#transfer.on('url', ({ url }) => {
        this.#url = url
        resolve()
      })
    })
    this.#transfer.on('error', ({ error, delayMs }) => {
      const next = delayMs < 1000 ? '' : `, next attempt in ${time(delayMs / 1000)}`
      file.waiting = `waiting${next}: ${failureLine(failureOf(error))}`
      display.waits(file)
    })
    this.#transfer.on('state', ({ state }) => {
      if (state !== 'waiting') file.waiting = undefined
      // What it waits for after a failure was told before.
      else if (file.waiting === undefined) {
        file.waiting = 'waiting: another process is uploading the same file'
        display.waits(file)
      }
    })
    this.#transfer.on('warning', ({ message, cause }) => {
      const why = cause instanceof Error ? `: ${cause.message}` : ''
      display.note(message + why, file)
    })
  }

  /** @returns `undefined` when it was stopped from outside. */
  async #untilStopped(): Promise<UploadResult | undefined> {
    const { stop } = this.#tools
    let abort = (): void => undefined
    const stopped = new Promise<undefined>((resolve) => {
      abort = () => resolve(undefined)
      if (stop.aborted) abort()
      else stop.addEventListener('abort', abort)
    })
    const finished = this.#transfer.start()
    // Whoever stops does not wait for it.
    finished.catch(() => undefined)
    try {
      return await Promise.race([finished, stopped])
    } finally {
      stop.removeEventListener('abort', abort)
    }
  }

  async #stopped(): Promise<Outcome> {
    const { isResumable } = this.#input
    if (isResumable) {
      // The server may just have made it: whoever leaves before its answer leaves something nobody finds again.
      if (this.#url === undefined && this.file.waiting === undefined)
        await this.#within(CREATION_MS, this.#hasUrl)
      await this.#leave(() => this.#transfer.pause())
    } else {
      await this.#leave(() => this.#transfer.cancel({ terminate: true }))
    }
    const { reason } = this.#tools.stop
    if (isTransferError(reason))
      return failed(this.#tools, { name: this.file.name, error: reason, url: this.#url, file: this.file })
    return { kind: 'stopped', isResumable, acceptedBytes: this.file.acceptedBytes }
  }

  /** What a later run would not find again must not stay on the server. */
  async #tidy(error: unknown): Promise<void> {
    const isLeftover = failureOf(error).exitCode === 5 || !this.#input.isResumable
    // A complete upload that only failed its check stays: somebody will want to look at it.
    if (isLeftover && isTransferError(error))
      await this.#leave(() => this.#transfer.cancel({ terminate: true }))
  }

  async #leave(end: () => Promise<void>): Promise<void> {
    // It cannot be helped, and why it ended is told already.
    await this.#within(
      LEAVE_MS,
      end().catch(() => undefined),
    )
  }

  async #within(ms: number, work: Promise<unknown>): Promise<void> {
    let cancel = (): void => undefined
    const late = new Promise<void>((resolve) => {
      cancel = this.#tools.board.clock.after(ms, resolve)
    })
    await Promise.race([work, late])
    cancel()
  }

  #lost(): 'restart' {
    this.file.resumedBytes = 0
    this.#tools.display.note('the server does not have this upload any more, beginning anew', this.file)
    return 'restart'
  }
}

interface FailedJob {
  readonly name: string
  readonly error: unknown
  readonly url?: string | undefined
  readonly file?: FileProgress
}

function failed({ display, board }: JobTools, { name, error, url, file }: FailedJob): Outcome {
  const failure = failureOf(error)
  if (file !== undefined) board.end(file)
  display.failed({ name, failure, url, acceptedBytes: file?.acceptedBytes ?? 0 })
  return { kind: 'failed', exitCode: failure.exitCode }
}
