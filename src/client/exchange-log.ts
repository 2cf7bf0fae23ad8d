import type { Clock } from '../core/ports/clock.ts'
import type { Transport } from './ports/transport.ts'
import { shownUrl } from './shown.ts'

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

/** Remembers the last exchanges: what to look at, and to send along, when an upload fails. */
export interface ExchangeLog {
  /** Sends and remembers. */
  readonly transport: Transport
  /** Oldest first; copies. */
  list(): readonly ExchangeRecord[]
}

const KEPT = 50
const SECRET = /auth|cookie|token|secret|pass|sign|session|cred|key/i
const SHOWN =
  'Location Upload-Offset Upload-Length Upload-Expires Tus-Resumable Retry-After Content-Type Content-Range Date Server Via X-Request-ID'

export function exchangeLog(transport: Transport, clock: Clock): ExchangeLog {
  const records: ExchangeRecord[] = []
  return {
    transport: {
      reportsSent: transport.reportsSent,
      close: () => transport.close(),
      async send(request) {
        const startedAtMs = clock.nowMs()
        const record = {
          startedAtMs,
          method: request.method,
          url: shownUrl(request.url),
          requestHeaders: shownFields(request.headers),
          sentBytes: 0,
        }
        if (records.push(record) > KEPT) records.shift()
        const onSent = (bytes: number): void => {
          record.sentBytes = bytes
          request.onSent?.(bytes)
        }
        const end = (facts: Partial<ExchangeRecord>): unknown =>
          Object.assign(record, facts, { durationMs: clock.nowMs() - startedAtMs })
        try {
          const response = await transport.send({ ...request, onSent })
          const fields = SHOWN.split(' ').map((name) => [name, response.header(name)] as const)
          end({ status: response.status, responseHeaders: shownFields(fields) })
          return response
        } catch (error) {
          end({ error: String(request.signal.reason ?? error) })
          throw error
        }
      },
    },
    list: () => records.map((record) => ({ ...record })),
  }
}

function shownFields(
  fields: Iterable<readonly [name: string, value: string | undefined]>,
): Readonly<Record<string, string>> {
  const shown: Record<string, string> = {}
  for (const [name, value] of fields) {
    if (value !== undefined)
      shown[name] = SECRET.test(name) ? '***' : name === 'Location' ? shownUrl(value) : value
  }
  return shown
}
