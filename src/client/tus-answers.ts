import { TransferError } from './errors.ts'
import type { ResponseHead } from './ports/transport.ts'
import { shownUrl } from './shown.ts'
import { integerOf, parseMetadata } from './tus-codec.ts'

// A slip of a server's clock, or of its operator, must not put an upload to sleep for a year.
const LONGEST_RETRY_AFTER_MS = 60 * 60 * 1000

export function isSuccess({ status }: ResponseHead): boolean {
  return status >= 200 && status < 300
}

/** 404 or 410. */
export function isGone({ status }: ResponseHead): boolean {
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

/** `Upload-Metadata`, values as text; `undefined` if missing or malformed. */
export function metadataOf(response: ResponseHead): Readonly<Record<string, string>> | undefined {
  const field = response.header('Upload-Metadata')
  try {
    return field ? parseMetadata(field) : undefined
  } catch {
    return undefined
  }
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
  const isSecure = from.protocol === 'https:'
  if (text && URL.canParse(text, from)) {
    const to = new URL(text, from)
    if (isSecure && to.protocol === 'http:' && from.hostname === to.hostname) {
      to.protocol = from.protocol
      to.port = from.port
    }
    if (to.protocol === 'https:' || (to.protocol === 'http:' && !isSecure)) return to.href
  }
  const { status } = response
  const url = shownUrl(from.href)
  throw new TransferError(
    'protocol',
    `${url} answered ${status} with an unusable Location "${shownUrl(text)}"`,
    {
      status,
      url,
      // A server that is not one of tus would be asked for ever.
      isFinal: response.header('Tus-Resumable') === undefined || undefined,
      hint: 'Is this a tus server, and does CORS expose Location?',
    },
  )
}

/**
 * A date the server wrote, on our clock: what its own `Date` says about the difference is taken off.
 *
 * HTTP dates (RFC 9110 §5.6.7) but asctime's, which nobody sends: the parser of servers is large for a browser.
 */
function momentOf(response: ResponseHead, name: string, nowMs: number): number | undefined {
  const [atMs = NaN, serverNowMs] = [name, 'Date'].map((name) => {
    const text = response.header(name) ?? ''
    return /^[A-Z][a-z]+, .+ GMT$/.test(text) ? Date.parse(text) : NaN
  })
  return atMs + nowMs - (serverNowMs || nowMs) || undefined
}
