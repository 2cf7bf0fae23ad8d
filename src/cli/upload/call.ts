import type { CallOptions, CallPlatform } from '../../client/calls.ts'
import type { ExitCode } from '../cli-error.ts'
import { CliError } from '../cli-error.ts'
import type { Connection } from './connection.ts'
import { openConnection } from './connection.ts'
import type { ConnectionConfig } from './connection-settings.ts'
import { displayName } from './display-name.ts'
import { failureLine, failureOf } from './failure.ts'
import { keepAlive } from './keep-alive.ts'
import { patience } from './patience.ts'

/** A server for a call or two. */
export interface Caller {
  readonly platform: CallPlatform
  readonly options: CallOptions
}

/**
 * Opens connections for some calls and closes them afterwards.
 *
 * @throws {CliError} for what a call throws: what failed, why, what to do, with the exit code it stands for.
 */
export async function withCaller<T>(
  config: { readonly connection: ConnectionConfig; readonly retries: number },
  work: (caller: Caller) => Promise<T>,
): Promise<T> {
  const connection: Connection = openConnection(config.connection)
  const { platform, request } = connection
  const options = { ...request, shouldRetry: patience(config.retries, () => true) }
  try {
    return await keepAlive(() => work({ platform, options }))
  } catch (error) {
    throw asCliError(error)
  } finally {
    await platform.transport.close()
  }
}

/** @param name - Of the file or upload it is about, where there are several. */
export function asCliError(error: unknown, name?: string): CliError {
  if (error instanceof CliError) return error
  const failure = failureOf(error)
  const line = failureLine(failure)
  const exitCode: ExitCode = failure.exitCode
  return new CliError(exitCode, name === undefined ? line : `${displayName(name)}: ${line}`, { cause: error })
}
