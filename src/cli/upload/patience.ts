import type { TransferError } from '../../client/errors.ts'
import type { RetryAnswer } from '../../client/options.ts'
import { causeCode, isTlsTrouble } from './cause.ts'

const FIRST_ATTEMPTS = 5
/** At a first contact these mean a wrong address more often than a bad moment. */
const WRONG_ADDRESS = new Set(['ECONNREFUSED', 'ENOTFOUND'])

/**
 * When to give up earlier than the library, which waits for 15 minutes.
 *
 * A person who mistyped an address must not wait for that: until the upload has a URL, answers that make no sense are
 * final, and an address where nobody is gets a few attempts. Certificates do not change by waiting.
 *
 * @param retries - Of `--retries`: failures in a row before giving up.
 * @param hasUrl - Whether the server has this upload already.
 */
export function patience(
  retries: number | undefined,
  hasUrl: () => boolean,
): (error: TransferError, attempt: number) => RetryAnswer {
  return (error, attempt) => {
    const code = causeCode(error)
    if (isTlsTrouble(code)) return false
    if (retries !== undefined) return attempt <= retries ? undefined : false
    if (hasUrl()) return undefined
    if (error.code === 'protocol' || code?.startsWith('HPE_') === true) return false
    return code !== undefined && WRONG_ADDRESS.has(code) && attempt >= FIRST_ATTEMPTS ? false : undefined
  }
}
