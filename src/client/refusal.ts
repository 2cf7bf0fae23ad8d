import type { TransferErrorDetails } from './errors.ts'
import { TransferError } from './errors.ts'
import type { TransportResponse } from './ports/transport.ts'
import { retryAfterMsOf } from './tus-answers.ts'

/** Which request was refused, fit to be shown. */
export type RefusedCall = Pick<TransferErrorDetails, 'method' | 'url' | 'requestId'>

const SHOWN_CHARACTERS = 200
const FOREIGN = 'This seems to be no tus server, or its CORS settings do not expose the headers.'
const CREDENTIALS = 'Check the credentials.'
const ABSENT = 'Check the address: nothing is there.'
const OTHER_CLIENT = 'Another client writes to this upload.'
const HINTS: Readonly<Record<number, string>> = {
  401: CREDENTIALS,
  403: CREDENTIALS,
  404: ABSENT,
  409: OTHER_CLIENT,
  410: ABSENT,
  413: 'Too large for the server or a proxy before it: try smaller chunks.',
  423: OTHER_CLIENT,
  429: 'Send fewer requests.',
}

/** Makes the error for an answer that is not what was wanted. `what` says what could not be done. */
export function refusalOf(
  call: RefusedCall,
  response: TransportResponse,
  { what, nowMs }: { readonly what: string; readonly nowMs: number },
): TransferError {
  const { status, text } = response
  const body = printable(text)
  const isHtml = body.startsWith('<') || /html/i.test(response.header('Content-Type') ?? '')
  const said = body === '' || isHtml ? '' : `: ${body}`
  const message = `${what}: ${call.method} ${call.url} answered ${status}${said}`
  return new TransferError(isSuccess(status) ? 'protocol' : 'server', message, {
    ...call,
    status,
    body: body || undefined,
    hint: hintFor(response, isHtml),
    requestId: response.header('X-Request-ID') ?? call.requestId,
    retryAfterMs: retryAfterMsOf(response, nowMs),
  })
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300
}

function hintFor(response: TransportResponse, isHtml: boolean): string | undefined {
  const { status } = response
  const versions = response.header('Tus-Version')
  if (status === 412 && versions !== undefined) return `The server speaks tus ${printable(versions)} only.`
  if (status >= 500) return 'The server, or a proxy before it, has trouble.'
  if (status >= 300 && status < 400) return 'The address has changed: follow the redirect.'
  const isForeign = isHtml || response.header('Tus-Resumable') === undefined
  return HINTS[status] ?? (isForeign ? FOREIGN : undefined)
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
