import type { Clock } from '../core/ports/clock.ts'
import { abortable } from './abortable.ts'
import { tokenOf } from './auth.ts'
import { TransferError, isTransferError } from './errors.ts'
import type { TransferErrorDetails } from './errors.ts'
import type { OutgoingRequest, RequestOptions } from './options.ts'
import type { Platform } from './ports/platform.ts'
import type { Slice } from './ports/source.ts'
import type { ResponseHead, TransportResponse } from './ports/transport.ts'
import { shownUrl } from './shown.ts'
import { isSuccess, retryAfterMsOf } from './tus-answers.ts'
import { watchedSend } from './watched-send.ts'

/** What is `undefined`, `false`, `NaN` or empty is left out. */
type Fields = Readonly<Record<string, string | number | false | undefined>>

/** One request as the protocol wants it. */
export interface Call {
  /** The real one; whether it is overridden is the requester's business. */
  readonly method: string
  readonly url: string
  /** The protocol's fields but `Tus-Resumable`. They win over the caller's. */
  readonly headers?: Fields
  /** A function: after a 401 the content is sent once more. */
  readonly body?: (() => Promise<Slice>) | undefined
  readonly signal: AbortSignal
  /** Bytes of the body that have left. Begins anew when the content is sent once more. */
  readonly onSent?: ((bytes: number) => void) | undefined
  /** Called for the content of a 2xx answer; what it throws ends the request and is thrown as it is. */
  readonly onData?: ((chunk: Uint8Array, response: ResponseHead) => void | Promise<void>) | undefined
  /** Set when it is sent. */
  requestId?: string | undefined
  token?: Promise<string> | undefined
}

export type RequestPlatform = Pick<Platform, 'transport' | 'clock' | 'newId'> &
  Partial<Pick<Platform, 'features'>>

const REQUEST_ID = 'X-Request-ID'
const SHOWN_CHARACTERS = 200

/** Sends requests with the caller's headers, credentials and hooks, and watches over them. */
export class Requester {
  readonly clock: Clock
  readonly #platform: RequestPlatform
  readonly #options: RequestOptions

  /** `options.signal` is not watched here: each call brings its own. */
  constructor(platform: RequestPlatform, options: RequestOptions) {
    this.clock = platform.clock
    this.#platform = platform
    this.#options = options
  }

  /**
   * Sends one request, and once more with new credentials when the first were refused by 401.
   *
   * @returns Any answer, whatever its status.
   * @throws {TransferError} `network`, `timeout`, `stall` or `source`.
   * @throws `call.signal.reason` when aborted. No timer and no listener is left.
   * @throws What `beforeRequest`, `afterResponse` and `onData` throw, as it is.
   */
  async send(call: Call): Promise<TransportResponse> {
    const { auth } = this.#options
    const response = await this.#exchange(call)
    if (!auth || response.status !== 401) return response
    const refused = call.token
    const renewed = await asked(call, () => tokenOf(auth, refused))
    return renewed === (await refused) ? response : await this.#exchange(call)
  }

  /**
   * Makes the error for an answer that is not what was wanted: `protocol` for a 2xx, else `server`.
   *
   * @param what - What could not be done, as the beginning of the message.
   * @param text - What the server said.
   */
  refusal(
    call: Call,
    response: TransportResponse,
    what: string,
    text: string = response.text,
  ): TransferError {
    const { clock, features } = this.#platform
    const { status } = response
    const facts = shown(call)
    const body = printable(text)
    const isPage = body.startsWith('<')
    const message = `${what}: ${facts.method} ${facts.url} answered ${status}`
    return new TransferError(
      isSuccess(response) ? 'protocol' : 'server',
      body && !isPage ? `${message}: ${body}` : message,
      {
        ...facts,
        status,
        body: body || undefined,
        hint: features?.hints?.(response, isPage),
        requestId: response.header(REQUEST_ID) ?? facts.requestId,
        retryAfterMs: retryAfterMsOf(response, clock.nowMs()),
      },
    )
  }

  async #exchange(call: Call): Promise<TransportResponse> {
    const { signal } = call
    const { auth, beforeRequest, afterResponse, headers } = this.#options
    // First, because a slow stream may fill its slice for longer than a token lives.
    const body = await call.body?.()
    const token = (call.token = auth && tokenOf(auth))
    const [authorization, own] = await asked(
      call,
      async () => [await token, await (typeof headers === 'function' ? headers() : headers)] as const,
    )
    const request = this.#outgoing(call, own, authorization)
    await abortable(beforeRequest?.(request), signal)
    call.requestId = request.headers.get(keyOf(request.headers, REQUEST_ID))
    try {
      const response = await watchedSend({ ...call, ...request, body }, this.#platform, this.#options)
      await abortable(afterResponse?.(request, response), signal)
      return response
    } catch (error) {
      throw signal.aborted ? error : inContext(error, call)
    }
  }

  #outgoing(
    { method, url, headers: fields, body: hasBody }: Call,
    own: Fields | undefined,
    authorization: string | undefined,
  ): OutgoingRequest {
    const { requestIds, methodOverride } = this.#options
    const isOverridden = methodOverride && /PATCH|HEAD|DELETE/.test(method)
    const headers = new Map<string, string>()
    const protocol: Fields = {
      // tus 1.0 §Tus-Resumable: not on OPTIONS; GET is none of its methods.
      'Tus-Resumable': !/GET|OPTIONS/.test(method) && '1.0.0',
      ...fields,
      'Content-Type': hasBody && 'application/offset+octet-stream',
      Authorization: authorization,
      [REQUEST_ID]: requestIds && this.#platform.newId(),
      'X-HTTP-Method-Override': isOverridden && method,
    }
    for (const [name, value] of [own, protocol].flatMap((fields = {}) => Object.entries(fields))) {
      if (!value && value !== 0) continue
      // The same name in another case is replaced, not sent twice.
      headers.delete(keyOf(headers, name))
      headers.set(name, `${value}`)
    }
    return { method: isOverridden ? 'POST' : method, url, headers }
  }
}

/** Asks the caller's functions. They often ask a server themselves: their failures may pass like a line's. */
async function asked<T>({ signal }: Call, ask: () => Promise<T>): Promise<T> {
  try {
    return await abortable(ask(), signal)
  } catch (cause) {
    if (signal.aborted || isTransferError(cause)) throw cause
    throw new TransferError('network', `auth or headers failed: ${String(cause)}`, { cause })
  }
}

/** Says which request it was. Errors of the source and of the caller's functions speak for themselves. */
function inContext(error: unknown, call: Call): unknown {
  if (!isTransferError(error) || error.code === 'source' || error.url) return error
  const facts = shown(call)
  return Object.assign(error, facts, { message: `${facts.method} ${facts.url}: ${error.message}` })
}

function shown({ method, url, requestId }: Call): Pick<TransferErrorDetails, 'method' | 'url' | 'requestId'> {
  return { method, url: shownUrl(url), requestId }
}

/** The beginning of a server's text on one line, without what could move a terminal's cursor or hide text. */
function printable(text: string): string {
  // A pair cut in two is not printable either.
  const start = text.slice(0, SHOWN_CHARACTERS)
  return start.replace(/[\p{C}\s]+/gu, ' ').trim()
}

/** The key under which a field stands already, in whatever case; else the name as given. */
function keyOf(headers: ReadonlyMap<string, string>, name: string): string {
  return [...headers.keys()].find((key) => key.toLowerCase() === name.toLowerCase()) ?? name
}
