import { onAbort } from '../abortable.ts'
import type { Slice } from '../ports/source.ts'
import type { Transport, TransportRequest, TransportResponse } from '../ports/transport.ts'
import { noAnswer } from './no-answer.ts'

export interface XhrTransportOptions {
  /** Sends cookies to other origins too. @default false */
  readonly withCredentials?: boolean | undefined
}

const TEXT_CHARACTERS = 64 * 1024

/**
 * The transport of pages: only `XMLHttpRequest` tells there how much of a body has been sent, and it sends a Blob
 * without copying it.
 *
 * The browser follows redirects by itself. Requests with `onData` cannot be sent: answers come as a whole.
 *
 * @param bodyOf - Turns a slice into a body. By default slices are Blobs or bytes, as they are where nothing is read
 *   piece by piece.
 */
export function xhrTransport(
  { withCredentials = false }: XhrTransportOptions = {},
  bodyOf: (slice: Slice, signal: AbortSignal) => Body | Promise<Body> = simpleBody,
): Transport {
  return {
    reportsSent: true,
    async send(request) {
      const { body, signal } = request
      signal.throwIfAborted()
      return await exchange(request, body && (await bodyOf(body, signal)), withCredentials)
    },
    close: async () => undefined,
  }
}

type Body = Blob | Uint8Array<ArrayBuffer>

function simpleBody({ content }: Slice): Body {
  if (content.kind === 'chunks') throw new TypeError('this transport takes Blobs and bytes only')
  return content.kind === 'blob' ? content.blob : content.bytes
}

function exchange(
  request: TransportRequest,
  content: Body | undefined,
  withCredentials: boolean,
): Promise<TransportResponse> {
  const { method, url, headers, body, signal } = request
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest()
    xhr.open(method, url)
    xhr.withCredentials = withCredentials
    for (const [name, value] of headers) xhr.setRequestHeader(name, value)
    // Listeners of `upload` make a browser ask before sending (CORS preflight): only requests with a body have them.
    if (body) {
      xhr.upload.addEventListener('progress', ({ loaded }) => request.onSent?.(loaded))
      xhr.upload.addEventListener('load', () => request.onSent?.(body.sizeBytes))
    }
    const leave = onAbort(signal, () => {
      reject(signal.reason)
      xhr.abort()
    })
    // Comes after load, error, timeout and abort. Only an answer has a status; the events of failures carry no
    // reason, so an Error is made here: of anything else nobody could tell whether to try again.
    xhr.onloadend = () => {
      leave()
      if (xhr.status) resolve(responseOf(xhr, url))
      else reject(noAnswer(url))
    }
    if (!signal.aborted) xhr.send(content ?? null)
  })
}

function responseOf(xhr: XMLHttpRequest, url: string): TransportResponse {
  const lines = xhr.getAllResponseHeaders()
  return {
    status: xhr.status,
    url: xhr.responseURL || url,
    // Asking for a header that CORS hides writes an error to the console; the list of the visible ones does not.
    header: (name) =>
      new RegExp(`^${name}:`, 'im').test(lines) ? (xhr.getResponseHeader(name) ?? undefined) : undefined,
    text: xhr.responseText.slice(0, TEXT_CHARACTERS),
  }
}
