import { ERRORS, UploadError } from '../core/errors.ts'
import type { Outcome, Reply } from '../server/exchange.ts'

/**
 * The body was read before it came to us. The bytes are gone: to wait for them would end in a timeout, and to store
 * what is left of them would put them in the wrong place.
 */
export function bodyConsumed(): UploadError {
  return new UploadError('ERR_BODY_CONSUMED')
}

/** Says so also where it was noticed only when the body was wanted; the fields of the outcome (CORS) stay. */
export function bodyConsumedReply(outcome: Outcome): Reply {
  const body = `ERR_BODY_CONSUMED: ${ERRORS.ERR_BODY_CONSUMED.message}\n`
  return {
    status: 500,
    headers: {
      ...outcome?.headers,
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': String(new TextEncoder().encode(body).length),
    },
    body,
  }
}
