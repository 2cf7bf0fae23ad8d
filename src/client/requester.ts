import type { Clock } from '../core/ports/clock.ts'
import { abortable } from './abortable.ts'
import { Auth } from './auth.ts'
import { TransferError, isTransferError } from './errors.ts'
import type { ExchangeRecord } from './exchange-log.ts'
import { ExchangeLog, answered, shownUrl } from './exchange-log.ts'
import type { OutgoingRequest, RequestOptions } from './options.ts'
import type { Platform } from './ports/platform.ts'
import type { Slice } from './ports/source.ts'
import type { ResponseHead, TransportResponse } from './ports/transport.ts'
import { refusalOf } from './refusal.ts'
import { watchedSend } from './watched-send.ts'

/** One request as the protocol wants it. */
export interface Call {
  /** The real one; whether it is overridden is the requester's business. */
  readonly method: string
  readonly url: string
  /** The protocol's fields. They win over the caller's. */
  readonly headers?: Readonly<Record<string, string>>
  /** A function: after a 401 the content is sent once more. */
  readonly body?: () => Promise<Slice>
  readonly signal: AbortSignal
  /** Bytes of the body that have left. Begins anew when the content is sent once more. */
  onSent?(bytes: number): void
  /** Called for the content of a 2xx answer; what it throws ends the request and is thrown as it is. */
  onData?(chunk: Uint8Array, response: ResponseHead): void | Promise<void>
}

const OVERRIDDEN = /^(PATCH|HEAD|DELETE)$/
const REQUEST_ID = 'X-Request-ID'

/** Sends requests with the caller's headers, credentials and hooks, watches over them and remembers them. */
export class Requester {
  readonly clock: Clock
  readonly #platform: Pick<Platform, 'transport' | 'newId'>
  readonly #options: RequestOptions
  readonly #log = new ExchangeLog()
  readonly #requestIds = new WeakMap<Call, string | undefined>()

  /** `options.signal` is not watched here: each call brings its own. */
  constructor(platform: Pick<Platform, 'transport' | 'clock' | 'newId'>, options: RequestOptions) {
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
    const auth = this.#options.auth === undefined ? undefined : Auth.of(this.#options.auth)
    const first = await this.#exchange(call, () => auth?.value())
    if (first.response.status !== 401 || auth === undefined || first.authorization === undefined) {
      return first.response
    }
    const renewed = await this.#asked('auth', call.signal, () => auth.renewed(first.authorization ?? ''))
    if (renewed === first.authorization) return first.response
    const second = await this.#exchange(call, () => renewed)
    return second.response
  }

  /** The last 50 exchanges, oldest first, without secrets. */
  report(): readonly ExchangeRecord[] {
    return this.#log.list()
  }

  /**
   * Makes the error for an answer that is not what was wanted: `protocol` for a 2xx, else `server`.
   *
   * @param what - What could not be done, as the beginning of the message.
   */
  refusal(call: Call, response: TransportResponse, what: string): TransferError {
    return refusalOf(this.#shown(call), response, { what, nowMs: this.clock.nowMs() })
  }

  async #exchange(
    call: Call,
    authorize: () => string | undefined | Promise<string | undefined>,
  ): Promise<{ readonly response: TransportResponse; readonly authorization: string | undefined }> {
    const { signal } = call
    signal.throwIfAborted()
    // First, because a slow stream may fill its slice for longer than a token lives.
    const body = await call.body?.()
    const authorization = await this.#asked('auth', signal, authorize)
    const request = await this.#outgoing(call, authorization)
    await hooked(signal, () => this.#options.beforeRequest?.(request))
    this.#requestIds.set(call, request.headers.get(keyOf(request.headers, REQUEST_ID)))
    const response = await this.#recorded(call, request, body)
    await hooked(signal, () => this.#options.afterResponse?.(request, response))
    return { response, authorization }
  }

  async #outgoing(call: Call, authorization: string | undefined): Promise<OutgoingRequest> {
    const { headers: given, requestIds, methodOverride } = this.#options
    const own = typeof given === 'function' ? await this.#asked('headers', call.signal, given) : given
    const isOverridden = methodOverride === true && OVERRIDDEN.test(call.method)
    const headers = new Map<string, string>()
    const add = (name: string, value: string): void => {
      // The same name in another case is replaced, not sent twice.
      headers.delete(keyOf(headers, name))
      headers.set(name, value)
    }
    for (const [name, value] of Object.entries(own ?? {})) add(name, value)
    for (const [name, value] of Object.entries(call.headers ?? {})) add(name, value)
    if (authorization !== undefined) add('Authorization', authorization)
    if (requestIds === true) add(REQUEST_ID, this.#platform.newId())
    if (isOverridden) add('X-HTTP-Method-Override', call.method)
    return { method: isOverridden ? 'POST' : call.method, url: call.url, headers }
  }

  /** Asks the caller's function. Such a function often asks a server itself: its failures may pass like a line's. */
  async #asked<T>(option: string, signal: AbortSignal, ask: () => T | Promise<T>): Promise<T> {
    try {
      return await hooked(signal, ask)
    } catch (cause) {
      if (signal.aborted || isTransferError(cause)) throw cause
      throw new TransferError('network', `${option}() failed: ${String(cause)}`, { cause })
    }
  }

  async #recorded(call: Call, request: OutgoingRequest, body: Slice | undefined): Promise<TransportResponse> {
    const { signal } = call
    const onData: Call['onData'] = call.onData && ((chunk, head) => call.onData?.(chunk, head))
    const record = this.#log.begin(request, this.clock.nowMs())
    const onSent = (bytes: number): void => {
      record.sentBytes = bytes
      call.onSent?.(bytes)
    }
    const tools = { transport: this.#platform.transport, clock: this.clock, limits: this.#options }
    try {
      const response = await watchedSend(
        { ...request, body, signal, onSent, ...(onData && { onData }) },
        tools,
      )
      answered(record, response)
      return response
    } catch (cause) {
      const error = signal.aborted ? signal.reason : this.#inContext(cause, call)
      record.error = String(error)
      throw error
    } finally {
      record.durationMs = this.clock.nowMs() - record.startedAtMs
    }
  }

  /** Says which request it was. Errors of the source and of the caller's functions speak for themselves. */
  #inContext(error: unknown, call: Call): unknown {
    if (!isTransferError(error) || error.code === 'source' || error.url !== undefined) return error
    const { code, hint, message, cause = error } = error
    const shown = this.#shown(call)
    return new TransferError(code, `${shown.method} ${shown.url}: ${message}`, { ...shown, hint, cause })
  }

  #shown(call: Call): {
    readonly method: string
    readonly url: string
    readonly requestId: string | undefined
  } {
    return { method: call.method, url: shownUrl(call.url), requestId: this.#requestIds.get(call) }
  }
}

async function hooked<T>(signal: AbortSignal, hook: () => T | Promise<T>): Promise<T> {
  return await abortable(Promise.resolve(hook()), signal)
}

/** The key under which a field stands already, in whatever case; else the name as given. */
function keyOf(headers: ReadonlyMap<string, string>, name: string): string {
  for (const key of headers.keys()) if (key.toLowerCase() === name.toLowerCase()) return key
  return name
}
