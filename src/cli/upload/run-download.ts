import { existsSync } from 'node:fs'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { DownloadProgress, DownloadSink } from '../../client/download.ts'
import { download } from '../../client/download.ts'
import { systemClock } from '../../core/system-clock.ts'
import type { ExitCode } from '../cli-error.ts'
import { troubleError } from '../cli-error.ts'
import { describeError } from '../one-line.ts'
import type { FileProgress } from './board.ts'
import { Board } from './board.ts'
import type { Caller } from './call.ts'
import { withCaller } from './call.ts'
import { INTERRUPTED } from './conclusion.ts'
import { displayName } from './display-name.ts'
import type { Display } from './display.ts'
import { openDisplay } from './display.ts'
import type { DownloadConfig } from './download-settings.ts'
import { failureOf } from './failure.ts'
import { endAtOnce, watchInterrupt } from './interrupt.ts'
import { PartFile } from './part-file.ts'
import { remoteName } from './remote-name.ts'

/** Downloads one upload into a file, or to standard output. */
export function runDownload(url: string, config: DownloadConfig): Promise<ExitCode> {
  return withCaller(config, async (caller) => {
    const target = config.target ?? (await nameFor(url, caller))
    const interrupt = watchInterrupt({
      source: process,
      onStop: () => undefined,
      onStopNow: endAtOnce,
    })
    const run = new Run({ url, target, config, caller, signal: interrupt.signal })
    try {
      return await run.toEnd()
    } finally {
      interrupt.dispose()
    }
  })
}

async function nameFor(url: string, { platform, options }: Caller): Promise<string> {
  const name = await remoteName(platform, url, options)
  if (existsSync(name))
    throw troubleError(`${displayName(name)} is there already; name another file with -o`, undefined)
  return name
}

interface RunOptions {
  readonly url: string
  readonly target: string
  readonly config: DownloadConfig
  readonly caller: Caller
  readonly signal: AbortSignal
}

class Run {
  readonly #options: RunOptions
  readonly #board = new Board(systemClock, [undefined])
  readonly #file: FileProgress

  constructor(options: RunOptions) {
    this.#options = options
    this.#file = this.#board.begin(this.#isPiped ? 'standard output' : options.target, undefined)
  }

  async toEnd(): Promise<ExitCode> {
    const { config, signal, url } = this.#options
    const display = await openDisplay(config.output, { stdout: process.stdout, stderr: process.stderr })
    display.open(this.#board)
    let exitCode: ExitCode = 0
    try {
      const { receivedBytes } = this.#isPiped ? await this.#pipe(display) : await this.#save(display)
      this.#complete(display, receivedBytes)
    } catch (error) {
      this.#board.end(this.#file)
      if (signal.aborted) {
        exitCode = INTERRUPTED
        display.note(this.#isPiped ? 'interrupted' : 'interrupted; run the same command again and it goes on')
      } else {
        const failure = failureOf(error)
        exitCode = failure.exitCode
        display.failed({ name: this.#file.name, failure, url, acceptedBytes: this.#file.acceptedBytes })
      }
    }
    this.#close(display, exitCode)
    return exitCode
  }

  get #isPiped(): boolean {
    return this.#options.target === '-'
  }

  async #save(display: Display): Promise<DownloadProgress> {
    const { url, target } = this.#options
    const part = await PartFile.open(resolve(target), url).catch((error: unknown): never => {
      throw troubleError(`cannot write ${displayName(target)}: ${describeError(error)}`, error)
    })
    try {
      const done = await this.#download(display, { sink: part.sink, part })
      await part.complete()
      return done
    } catch (error) {
      await part.leave().catch(() => undefined)
      throw error
    }
  }

  #pipe(display: Display): Promise<DownloadProgress> {
    const write = async (chunk: Uint8Array): Promise<void> => {
      // The chunk is the transport's again when this resolves.
      if (!process.stdout.write(Buffer.from(chunk))) await once(process.stdout, 'drain')
    }
    return this.#download(display, { sink: { write }, part: undefined })
  }

  #download(
    display: Display,
    { sink, part }: { readonly sink: DownloadSink; readonly part: PartFile | undefined },
  ): Promise<DownloadProgress> {
    const { url, caller, signal } = this.#options
    this.#file.resumedBytes = part?.beginning?.startBytes ?? 0
    return download(caller.platform, url, {
      ...caller.options,
      ...part?.beginning,
      signal,
      sink,
      onProgress: (progress) => {
        part?.seen(progress.etag)
        const { receivedBytes: sent, totalBytes: total } = progress
        this.#board.moved(this.#file, { sent, accepted: sent, total })
        const { bytesPerSecond, secondsLeft } = this.#pace(total, sent)
        this.#file.bytesPerSecond = bytesPerSecond
        this.#file.secondsLeft = secondsLeft
        display.moved(this.#file)
      },
    })
  }

  #pace(total: number | undefined, sent: number): Pick<FileProgress, 'bytesPerSecond' | 'secondsLeft'> {
    const { bytesPerSecond } = this.#board.total
    const isKnown = total !== undefined && bytesPerSecond !== undefined && bytesPerSecond > 0
    return { bytesPerSecond, secondsLeft: isKnown ? (total - sent) / bytesPerSecond : undefined }
  }

  #complete(display: Display, bytes: number): void {
    const { url, target } = this.#options
    const seconds = (systemClock.nowMs() - this.#file.startedMs) / 1000
    this.#board.end(this.#file)
    display.complete(this.#file, { url, bytes, seconds, result: this.#isPiped ? '' : displayName(target) })
  }

  #close(display: Display, exitCode: ExitCode): void {
    const { acceptedBytes: bytes } = this.#file
    const seconds = (systemClock.nowMs() - this.#file.startedMs) / 1000
    const complete = exitCode === 0 ? 1 : 0
    display.close({
      files: 1,
      complete,
      failed: exitCode === 0 || exitCode === INTERRUPTED ? 0 : 1,
      bytes,
      seconds,
      exitCode,
    })
  }
}
