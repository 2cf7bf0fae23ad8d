import { parseDecimal } from '../protocol/integer.ts'
import { metadataRecord, parseMetadata } from '../protocol/metadata.ts'
import { TransferError } from './errors.ts'
import { shownUrl } from './exchange-log.ts'
import type { ResponseHead } from './ports/transport.ts'

// A slip of a server's clock, or of its operator, must not put an upload to sleep for a year.
const LONGEST_RETRY_AFTER_MS = 60 * 60 * 1000

/** `Upload-Offset` in bytes; `undefined` if missing or malformed. It is never taken for 0 (tus 1.0 §HEAD). */
export function offsetOf(response: ResponseHead): number | undefined {
  return integerOf(response, 'Upload-Offset')
}

/** `Upload-Length` in bytes; `undefined` while the length is deferred. */
export function lengthOf(response: ResponseHead): number | undefined {
  return integerOf(response, 'Upload-Length')
}

/** `Upload-Expires` as Unix time in milliseconds. */
export function expiresAtMsOf(response: ResponseHead, nowMs: number = Date.now()): number | undefined {
  return momentOf(response, 'Upload-Expires', nowMs)
}

/** `Upload-Metadata`, values as text; `undefined` if missing or malformed. */
export function metadataOf(response: ResponseHead): Readonly<Record<string, string>> | undefined {
  const parsed = parseMetadata(response.header('Upload-Metadata') ?? '')
  return parsed.ok ? metadataRecord(parsed.value) : undefined
}

/** `Retry-After`, seconds or a date (RFC 9110 §10.2.3), as a delay of at most an hour. */
export function retryAfterMsOf(response: ResponseHead, nowMs: number): number | undefined {
  const seconds = integerOf(response, 'Retry-After')
  const atMs = seconds === undefined ? momentOf(response, 'Retry-After', nowMs) : nowMs + seconds * 1000
  return atMs === undefined ? undefined : Math.min(Math.max(atMs - nowMs, 0), LONGEST_RETRY_AFTER_MS)
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
  const base = URL.canParse(requestUrl) ? requestUrl : response.url
  if (text !== '' && URL.canParse(text, base)) {
    const [from, to] = [new URL(base), new URL(text, base)]
    const isSecure = from.protocol === 'https:'
    if (isSecure && to.protocol === 'http:' && from.hostname === to.hostname) {
      to.protocol = from.protocol
      to.port = from.port
    }
    if (to.protocol === 'https:' || (to.protocol === 'http:' && !isSecure)) return to.href
  }
  const { status } = response
  const [url, location] = [shownUrl(base), shownUrl(text)]
  throw new TransferError('protocol', `${url} answered ${status} with an unusable Location "${location}"`, {
    status,
    url,
    hint: 'Is this a tus server? It must know its public address and expose Location (CORS).',
  })
}

function integerOf(response: ResponseHead, name: string): number | undefined {
  const parsed = parseDecimal(response.header(name) ?? '')
  return parsed.ok ? parsed.value : undefined
}

/** A date the server wrote, on our clock: what its own `Date` says about the difference is taken off. */
function momentOf(response: ResponseHead, name: string, nowMs: number): number | undefined {
  const atMs = dateOf(response, name)
  const serverNowMs = dateOf(response, 'Date')
  return atMs === undefined || serverNowMs === undefined ? atMs : atMs + nowMs - serverNowMs
}

/** An HTTP date (RFC 9110 §5.6.7), except asctime's, which nobody sends: the parser of servers is large for a browser. */
function dateOf(response: ResponseHead, name: string): number | undefined {
  const text = response.header(name) ?? ''
  const timeMs = /^[A-Z][a-z]+, .+ GMT$/.test(text) ? Date.parse(text) : NaN
  return Number.isNaN(timeMs) ? undefined : timeMs
}
