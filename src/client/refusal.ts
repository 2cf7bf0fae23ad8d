import type { TransferErrorDetails } from './errors.ts'
import { TransferError } from './errors.ts'
import type { Features } from './ports/features.ts'
import type { TransportResponse } from './ports/transport.ts'
import { isSuccess, retryAfterMsOf } from './tus-answers.ts'

/** Which request was refused, fit to be shown. */
export type RefusedCall = Pick<TransferErrorDetails, 'method' | 'url' | 'requestId'>

export interface Refusal {
  /** What could not be done. */
  readonly what: string
  readonly nowMs: number
  readonly hints: Features['hints']
}

const SHOWN_CHARACTERS = 200

/** Makes the error for an answer that is not what was wanted. */
export function refusalOf(
  call: RefusedCall,
  response: TransportResponse,
  { what, nowMs, hints }: Refusal,
): TransferError {
  const { status } = response
  const body = printable(response.text)
  const isHtml = /html/i.test(response.header('Content-Type') + body.slice(0, 20))
  const message = `${what}: ${call.method} ${call.url} answered ${status}`
  return new TransferError(
    isSuccess(response) ? 'protocol' : 'server',
    body && !isHtml ? `${message}: ${body}` : message,
    {
      ...call,
      status,
      body: body || undefined,
      hint: hints?.(response, isHtml),
      requestId: response.header('X-Request-ID') ?? call.requestId,
      retryAfterMs: retryAfterMsOf(response, nowMs),
    },
  )
}

/** The beginning of a server's text on one line, without what could move a terminal's cursor or hide text. */
function printable(text: string): string {
  // Cut first: the text may be long. A pair cut in two is not printable either.
  const line = text.slice(0, 1000).replace(/[\p{C}\s]+/gu, ' ')
  return line
    .trim()
    .slice(0, SHOWN_CHARACTERS)
    .replace(/[\uD800-\uDBFF]$/, '')
}
