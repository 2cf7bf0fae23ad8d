import { isTransferError, SourceChanged } from '../../client/errors.ts'
import { CliError } from '../cli-error.ts'
import { describeError, oneLine } from '../one-line.ts'
import { causeCode, isTlsTrouble } from './cause.ts'
import type { FileExitCode } from './exit-codes.ts'
import { fileExitCode } from './exit-codes.ts'

/** Why a file could not be uploaded, in words. */
export interface Failure {
  readonly exitCode: FileExitCode
  /** Stable: of the library, or `file` and `verify`. */
  readonly code: string
  readonly status?: number
  /** One line. */
  readonly message: string
  /** What to do about it, one sentence without a full stop. */
  readonly hint?: string
}

const FILE_TROUBLE: Readonly<Record<string, readonly [message: string, hint?: string]>> = {
  ENOENT: ['there is no such file'],
  ENOTDIR: ['there is no such file'],
  EACCES: ['this user may not read it', 'change its permissions'],
  EPERM: ['this user may not read it', 'change its permissions'],
  ELOOP: ['its symbolic links lead round in a circle'],
  EISDIR: ['it is a folder now'],
  EMFILE: ['too many files are open', 'use fewer --jobs, or raise the limit with ulimit -n'],
  ENFILE: ['too many files are open', 'use fewer --jobs, or raise the limit with ulimit -n'],
  ENAMETOOLONG: ['its name is too long'],
  EIO: ['the disk cannot read it'],
}

/** What failed, its cause and a hint. */
export function failureOf(error: unknown): Failure {
  const exitCode = fileExitCode(error)
  const code = causeCode(error)
  if (!isTransferError(error)) {
    if (error instanceof CliError) return { exitCode, code: 'verify', message: oneLine(error.message) }
    return { exitCode, code: 'file', ...(fileTrouble(code) ?? { message: describeError(error) }) }
  }
  const ofFile = error.code === 'source' && !(error instanceof SourceChanged) ? fileTrouble(code) : undefined
  const hint = hintFor(error, code)
  return {
    exitCode,
    code: error.code,
    ...(error.status === undefined ? {} : { status: error.status }),
    ...(ofFile ?? { message: messageOf(error, code), ...(hint === undefined ? {} : { hint }) }),
  }
}

/** All of it in one line. */
export function failureLine({ message, hint }: Failure): string {
  return oneLine(hint === undefined ? message : `${message.replace(/[.:;]+$/, '')}; ${hint}`)
}

function fileTrouble(code: string | undefined): { message: string; hint?: string } | undefined {
  const [message, hint] = (code === undefined ? undefined : FILE_TROUBLE[code]) ?? []
  if (message === undefined) return undefined
  return { message: `${message} (${code})`, ...(hint === undefined ? {} : { hint }) }
}

/** The library's words; the code of what is behind them is what people search for. */
function messageOf(error: Error, code: string | undefined): string {
  const message = oneLine(error.message)
  if (code !== undefined) return message.includes(code) ? message : `${message} (${code})`
  if (error.cause === undefined) return message
  const cause = describeError(error.cause)
  // Most messages quote their cause already.
  return message.includes(cause) || cause.includes(message) ? message : `${message}: ${cause}`
}

function hintFor(error: { readonly hint: string | undefined }, code: string | undefined): string | undefined {
  if (code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER')
    return 'is this an https server? if not, begin the URL with http:'
  if (code === 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED')
    return 'name a certificate and its key with --cert and --key'
  if (isTlsTrouble(code))
    return 'name a certificate to trust with --cacert, or do not check it with --insecure'
  return error.hint === undefined ? undefined : asClause(error.hint)
}

/** A sentence as the part of another. */
function asClause(sentence: string): string {
  const bare = sentence.trim().replace(/\.$/, '')
  return /^[A-Z][a-z ]/.test(bare) ? bare.charAt(0).toLowerCase() + bare.slice(1) : bare
}
