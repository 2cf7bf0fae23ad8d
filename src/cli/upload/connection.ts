import { readFileSync } from 'node:fs'
import type { RequestOptions } from '../../client/options.ts'
import type { Platform } from '../../client/ports/platform.ts'
import { nodePlatform, nodeTransport } from '../../client/node.ts'
import { troubleError, usageError } from '../cli-error.ts'
import { describeError } from '../one-line.ts'
import { authFrom } from './auth-command.ts'
import type { ConnectionConfig } from './connection-settings.ts'
import { displayName } from './display-name.ts'
import { withSharedRate } from './shared-rate.ts'

/** Connections to servers, as the settings want them. */
export interface Connection {
  readonly platform: Platform
  readonly request: RequestOptions
}

/**
 * Reads certificates and makes the transport that everything of one command goes through.
 *
 * @param maxBytesPerSecond - Of `--limit-rate`.
 * @throws {CliError} when a certificate cannot be read or used.
 */
export function openConnection(config: ConnectionConfig, maxBytesPerSecond?: number): Connection {
  const { headers, authCommand, stallTimeoutMs, insecure, proxy } = config
  const files = {
    ...fileOf('ca', 'cacert', config),
    ...fileOf('cert', 'cert', config),
    ...fileOf('key', 'key', config),
  }
  const transport = usable(() =>
    nodeTransport({
      ...files,
      ...(insecure ? { rejectUnauthorized: false } : {}),
      ...(proxy === undefined ? {} : { proxy: proxy === 'none' ? false : proxy }),
    }),
  )
  const platform = nodePlatform({ transport })
  return {
    platform:
      maxBytesPerSecond === undefined
        ? platform
        : { ...platform, transport: withSharedRate(transport, maxBytesPerSecond, platform.clock) },
    request: {
      headers,
      stallTimeoutMs,
      ...(authCommand === undefined ? {} : { auth: authFrom(authCommand) }),
    },
  }
}

function usable<T>(make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw usageError(`the settings of the connection cannot be used: ${describeError(error)}`)
  }
}

function fileOf<Option extends string>(
  option: Option,
  flag: 'cacert' | 'cert' | 'key',
  config: ConnectionConfig,
): Partial<Record<Option, string>> {
  const path = config[flag]
  if (path === undefined) return {}
  try {
    const found: Partial<Record<Option, string>> = {}
    found[option] = readFileSync(path, 'utf8')
    return found
  } catch (error) {
    throw troubleError(`cannot read ${displayName(path)} of --${flag}: ${describeError(error)}`, error)
  }
}
