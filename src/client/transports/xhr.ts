import { TransferError } from '../errors.ts'
import type { Transport, TransportRequest, TransportResponse } from '../ports/transport.ts'
import { bytesOf } from '../slice-bytes.ts'
import { fetchTransport } from './fetch.ts'

export interface XhrTransportOptions {
  /** Sends cookies to other origins too. @default false */
  readonly withCredentials?: boolean | undefined
}

const TEXT_CHARACTERS = 64 * 1024

/**
 * The transport of pages: only `XMLHttpRequest` tells there how much of a body has been sent, and it sends a Blob
 * without copying it.
 *
 * The browser follows redirects by itself. Requests with `onData` go through `fetch`.
 */
export function xhrTransport(options: XhrTransportOptions = {}): Transport {
  const withCredentials = options.withCredentials === true
  return {
    reportsSent: true,
    async send(request) {
      const { body, signal } = request
      signal.throwIfAborted()
      if (request.onData !== undefined) return fetchTransport(options).send(request)
      const content =
        body?.content.kind === 'blob' ? body.content.blob : body && (await bytesOf(body, signal))
      signal.throwIfAborted()
      return exchange(request, content, withCredentials)
    },
    close: () => Promise.resolve(),
  }
}

function exchange(
  request: TransportRequest,
  content: Blob | Uint8Array<ArrayBuffer> | undefined,
  withCredentials: boolean,
): Promise<TransportResponse> {
  const { method, url, headers, signal } = request
  const xhr = new XMLHttpRequest()
  let abort = (): void => undefined
  const answer = new Promise<TransportResponse>((resolve, reject) => {
    abort = () => {
      reject(signal.reason)
      xhr.abort()
    }
    // Comes after load, error, timeout and abort. Only an answer has a status; the events of failures carry no
    // reason, so an Error is made here: of anything else nobody could tell whether to try again.
    xhr.addEventListener('loadend', () => {
      if (xhr.status === 0) reject(failure(request))
      else resolve(responseOf(xhr, url))
    })
    xhr.open(method, url)
    xhr.withCredentials = withCredentials
    for (const [name, value] of headers) xhr.setRequestHeader(name, value)
    if (content !== undefined) reportSent(xhr, request)
    signal.addEventListener('abort', abort, { once: true })
    xhr.send(content ?? null)
  })
  return answer.finally(() => signal.removeEventListener('abort', abort))
}

/** Listeners of `upload` make a browser ask before sending (CORS preflight): only requests with a body have them. */
function reportSent(xhr: XMLHttpRequest, request: TransportRequest): void {
  let sentBytes = 0
  const report = (bytes: number): void => {
    if (bytes > sentBytes && !request.signal.aborted) request.onSent?.((sentBytes = bytes))
  }
  xhr.upload.addEventListener('progress', (event) => report(event.loaded))
  xhr.upload.addEventListener('load', () => report(request.body?.sizeBytes ?? 0))
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

function failure({ method, url }: TransportRequest): TransferError {
  return new TransferError('network', `no answer from ${new URL(url).host}`, {
    hint: 'Is the server running, the network up, and this page allowed by its CORS rules?',
    method,
    url,
  })
}
