import type { Board, FileProgress } from './board.ts'
import type { Failure } from './failure.ts'
import type { OutputConfig } from './output-settings.ts'

/** What a run shows of itself. URLs (or JSON lines) go to standard output, everything else to standard error. */
export interface Display {
  /** Begins to show. Nothing is called before it. */
  open(board: Board): void
  started(file: FileProgress): void
  moved(file: FileProgress): void
  /** The file waits: `file.waiting` says for what. */
  waits(file: FileProgress): void
  /** Something people should know about; of one file or of the whole run. */
  note(text: string, file?: FileProgress): void
  complete(file: FileProgress, done: Done): void
  failed(failed: Failed): void
  /** Ends the showing; afterwards anybody may write again. */
  close(end: RunEnd): void
}

export interface Done {
  readonly url: string
  /** What goes to standard output instead of the URL: the file of a download, nothing for one to standard output. */
  readonly result?: string | undefined
  readonly bytes: number
  readonly seconds: number
}

interface Failed {
  /** Of the file. */
  readonly name: string
  readonly failure: Failure
  /** Where what has arrived is, if anything has. */
  readonly url: string | undefined
  readonly acceptedBytes: number
}

interface RunEnd {
  readonly files: number
  readonly complete: number
  readonly failed: number
  readonly bytes: number
  readonly seconds: number
  readonly exitCode: number
}

/** A place for text. */
interface Sink {
  write(text: string): void
}

/** A place that may be a terminal. */
export interface TerminalSink extends Sink {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  readonly rows?: number | undefined
}

export interface Streams {
  readonly stdout: TerminalSink
  readonly stderr: TerminalSink
}

/** Chooses and loads a display. The library for bars is loaded only for them. */
export async function openDisplay(output: OutputConfig, streams: Streams): Promise<Display> {
  const { json, quiet, progress } = output
  if (json) return (await import('./progress-json.ts')).jsonDisplay(streams, quiet)
  if (quiet || progress === 'none') return (await import('./progress-none.ts')).quietDisplay(streams, quiet)
  const kind = progress === 'auto' ? (streams.stderr.isTTY === true ? 'bar' : 'plain') : progress
  if (kind === 'bar') return (await import('./progress-bar.ts')).barDisplay(streams)
  return (await import('./progress-plain.ts')).plainDisplay(streams)
}
