import { abortable } from '../abortable.ts'
import type { Slice } from '../ports/source.ts'
import type { ResponseHead, Transport, TransportRequest, TransportResponse } from '../ports/transport.ts'
import { wholeOf } from '../slice-bytes.ts'
import { noAnswer } from './no-answer.ts'
import { TEXT_CHARACTERS } from './xhr.ts'

export interface FetchTransportOptions {
  /** Sends cookies to other origins too. @default false */
  readonly withCredentials?: boolean | undefined
  /** Instead of the platform's. */
  readonly fetch?: typeof fetch | undefined
}

/**
 * A transport over `fetch`, for workers, and downloads in a page.
 *
 * It cannot tell how much of a body has been sent. Redirects of other methods than GET, HEAD and OPTIONS are answers.
 *
 * @param bodyOf - Turns a slice into a body. By default what is no Blob is gathered in memory: most browsers send
 *   nothing else, and a stream goes out without a length, which some servers refuse.
 */
export function fetchTransport(
  options: FetchTransportOptions = {},
  bodyOf: (slice: Slice, signal: AbortSignal) => Promise<BodyInit> = wholeOf,
): Transport {
  const send = async (request: TransportRequest): Promise<TransportResponse> => {
    const { method, url, headers, body, signal, onData } = request
    const response = await (options.fetch ?? fetch)(url, {
      method,
      headers: [...headers] as [string, string][],
      redirect: /GET|HEAD|OPTIONS/.test(method) ? 'follow' : 'manual',
      credentials: options.withCredentials ? 'include' : 'same-origin',
      signal,
      body: body ? await bodyOf(body, signal) : null,
    }).catch(fail)
    const head: ResponseHead = {
      // Browsers hide the status of a redirect that they do not follow.
      status: response.status || 302,
      url: response.url || url,
      header: (name) => response.headers.get(name) ?? undefined,
    }
    const reader = response.body?.getReader()
    const decoder = new TextDecoder()
    let text = ''
    while (text.length < TEXT_CHARACTERS) {
      const value = (await reader?.read().catch(fail))?.value
      if (!value) break
      signal.throwIfAborted()
      if (onData) await onData(value, head)
      else text += decoder.decode(value, { stream: true })
    }
    return { ...head, text: text.slice(0, TEXT_CHARACTERS) }
  }
  return {
    reportsSent: false,
    send: (request) => abortable(send(request), request.signal),
    async close() {},
  }
}

function fail(cause: unknown): never {
  throw noAnswer(cause)
}
