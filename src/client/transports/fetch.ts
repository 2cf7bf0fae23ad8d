import { abortable } from '../abortable.ts'
import { TransferError } from '../errors.ts'
import type { Slice } from '../ports/source.ts'
import type { ResponseHead, Transport, TransportRequest, TransportResponse } from '../ports/transport.ts'
import { bytesOf, chunksOf } from '../slice-bytes.ts'

export interface FetchTransportOptions {
  /** Sends cookies to other origins too. @default false */
  readonly withCredentials?: boolean | undefined
  /** Instead of the platform's. */
  readonly fetch?: typeof fetch | undefined
}

const TEXT_CHARACTERS = 64 * 1024
/** What is larger is streamed where that can be done: it goes out without a length, which some servers refuse. */
const GATHERED_BYTES = 16 * 1024 * 1024

/**
 * A transport over `fetch`, for Deno, Bun, workers, and downloads in a page.
 *
 * It cannot tell how much of a body has been sent. Redirects of other methods than GET, HEAD and OPTIONS are answers.
 * Slices of more than 16 MiB that are neither Blob nor bytes are streamed; browsers do that over HTTP/2 only.
 */
export function fetchTransport(options: FetchTransportOptions = {}): Transport {
  const call = options.fetch ?? globalThis.fetch.bind(globalThis)
  const credentials = options.withCredentials === true ? 'include' : 'same-origin'
  return {
    reportsSent: false,
    async send(request) {
      request.signal.throwIfAborted()
      // Also ends the sending of a body when the answer came first.
      const ending = new AbortController()
      const abort = (): void => ending.abort(request.signal.reason)
      request.signal.addEventListener('abort', abort)
      try {
        const answer = exchange(request, ending.signal, (init) => call(request.url, { ...init, credentials }))
        return await abortable(answer, request.signal)
      } finally {
        request.signal.removeEventListener('abort', abort)
        ending.abort()
      }
    },
    close: () => Promise.resolve(),
  }
}

async function exchange(
  request: TransportRequest,
  signal: AbortSignal,
  call: (init: RequestInit) => Promise<Response>,
): Promise<TransportResponse> {
  const { method, headers } = request
  let sourceFailure: unknown
  const body = request.body && (await bodyOf(request.body, signal, (error) => (sourceFailure = error)))
  const isFollowed = method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
  const redirect = isFollowed ? 'follow' : 'manual'
  const response = await call({ method, headers: [...headers], redirect, signal, ...body }).catch((error) => {
    throw sourceFailure ?? networkFailure(request, error)
  })
  if (response.type !== 'opaqueredirect') return receive(response, request)
  throw new TransferError('protocol', `the server redirects ${method} elsewhere`, {
    hint: 'Use the address it redirects to.',
    method,
    url: request.url,
  })
}

interface FetchBody {
  readonly body: Blob | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>
  readonly duplex?: 'half'
}

async function bodyOf(
  slice: Slice,
  signal: AbortSignal,
  onFailure: (error: unknown) => void,
): Promise<FetchBody> {
  if (slice.content.kind === 'blob') return { body: slice.content.blob }
  const isLarge = slice.content.kind === 'chunks' && slice.sizeBytes > GATHERED_BYTES
  if (!isLarge || !streamsBodies()) return { body: await bytesOf(slice, signal) }
  return { body: streamOf(slice, signal, onFailure), duplex: 'half' }
}

/** A browser that cannot stream a body does not look at `duplex` and makes text of the stream. */
function streamsBodies(): boolean {
  let looksAtDuplex = false
  const init = {
    method: 'POST',
    body: new ReadableStream(),
    get duplex(): 'half' {
      looksAtDuplex = true
      return 'half'
    },
  }
  return !new Request('http://localhost', init).headers.has('Content-Type') && looksAtDuplex
}

function streamOf(
  slice: Slice,
  signal: AbortSignal,
  onFailure: (error: unknown) => void,
): ReadableStream<Uint8Array> {
  const chunks = chunksOf(slice, signal)
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const next = await chunks.next()
        // A copy: nobody tells when a queued chunk has left, and the source may use its memory again.
        if (next.done !== true) controller.enqueue(new Uint8Array(next.value))
        else controller.close()
      } catch (error) {
        onFailure(error)
        throw error
      }
    },
    async cancel() {
      await chunks.return()
    },
  })
}

async function receive(response: Response, request: TransportRequest): Promise<TransportResponse> {
  const head: ResponseHead = {
    status: response.status,
    url: response.url || request.url,
    header: (name) => response.headers.get(name) ?? undefined,
  }
  const reader = response.body?.getReader()
  if (reader === undefined) return { ...head, text: '' }
  const decoder = new TextDecoder()
  let text = ''
  while (text.length < TEXT_CHARACTERS) {
    const { done, value } = await reader.read().catch((error) => {
      throw networkFailure(request, error)
    })
    if (done) break
    request.signal.throwIfAborted()
    if (request.onData === undefined) text += decoder.decode(value, { stream: true })
    else await request.onData(value, head)
  }
  return { ...head, text: text.slice(0, TEXT_CHARACTERS) }
}

function networkFailure({ method, url }: TransportRequest, cause: unknown): TransferError {
  return new TransferError('network', `no answer from ${new URL(url).host}`, {
    cause,
    hint: 'Is the server running, the network up, and this page allowed by its CORS rules?',
    method,
    url,
  })
}
