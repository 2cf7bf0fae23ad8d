/**
 * How the command line ended. 1: the world is not as it should be. 2: the command is not as it should be. Transfers
 * say more: 3 refused by the server, 4 gave up after retries, 5 the source has changed, 130 interrupted.
 */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 130

/** A failure that is told in one line, without a stack. */
export class CliError extends Error {
  override readonly name: string = 'CliError'
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** What the user typed makes no sense. */
export function usageError(message: string): CliError {
  return new CliError(2, message)
}

/** The command is fine, but what it needs is not there. */
export function troubleError(message: string, cause: unknown): CliError {
  return new CliError(1, message, { cause })
}
