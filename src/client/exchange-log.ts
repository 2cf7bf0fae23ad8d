import type { OutgoingRequest } from './options.ts'
import type { ResponseHead } from './ports/transport.ts'

/** One request and what became of it, fit to be shown: credentials are hidden. */
export interface ExchangeRecord {
  /** Unix time in milliseconds. */
  readonly startedAtMs: number
  /** `undefined` while it is under way. */
  readonly durationMs?: number
  /** As sent: POST where the method is overridden. */
  readonly method: string
  /** Without user information and query. */
  readonly url: string
  readonly requestHeaders: Readonly<Record<string, string>>
  /** Bytes of the body that left, where the transport tells. */
  readonly sentBytes: number
  readonly status?: number
  readonly responseHeaders?: Readonly<Record<string, string>>
  /** Why there was no answer. */
  readonly error?: string
}

/** A record that is still being written. */
export type OpenRecord = { -readonly [Key in keyof ExchangeRecord]: ExchangeRecord[Key] }

const KEPT = 50
const SECRET = /auth|cookie|token|secret|password|signature|session|credential|key/i
const SHOWN = [
  'Location',
  'Upload-Offset',
  'Upload-Length',
  'Upload-Expires',
  'Tus-Resumable',
  'Retry-After',
  'Content-Type',
  'Content-Range',
  'Date',
  'Server',
  'Via',
  'X-Request-ID',
]

/** The last exchanges: what to look at, and to send along, when an upload fails. */
export class ExchangeLog {
  readonly #records: OpenRecord[] = []

  begin({ method, url, headers }: OutgoingRequest, startedAtMs: number): OpenRecord {
    const shown = [...headers].map(([name, value]) => [name, SECRET.test(name) ? '***' : value])
    const requestHeaders: Record<string, string> = Object.fromEntries(shown)
    const record = { startedAtMs, method, url: shownUrl(url), requestHeaders, sentBytes: 0 }
    if (this.#records.push(record) > KEPT) this.#records.shift()
    return record
  }

  /** Oldest first; copies. */
  list(): readonly ExchangeRecord[] {
    return this.#records.map((record) => ({ ...record }))
  }
}

/** Notes the answer, as far as its fields tell something about uploads. */
export function answered(record: OpenRecord, response: ResponseHead): void {
  record.status = response.status
  const shown: Record<string, string> = {}
  for (const name of SHOWN) {
    const value = response.header(name)
    if (value !== undefined) shown[name] = name === 'Location' ? shownUrl(value) : value
  }
  record.responseHeaders = shown
}

/** A URL for messages: without user information, and without the query, which may be a signature. */
export function shownUrl(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:)?\/\/[^/?#]*@/i, '$1//').replace(/[?#].*/s, '?…')
}
