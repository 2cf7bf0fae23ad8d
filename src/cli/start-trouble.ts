import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { RESULT, resultCode } from '../catalogs/sqlite/driver.ts'
import { CliError, troubleError } from './cli-error.ts'
import { describeError } from './one-line.ts'

/** What was to be opened. */
interface Opened {
  readonly host?: string
  readonly port?: number
  readonly uploads: { readonly dir: string }
}

/** Why the server, or another user of its directory, could not start: one line with a hint. */
export function startTrouble(error: unknown, opened: Opened): CliError {
  if (error instanceof CliError) return error
  return troubleError(
    networkTrouble(error, opened) ?? diskTrouble(error, opened) ?? otherTrouble(error, opened),
    error,
  )
}

function networkTrouble(error: unknown, { host, port }: Opened): string | undefined {
  const { code, syscall } = facts(error)
  if (syscall === 'getaddrinfo')
    return `the host ${host} is not known; --host takes an address of this machine`
  if (syscall !== 'listen') return undefined
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} on ${host} is in use; stop what uses it or choose another port with --port (0: any free one)`
    case 'EACCES':
      return `port ${port} is not allowed for this user; choose one above 1023 with --port`
    case 'EADDRNOTAVAIL':
      return `${host} is no address of this machine; choose one with --host (0.0.0.0: all of them)`
    default:
      return undefined
  }
}

function diskTrouble(error: unknown, { uploads: { dir } }: Opened): string | undefined {
  const { code, path = dir } = facts(error)
  switch (code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `cannot write ${lastExisting(path)} (${code}); give this user the right to, or choose another directory with --dir`
    case 'EEXIST':
    case 'ENOTDIR':
      return `${lastExisting(path)} is not a directory; choose another one with --dir or --completed-dir`
    case 'ENOENT':
      return `${path} cannot be made (${code}); choose another directory with --dir or --completed-dir`
    case 'ENOSPC':
    case 'EDQUOT':
      return `there is no space left for ${path} (${code})`
    default:
      return databaseTrouble(resultCode(error), dir)
  }
}

function databaseTrouble(result: number | undefined, dir: string): string | undefined {
  const file = `the records in ${dir} (carryon.db)`
  switch (result) {
    case RESULT.cantOpen:
    case RESULT.readOnly:
      return `${file} cannot be written; give this user the right to, or choose another directory with --dir`
    case RESULT.notADatabase:
    case RESULT.corrupt:
      return `${file} are damaged; restore them from a backup, or choose another directory with --dir`
    case RESULT.full:
      return `${file} cannot be written: the disk is full`
    case RESULT.busy:
      return `${file} are held by another program; stop it or choose another directory with --dir`
    default:
      return undefined
  }
}

function otherTrouble(error: unknown, { uploads: { dir } }: Opened): string {
  const reason = describeError(error)
  const hint = reason.includes('newer version') ? '; use that version, or another directory with --dir' : ''
  return `cannot open ${dir}: ${reason}${hint}`
}

/** A path under a file is no directory because of the file. */
function lastExisting(path: string): string {
  const above = dirname(path)
  return existsSync(path) || above === path ? path : lastExisting(above)
}

function facts(error: unknown): {
  readonly code?: string
  readonly syscall?: string
  readonly path?: string
} {
  if (!(error instanceof Error)) return {}
  const { code, syscall, path } = error as NodeJS.ErrnoException
  return {
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof syscall === 'string' ? { syscall } : {}),
    ...(typeof path === 'string' ? { path } : {}),
  }
}
