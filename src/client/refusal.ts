import type { TransferErrorDetails } from './errors.ts'
import { TransferError } from './errors.ts'
import type { TransportResponse } from './ports/transport.ts'
import { isSuccess, retryAfterMsOf } from './tus-answers.ts'

/** Which request was refused, fit to be shown. */
export type RefusedCall = Pick<TransferErrorDetails, 'method' | 'url' | 'requestId'>

const SHOWN_CHARACTERS = 200
/** By the status, which has three digits. */
const HINTS: readonly (readonly [statuses: RegExp, hint: string])[] = [
  [/40[13]/, 'Check the credentials.'],
  [/404|410/, 'Check the address: nothing is there.'],
  [/413/, 'Too large for the server or a proxy: try smaller chunks.'],
  [/409|423/, 'Another client writes to this upload.'],
  [/429/, 'Send fewer requests.'],
  [/5../, 'The server, or a proxy before it, has trouble.'],
  [/3../, 'Follow the redirect.'],
]

/** Makes the error for an answer that is not what was wanted. `what` says what could not be done. */
export function refusalOf(
  call: RefusedCall,
  response: TransportResponse,
  { what, nowMs }: { readonly what: string; readonly nowMs: number },
): TransferError {
  const { status, text } = response
  const body = printable(text)
  const isHtml = body.startsWith('<') || /html/i.test(response.header('Content-Type') ?? '')
  const said = body && !isHtml ? `: ${body}` : ''
  const message = `${what}: ${call.method} ${call.url} answered ${status}${said}`
  return new TransferError(isSuccess(response) ? 'protocol' : 'server', message, {
    ...call,
    status,
    body: body || undefined,
    hint: hintFor(response, isHtml),
    requestId: response.header('X-Request-ID') ?? call.requestId,
    retryAfterMs: retryAfterMsOf(response, nowMs),
  })
}

function hintFor(response: TransportResponse, isHtml: boolean): string | undefined {
  const status = String(response.status)
  const versions = response.header('Tus-Version')
  if (status === '412' && versions) return `The server speaks tus ${printable(versions)} only.`
  const isForeign = isHtml || response.header('Tus-Resumable') === undefined
  return (
    HINTS.find(([statuses]) => statuses.test(status))?.[1] ??
    (isForeign ? 'This seems to be no tus server, or CORS hides its headers.' : undefined)
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
