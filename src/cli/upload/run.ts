import { TransferError } from '../../client/errors.ts'
import { Upload } from '../../client/node.ts'
import { systemClock } from '../../core/system-clock.ts'
import type { ExitCode } from '../cli-error.ts'
import { describeError } from '../one-line.ts'
import { outliveReader } from '../reader.ts'
import { Board } from './board.ts'
import { conclude } from './conclusion.ts'
import type { Connection } from './connection.ts'
import { openConnection } from './connection.ts'
import { displayName } from './display-name.ts'
import type { Display } from './display.ts'
import { openDisplay } from './display.ts'
import { exchangeLines } from './exchange-lines.ts'
import type { Found } from './find-files.ts'
import { findFiles } from './find-files.ts'
import { endAtOnce, watchInterrupt } from './interrupt.ts'
import type { JobTools, Outcome } from './job.ts'
import { runJob } from './job.ts'
import { runQueue } from './queue.ts'
import { RunMemory } from './run-memory.ts'
import type { UploadConfig } from './settings.ts'
import { withSmallFiles } from './small-file.ts'
import { openState, statePath } from './state.ts'
import type { Transfer } from './transfer.ts'
import { expectComplete, verifyContent } from './verify.ts'

const LINGER_MS = 1000

/** Uploads everything that the arguments name. */
export async function runUploads(
  paths: readonly string[],
  endpoint: string,
  config: UploadConfig,
): Promise<ExitCode> {
  const { stdout, stderr } = process
  // Whoever reads the URLs may have left; the uploads go on.
  outliveReader()
  const connection = openConnection(config.connection, config.maxBytesPerSecond)
  const { items, notes } = await findFiles(paths, config.files)
  const display = await openDisplay(config.output, { stdout, stderr })
  const board = new Board(systemClock, sizesOf(items, config))
  display.open(board)
  for (const note of items.length === 0 ? [...notes, 'there is nothing to upload'] : notes) display.note(note)
  const stop = stopping(config, display)
  const memory = await openMemory(config, display)
  const outcomes: Outcome[] = []
  const reports: string[] = []
  const tools = toolsOf({
    config,
    endpoint,
    connection,
    display,
    board,
    stop: stop.signal,
    memory,
    reports,
  })
  const work = async (item: Found): Promise<void> => void outcomes.push(await runJob(item, tools))
  await runQueue(items, work, { jobs: config.jobs, signal: stop.signal })
  stop.dispose()
  await memory?.end(outcomes.length === items.length && outcomes.every(({ kind }) => kind === 'complete'))
  await connection.platform.transport.close()
  const isInterrupted = stop.isInterrupted()
  const exitCode = conclude({ outcomes, files: items.length, isInterrupted, board, display })
  for (const line of reports) stderr.write(`${line}\n`)
  // Opening a pipe into which nobody writes cannot be called off, and would keep the process for ever.
  if (items.some((item) => item.kind === 'stream')) setTimeout(endAtOnce, LINGER_MS).unref()
  return exitCode
}

/** Asked once before all: a state that does not work is told once, not by every file. */
async function openMemory({ state }: UploadConfig, display: Display): Promise<RunMemory | undefined> {
  if (state === false) return undefined
  const path = statePath(state, process.env)
  const storage = await openState(path)
  try {
    await storage.find('')
    return new RunMemory(storage)
  } catch (error) {
    const why = describeError(error)
    display.note(
      `nothing is remembered, ${displayName(path)} cannot be used: ${why}; name another with --state`,
    )
    return undefined
  }
}

function sizesOf(items: readonly Found[], { files }: UploadConfig): readonly (number | undefined)[] {
  return items.map((item) => {
    if (item.kind === 'stream') return files.lengthBytes
    return item.kind === 'unusable' ? 0 : item.sizeBytes
  })
}

interface Parts {
  readonly config: UploadConfig
  readonly endpoint: string
  readonly connection: Connection
  readonly display: Display
  readonly board: Board
  readonly stop: AbortSignal
  readonly memory: JobTools['memory']
  /** Lines of `--debug`: shown at the end, below the bars. */
  readonly reports: string[]
}

function toolsOf(parts: Parts): JobTools {
  const { config, connection, display } = parts
  const { request } = connection
  const platform = { ...connection.platform, openSource: withSmallFiles(connection.platform.openSource) }
  const server = { platform, options: { ...request, signal: parts.stop } }
  return {
    ...parts,
    request,
    stdin: process.stdin,
    openTransfer: (input, options): Transfer => new Upload(input, { ...options, platform }),
    async check({ url, bytes }, input, file) {
      if (config.expectComplete) display.note(await expectComplete(server, url, bytes), file)
      if (config.verify) display.note(await verifyContent(server, url, await input.digest()), file)
    },
    debug: (name, report) => void parts.reports.push(...exchangeLines(name, report)),
  }
}

interface Stopping {
  /** Ctrl-C, or the end of `--max-time`: then a `TransferError` is its reason. */
  readonly signal: AbortSignal
  isInterrupted(): boolean
  dispose(): void
}

function stopping(config: UploadConfig, display: Display): Stopping {
  const interrupt = watchInterrupt({
    source: process,
    onStop: () => display.note('stopping in order; Ctrl-C again stops at once'),
    onStopNow: endAtOnce,
  })
  const timeout = new AbortController()
  const { maxTimeMs } = config
  const cancel =
    maxTimeMs === undefined
      ? undefined
      : systemClock.after(maxTimeMs, () =>
          timeout.abort(
            new TransferError('timeout', `not done after ${maxTimeMs / 1000} s (--max-time)`, {
              hint: 'Run the same command again: it goes on where it was.',
            }),
          ),
        )
  return {
    signal: AbortSignal.any([interrupt.signal, timeout.signal]),
    isInterrupted: () => interrupt.signal.aborted,
    // The signals stay caught: a second one that comes during the end must not be lost.
    dispose: () => cancel?.(),
  }
}
