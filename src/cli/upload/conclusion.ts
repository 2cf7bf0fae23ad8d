import type { ExitCode } from '../cli-error.ts'
import type { Board } from './board.ts'
import type { Display } from './display.ts'
import type { FileExitCode } from './exit-codes.ts'
import { runExitCode } from './exit-codes.ts'
import type { Outcome } from './job.ts'

export const INTERRUPTED = 130

export interface Conclusion {
  readonly outcomes: readonly Outcome[]
  /** Those that were never begun included. */
  readonly files: number
  readonly isInterrupted: boolean
  readonly board: Board
  readonly display: Display
}

/** Says how a run ended and how to go on, and ends the showing. */
export function conclude({ outcomes, files, isInterrupted, board, display }: Conclusion): ExitCode {
  const complete = outcomes.filter((outcome) => outcome.kind === 'complete')
  const failures = outcomes.flatMap((outcome): readonly FileExitCode[] =>
    outcome.kind === 'failed' ? [outcome.exitCode] : [],
  )
  // Time was up before these: they count as given up, or a script would take them for done.
  const left = Array<FileExitCode>(isInterrupted ? 0 : files - outcomes.length).fill(4)
  const exitCode = isInterrupted ? INTERRUPTED : runExitCode([...failures, ...left], complete.length)
  if (left.length > 0) display.note(`${left.length} of ${files} files were not begun`)
  if (isInterrupted) for (const line of howToGoOn(outcomes, files, complete.length)) display.note(line)
  display.close({
    files,
    complete: complete.length,
    failed: failures.length,
    bytes: complete.reduce((sum, { bytes }) => sum + bytes, 0),
    seconds: (board.clock.nowMs() - board.startedMs) / 1000,
    exitCode,
  })
  return exitCode
}

function howToGoOn(outcomes: readonly Outcome[], files: number, complete: number): readonly string[] {
  const stopped = outcomes.filter((outcome) => outcome.kind === 'stopped')
  const lines: string[] = []
  if (stopped.some(({ isResumable }) => !isResumable))
    lines.push('what is not remembered cannot go on: its beginning was removed from the server')
  const isWorthwhile = stopped.some(({ isResumable }) => isResumable) || outcomes.length < files
  const hint = isWorthwhile ? '; run the same command again and it goes on where it was' : ''
  return [
    ...lines,
    `interrupted with ${complete} of ${files} ${files === 1 ? 'file' : 'files'} complete${hint}`,
  ]
}
