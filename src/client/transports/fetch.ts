import { abortable, onAbort } from '../abortable.ts'
import { TransferError } from '../errors.ts'
import type { Slice } from '../ports/source.ts'
import type { ResponseHead, Transport, TransportRequest, TransportResponse } from '../ports/transport.ts'
import { wholeOf } from '../slice-bytes.ts'
import { noAnswer } from './no-answer.ts'

export interface FetchTransportOptions {
  /** Sends cookies to other origins too. @default false */
  readonly withCredentials?: boolean | undefined
  /** Instead of the platform's. */
  readonly fetch?: typeof fetch | undefined
}

/** What `fetch` is given for a body; a stream tells its failure aside, because `fetch` hides it. */
export interface FetchBody {
  readonly body: Blob | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>
  readonly duplex?: 'half'
  failure?(): unknown
}

const TEXT_CHARACTERS = 64 * 1024

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
  bodyOf: (slice: Slice, signal: AbortSignal) => Promise<FetchBody> = gathered,
): Transport {
  const credentials = options.withCredentials ? 'include' : 'same-origin'
  return {
    reportsSent: false,
    async send(request) {
      request.signal.throwIfAborted()
      // Also ends the sending of a body when the answer came first.
      const ending = new AbortController()
      const { signal } = ending
      const leave = onAbort(request.signal, () => ending.abort(request.signal.reason))
      const exchange = async (): Promise<TransportResponse> => {
        const { method, url, headers } = request
        const redirect = /GET|HEAD|OPTIONS/.test(method) ? 'follow' : 'manual'
        const body = request.body && (await bodyOf(request.body, signal))
        const init = {
          method,
          headers: [...headers] as [string, string][],
          redirect,
          credentials,
          signal,
          ...body,
        } as const
        const response = await (options.fetch ?? fetch)(url, init).catch((error: unknown) => {
          throw body?.failure?.() ?? noAnswer(url, error)
        })
        return await receive(response, request)
      }
      try {
        return await abortable(exchange(), request.signal)
      } finally {
        leave()
        ending.abort()
      }
    },
    close: async () => undefined,
  }
}

async function gathered(slice: Slice, signal: AbortSignal): Promise<FetchBody> {
  return { body: await wholeOf(slice, signal) }
}

async function receive(response: Response, request: TransportRequest): Promise<TransportResponse> {
  const { url, onData, method } = request
  if (response.type === 'opaqueredirect') {
    throw new TransferError('protocol', `the server redirects ${method} elsewhere`, {
      hint: 'Use the address it redirects to.',
    })
  }
  const head: ResponseHead = {
    status: response.status,
    url: response.url || url,
    header: (name) => response.headers.get(name) ?? undefined,
  }
  const reader = response.body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  if (!reader) return { ...head, text }
  while (text.length < TEXT_CHARACTERS) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw noAnswer(url, error)
    })
    if (done) break
    request.signal.throwIfAborted()
    if (onData) await onData(value, head)
    else text += decoder.decode(value, { stream: true })
  }
  return { ...head, text: text.slice(0, TEXT_CHARACTERS) }
}
