import { TransferError } from './errors.ts'
import type { ResponseHead } from './ports/transport.ts'
import { shownUrl } from './shown.ts'
import { integerOf } from './tus-codec.ts'

export { metadataOf } from './tus-codec.ts'

// A slip of a server's clock, or of its operator, must not put an upload to sleep for a year.
const LONGEST_RETRY_AFTER_MS = 60 * 60 * 1000

/** The hint for answers of which a tus server would not be the author. */
export const NO_TUS_SERVER = 'This is no tus server, or CORS hides it.'

export function isSuccess({ status }: Pick<ResponseHead, 'status'>): boolean {
  return status >= 200 && status < 300
}

/** 404 or 410. */
export function isGone({ status }: { readonly status: number | undefined }): boolean {
  return status === 404 || status === 410
}

/** `Upload-Offset` in bytes; `undefined` if missing or malformed. It is never taken for 0 (tus 1.0 §HEAD). */
export function offsetOf(response: ResponseHead): number | undefined {
  return integerOf(response, 'Upload-Offset')
}

/** `Upload-Length` in bytes; `undefined` while the length is deferred. */
export function lengthOf(response: ResponseHead): number | undefined {
  return integerOf(response, 'Upload-Length')
}

/** `Upload-Expires` as Unix time in milliseconds. */
export function expiresAtMsOf(response: ResponseHead, nowMs: number): number | undefined {
  return momentOf(response, 'Upload-Expires', nowMs)
}

/** `Retry-After`, seconds or a date (RFC 9110 §10.2.3), as a delay of at most an hour. */
export function retryAfterMsOf(response: ResponseHead, nowMs: number): number | undefined {
  const seconds = integerOf(response, 'Retry-After')
  const atMs = seconds === undefined ? momentOf(response, 'Retry-After', nowMs) : nowMs + seconds * 1000
  return atMs && Math.min(Math.max(atMs - nowMs, 0), LONGEST_RETRY_AFTER_MS)
}

/**
 * `Location`, resolved.
 *
 * An `http:` address on the host of an `https:` request is upgraded: servers behind a proxy that ends TLS often
 * believe they are spoken to in the clear.
 *
 * @throws {TransferError} `protocol` if it is missing, is no web address, or would leave TLS.
 */
export function locationOf(response: ResponseHead, requestUrl: string): string {
  const text = response.header('Location') ?? ''
  // A browser may have been given a relative endpoint; the answer's address is then the absolute one.
  const from = new URL(requestUrl, response.url)
  if (text && URL.canParse(text, from)) {
    const to = new URL(text, from)
    // 'http:' < 'https:'
    if (to.hostname === from.hostname && to.protocol < from.protocol) {
      to.protocol = from.protocol
      to.port = from.port
    }
    if (/^https?:/.test(to.href) && to.protocol >= from.protocol) return to.href
  }
  const url = shownUrl(from.href)
  // Without a status: it is not tried again, for each time an upload may be made that nobody finds.
  throw new TransferError('protocol', `${url}: unusable Location "${shownUrl(text)}"`, {
    url,
    hint: NO_TUS_SERVER,
  })
}

/**
 * A date the server wrote, on our clock: what its own `Date` says about the difference is taken off.
 *
 * HTTP dates (RFC 9110 §5.6.7) but asctime's, which nobody sends: the parser of servers is large for a browser.
 */
function momentOf(response: ResponseHead, name: string, nowMs: number): number | undefined {
  const serverNowMs = dateOf(response, 'Date') || nowMs
  return dateOf(response, name) + nowMs - serverNowMs || undefined
}

function dateOf(response: ResponseHead, name: string): number {
  const text = response.header(name) ?? ''
  return /,.+GMT$/.test(text) ? Date.parse(text) : NaN
}
