import { isTransferError, SourceChanged } from '../../client/errors.ts'
import type { ExitCode } from '../cli-error.ts'
import { causeCode, isTlsTrouble } from './cause.ts'

/** Why one file failed. */
export type FileExitCode = 1 | 3 | 4 | 5

/** For `--help` and the documentation. */
export const EXIT_CODES: Readonly<Record<ExitCode, string>> = {
  0: 'all done',
  1: 'some files failed, for different reasons or while others were sent; or a file cannot be read',
  2: 'wrong usage',
  3: 'refused: trying again will not help (not a tus server, not allowed, certificate not trusted)',
  4: 'gave up after retries: run the same command later, it goes on where it was',
  5: 'the source changed while it was sent',
  130: 'interrupted: run the same command, it goes on where it was',
}

// These say "not now". What the library retries has no answer, or one of these.
const TRY_LATER = /^(408|409|423|425|429|460|5(?!01|05)\d\d)$/

/** The exit code that a failure stands for, if nothing else happens. */
export function fileExitCode(error: unknown): FileExitCode {
  if (error instanceof SourceChanged) return 5
  if (!isTransferError(error)) return 1
  switch (error.code) {
    case 'network':
    case 'timeout':
    case 'stall':
    case 'offline':
      return isTlsTrouble(causeCode(error)) ? 3 : 4
    case 'server':
      return TRY_LATER.test(String(error.status)) ? 4 : 3
    case 'protocol':
      return 3
    case 'source':
    case 'aborted':
      return 1
  }
}

/**
 * The exit code of the run. A reason that every file shares says more than "some failed".
 *
 * @param failures - One for each file that failed.
 * @param complete - How many files were sent.
 */
export function runExitCode(failures: readonly FileExitCode[], complete: number): ExitCode {
  const [first] = failures
  if (first === undefined) return 0
  return complete === 0 && failures.every((code) => code === first) ? first : 1
}

/** The table for `--help`. */
export function exitCodeHelp(): string {
  return Object.entries(EXIT_CODES)
    .map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`)
    .join('\n')
}
