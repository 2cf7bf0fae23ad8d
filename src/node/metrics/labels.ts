import { STATUS_CODES } from 'node:http'
import { ERRORS } from '../../core/errors.ts'
import type { Reply } from '../../server/exchange.ts'

/*
 * Each value of a label is a time series for ever, in this process and in the database that scrapes it: a label that a
 * client can choose is a leak. Whatever is not on a list is `other`.
 */

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS'])
/** tus 1.0 §Checksum; no registry of HTTP has it. */
const CHECKSUM_MISMATCH = 460
const CODE = /^(ERR_[A-Z_]{1,60}): /

/** The method of the request line. */
export function methodLabel(method: string): string {
  return METHODS.has(method) ? method : 'other'
}

/** @param outcome - `undefined`: the connection was broken off, or broken. */
export function statusLabel(outcome: Reply | undefined): string {
  if (outcome === undefined) return 'none'
  const { status } = outcome
  // An application may answer what it likes.
  return status === CHECKSUM_MISMATCH || STATUS_CODES[status] !== undefined ? String(status) : 'other'
}

/** The code that a refusal begins with; `other` for one in the application's own words. */
export function codeLabel(reply: Reply): string {
  const code = typeof reply.body === 'string' ? CODE.exec(reply.body)?.[1] : undefined
  return code !== undefined && Object.hasOwn(ERRORS, code) ? code : 'other'
}
