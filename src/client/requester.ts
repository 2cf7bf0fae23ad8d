import type { Clock } from '../core/ports/clock.ts'
import { abortable } from './abortable.ts'
import { forgetToken, tokenOf } from './auth.ts'
import { TransferError, isTransferError } from './errors.ts'
import type { OutgoingRequest, RequestOptions } from './options.ts'
import type { Platform } from './ports/platform.ts'
import type { Slice } from './ports/source.ts'
import type { ResponseHead, TransportResponse } from './ports/transport.ts'
import { refusalOf } from './refusal.ts'
import type { RefusedCall } from './refusal.ts'
import { shownUrl } from './shown.ts'
import { watchedSend } from './watched-send.ts'

/** One request as the protocol wants it. */
export interface Call {
  /** The real one; whether it is overridden is the requester's business. */
  readonly method: string
  readonly url: string
  /** The protocol's fields but `Tus-Resumable`. They win over the caller's; what is `undefined` or empty is left out. */
  readonly headers?: Readonly<Record<string, string | number | undefined>>
  /** A function: after a 401 the content is sent once more. */
  readonly body?: (() => Promise<Slice>) | undefined
  readonly signal: AbortSignal
  /** Bytes of the body that have left. Begins anew when the content is sent once more. */
  readonly onSent?: ((bytes: number) => void) | undefined
  /** Called for the content of a 2xx answer; what it throws ends the request and is thrown as it is. */
  readonly onData?: ((chunk: Uint8Array, response: ResponseHead) => void | Promise<void>) | undefined
  /** Set when it is sent. */
  requestId?: string | undefined
}

export type RequestPlatform = Pick<Platform, 'transport' | 'clock' | 'newId'> &
  Partial<Pick<Platform, 'features'>>

interface Exchange {
  readonly response: TransportResponse
  /** What was sent as `Authorization`. */
  readonly token: Promise<string> | undefined
}

const REQUEST_ID = 'X-Request-ID'

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
    const { response, token } = await this.#exchange(call)
    if (response.status !== 401 || !auth) return response
    forgetToken(auth, token)
    const renewed = await asked('auth', call, () => tokenOf(auth))
    return renewed === (await token) ? response : (await this.#exchange(call)).response
  }

  /**
   * Makes the error for an answer that is not what was wanted: `protocol` for a 2xx, else `server`.
   *
   * @param what - What could not be done, as the beginning of the message.
   */
  refusal(call: Call, response: TransportResponse, what: string): TransferError {
    const { clock, features } = this.#platform
    return refusalOf(shown(call), response, { what, nowMs: clock.nowMs(), hints: features?.hints })
  }

  async #exchange(call: Call): Promise<Exchange> {
    const { signal, onSent, onData } = call
    const { auth, beforeRequest, afterResponse, headers } = this.#options
    signal.throwIfAborted()
    // First, because a slow stream may fill its slice for longer than a token lives.
    const body = await call.body?.()
    const token = auth && tokenOf(auth)
    const authorization = await asked('auth', call, () => token)
    const own = typeof headers === 'function' ? await asked('headers', call, headers) : headers
    const request = this.#outgoing(call, { own, authorization })
    await abortable(beforeRequest?.(request), signal)
    call.requestId = request.headers.get(keyOf(request.headers, REQUEST_ID))
    try {
      const sent = { ...request, body, signal, onSent, onData }
      const response = await watchedSend(sent, this.#platform, this.#options)
      await abortable(afterResponse?.(request, response), signal)
      return { response, token }
    } catch (error) {
      throw signal.aborted ? signal.reason : inContext(error, call)
    }
  }

  #outgoing(
    { method, url, headers: fields }: Call,
    { own, authorization }: { readonly own: Fields | undefined; readonly authorization: string | undefined },
  ): OutgoingRequest {
    const { requestIds, methodOverride } = this.#options
    const overridden = methodOverride && /PATCH|HEAD|DELETE/.test(method) ? method : undefined
    const headers = new Map<string, string>()
    const add = (fields: Fields = {}): void => {
      for (const [name, value] of Object.entries(fields)) {
        if (value === undefined || value === '') continue
        // The same name in another case is replaced, not sent twice.
        headers.delete(keyOf(headers, name))
        headers.set(name, `${value}`)
      }
    }
    add(own)
    add({
      // tus 1.0 §Tus-Resumable: not on OPTIONS; GET is none of its methods.
      'Tus-Resumable': /GET|OPTIONS/.test(method) ? undefined : '1.0.0',
      ...fields,
      Authorization: authorization,
      [REQUEST_ID]: requestIds ? this.#platform.newId() : undefined,
      'X-HTTP-Method-Override': overridden,
    })
    return { method: overridden ? 'POST' : method, url, headers }
  }
}

type Fields = Readonly<Record<string, string | number | undefined>>

/** Asks the caller's function. Such a function often asks a server itself: its failures may pass like a line's. */
async function asked<T>(option: string, { signal }: Call, ask: () => T | Promise<T>): Promise<T> {
  try {
    return await abortable(ask(), signal)
  } catch (cause) {
    if (signal.aborted || isTransferError(cause)) throw cause
    throw new TransferError('network', `${option}() failed: ${String(cause)}`, { cause })
  }
}

/** Says which request it was. Errors of the source and of the caller's functions speak for themselves. */
function inContext(error: unknown, call: Call): unknown {
  if (!isTransferError(error) || error.code === 'source' || error.url !== undefined) return error
  const facts = shown(call)
  return Object.assign(error, facts, { message: `${facts.method} ${facts.url}: ${error.message}` })
}

function shown({ method, url, requestId }: Call): RefusedCall {
  return { method, url: shownUrl(url), requestId }
}

/** The key under which a field stands already, in whatever case; else the name as given. */
function keyOf(headers: ReadonlyMap<string, string>, name: string): string {
  return [...headers.keys()].find((key) => key.toLowerCase() === name.toLowerCase()) ?? name
}
