import { onAbort } from '../abortable.ts'
import type { Slice } from '../ports/source.ts'
import type { Transport, TransportRequest, TransportResponse } from '../ports/transport.ts'
import { noAnswer } from './no-answer.ts'

export interface XhrTransportOptions {
  /** Sends cookies to other origins too. @default false */
  readonly withCredentials?: boolean | undefined
}

/** What is read of an answer's text. */
export const TEXT_CHARACTERS: number = 64 * 1024

/**
 * The transport of pages: only `XMLHttpRequest` tells there how much of a body has been sent, and it sends a Blob
 * without copying it.
 *
 * The browser follows redirects by itself. Requests with `onData` cannot be sent: answers come as a whole.
 *
 * @param bodyOf - Turns a slice into a body.
 */
export function xhrTransport(
  { withCredentials = false }: XhrTransportOptions,
  bodyOf: (slice: Slice, signal: AbortSignal) => Body | Promise<Body>,
): Transport {
  return {
    reportsSent: true,
    async send(request) {
      const { body, signal } = request
      return await exchange(request, body && (await bodyOf(body, signal)), withCredentials)
    },
    async close() {},
  }
}

type Body = Blob | Uint8Array<ArrayBuffer>

function exchange(
  { method, url, headers, signal, onSent }: TransportRequest,
  body: Body | undefined,
  withCredentials: boolean,
): Promise<TransportResponse> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest()
    xhr.open(method, url)
    xhr.withCredentials = withCredentials
    for (const [name, value] of headers) xhr.setRequestHeader(name, value)
    // Listeners of `upload` make a browser ask before sending (CORS preflight): only requests with a body have them.
    for (const type of body ? (['progress', 'load'] as const) : [])
      xhr.upload.addEventListener(type, ({ loaded }) => onSent?.(loaded))
    const leave = onAbort(signal, () => {
      reject(signal.reason)
      xhr.abort()
    })
    // Comes after load, error, timeout and abort. Only an answer has a status; the events of failures carry no
    // reason, so an Error is made here: of anything else nobody could tell whether to try again.
    xhr.onloadend = () => {
      leave()
      if (xhr.status) resolve(responseOf(xhr, url))
      else reject(noAnswer())
    }
    if (!signal.aborted) xhr.send(body ?? null)
  })
}

function responseOf(xhr: XMLHttpRequest, url: string): TransportResponse {
  // Asking for a header that CORS hides writes an error to the console; the list of the visible ones does not.
  const lines = xhr.getAllResponseHeaders()
  return {
    status: xhr.status,
    url: xhr.responseURL || url,
    header: (name) => new RegExp(`^${name}: (.*)`, 'im').exec(lines)?.[1],
    text: xhr.responseText.slice(0, TEXT_CHARACTERS),
  }
}
