import { Agent } from 'node:http'
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import { Agent as SecureAgent } from 'node:https'
import { systemClock } from '../../core/system-clock.ts'
import { parseHttpDate } from '../../protocol/http-date.ts'
import { parseDecimal } from '../../protocol/integer.ts'
import { forwardedFields, forwardList } from '../forward.ts'
import { HookError, shownText } from '../ports/hook-error.ts'
import type { HookRetry } from '../ports/hook-error.ts'
import { isDecision } from '../hook-types.ts'
import { messageOf } from '../message.ts'
import { ACCEPTED, ANSWER_BYTES, parseHookText } from '../response.ts'
import type { HookCall, HookResponse, HookTransport } from '../ports/transport.ts'
import { triesOf, withTries } from '../tries.ts'
import type { Tries, TryOptions } from '../tries.ts'
import { codeOf, post } from './post.ts'
import type { PostAnswer } from './post.ts'
import { signer } from './signature.ts'
import type { Signer } from './signature.ts'

export interface HttpTransportOptions extends TryOptions {
  /** `http:` or `https:`. User name and password in it are sent as `Authorization: Basic`. */
  readonly url: string | URL
  /**
   * Header fields of the client's request that are sent along, with all their values. An event that was queued has
   * only those that may be stored: never cookies or `Authorization`.
   *
   * @default none
   */
  readonly forwardHeaders?: readonly string[] | undefined
  /**
   * Signs by Standard Webhooks: `whsec_` and Base64, or any text. Several while one replaces the other.
   *
   * @default no signature
   */
  readonly secret?: string | readonly string[] | undefined
  /** @default 'http' */
  readonly name?: string | undefined
}

/**
 * Hooks by HTTP: one POST of JSON per call, to one URL, over connections that are kept.
 *
 * A success is a 2xx whose body is empty or JSON; where nothing is decided the body is not looked at. Network errors,
 * 408, 425, 429 and 5xx are repeated. Redirects are not followed: the body has been sent to whom it was meant for.
 *
 * @throws {TypeError | RangeError} for an option that makes no sense.
 */
export function httpTransport(options: HttpTransportOptions): HookTransport {
  return new HttpTransport(options)
}

class HttpTransport implements HookTransport {
  readonly name: string
  readonly #url: URL
  readonly #authorization: string | undefined
  readonly #forward: readonly string[]
  readonly #signer: Signer | undefined
  readonly #tries: Tries
  readonly #agent: Agent

  constructor(options: HttpTransportOptions) {
    const { url, authorization } = splitCredentials(options.url)
    const { secret } = options
    this.name = options.name ?? 'http'
    this.#url = url
    this.#authorization = authorization
    this.#forward = forwardList(options.forwardHeaders)
    if (authorization !== undefined && this.#forward.includes('authorization')) {
      throw new TypeError('Authorization cannot be forwarded to a hook whose URL has credentials of its own')
    }
    this.#signer = secret === undefined ? undefined : signer(typeof secret === 'string' ? [secret] : secret)
    this.#tries = triesOf(options, systemClock)
    this.#agent =
      url.protocol === 'https:' ? new SecureAgent({ keepAlive: true }) : new Agent({ keepAlive: true })
  }

  async invoke(call: HookCall, signal: AbortSignal): Promise<HookResponse> {
    const body = messageOf(call)
    const who = this.#who(call)
    return withTries(this.#tries, { who, signal }, async (inner) => {
      const answer = await this.#post(call, body, inner)
      this.#checkStatus(answer, who)
      if (!isDecision(call.type)) return ACCEPTED
      if (answer.text === undefined) {
        throw new HookError('bad-answer', `${who} answered more than ${ANSWER_BYTES} bytes`, {
          retry: 'later',
        })
      }
      const response = parseHookText(answer.text)
      if (response.ok) return response.value
      const shown = shownText(answer.text)
      throw new HookError(
        'bad-answer',
        `The answer of ${who} is wrong: ${response.reason}. It begins: ${shown}`,
        {
          retry: 'later',
        },
      )
    })
  }

  async close(): Promise<void> {
    this.#agent.destroy()
  }

  /** The query may hold a token, and the credentials are gone already. */
  #who({ type }: HookCall): string {
    return `The hook ${type} at ${this.#url.origin}${this.#url.pathname}`
  }

  async #post(call: HookCall, body: string, signal: AbortSignal): Promise<PostAnswer> {
    const headers = this.#headers(call, body)
    try {
      return await post({
        url: this.#url,
        agent: this.#agent,
        headers,
        body,
        limitBytes: ANSWER_BYTES,
        signal,
      })
    } catch (cause) {
      const why = codeOf(cause) ?? 'the connection broke'
      throw new HookError('unreachable', `${this.#who(call)} cannot be reached: ${why}`, {
        retry: 'soon',
        cause,
      })
    }
  }

  #headers(call: HookCall, body: string): OutgoingHttpHeaders {
    const headers: OutgoingHttpHeaders = Object.create(null)
    headers['user-agent'] = 'carryon'
    for (const [name, values] of forwardedFields(call, this.#forward)) headers[name] = [...values]
    if (this.#authorization !== undefined) headers['authorization'] = this.#authorization
    headers['accept'] = 'application/json'
    headers['content-type'] = 'application/json'
    headers['content-length'] = Buffer.byteLength(body)
    headers['hook-name'] = call.type
    headers['idempotency-key'] = call.id
    return Object.assign(headers, this.#signer?.sign(call.id, this.#tries.clock.nowMs(), body))
  }

  #checkStatus({ status, headers, text }: PostAnswer, who: string): void {
    if (status >= 200 && status <= 299) return
    if (status >= 300 && status <= 399) {
      const message = `${who} answered ${status}: redirects are not followed, give the URL that it leads to`
      throw new HookError('refused', message, { retry: 'later' })
    }
    const shown = text === undefined || text.trim() === '' ? '' : `: ${shownText(text)}`
    const retryAfterMs = retryAfterOf(headers, this.#tries.clock.nowMs())
    throw new HookError('refused', `${who} answered ${status}${shown}`, {
      retry: retryOf(status),
      retryAfterMs,
    })
  }
}

function retryOf(status: number): HookRetry {
  // Standard Webhooks: 410 says that nothing more is wanted.
  if (status === 410) return 'never'
  const passes = status === 408 || status === 425 || status === 429 || status >= 500
  return passes ? 'soon' : 'later'
}

/** RFC 9110 §10.2.3: seconds or a date. */
function retryAfterOf(headers: IncomingHttpHeaders, nowMs: number): number | undefined {
  const text = headers['retry-after']
  if (text === undefined) return undefined
  const seconds = parseDecimal(text)
  if (seconds.ok) return seconds.value * 1000
  const date = parseHttpDate(text, nowMs)
  return date.ok ? Math.max(0, date.value - nowMs) : undefined
}

function splitCredentials(given: string | URL): { url: URL; authorization: string | undefined } {
  // Not quoted: there may be a password in it.
  if (!URL.canParse(String(given))) throw new TypeError('The address of the HTTP hooks is not a URL')
  const url = new URL(given)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new TypeError('The address of the HTTP hooks must begin with http:// or https://')
  }
  const { username, password } = url
  url.username = ''
  url.password = ''
  url.hash = ''
  if (username === '' && password === '') return { url, authorization: undefined }
  const pair = `${decoded(username)}:${decoded(password)}`
  return { url, authorization: `Basic ${Buffer.from(pair, 'utf8').toString('base64')}` }
}

/** A URL may hold a `%` that begins nothing. */
function decoded(text: string): string {
  return text.replaceAll(/(?:%[0-9A-Fa-f]{2})+/g, (encoded) => {
    try {
      return decodeURIComponent(encoded)
    } catch {
      return encoded
    }
  })
}
