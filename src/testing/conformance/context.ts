import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Capabilities } from './capabilities.ts'
import type { Extension } from './case.ts'
import { answerOf, openRequest, type OpenRequest } from './exchange.ts'
import {
  expectNoHeader,
  expectOffset,
  expectSameBytes,
  expectStatus,
  expectThat,
  header,
  NotApplicable,
  offsetIn,
  Unmet,
  type Answer,
} from './expect.ts'
import { connect, type Connection, type Endpoint } from './wire.ts'
import { WireError } from './wire-response.ts'
import { compose, type ComposedRequest, type Fields, type RequestShape } from './wire-request.ts'

/** An upload that a case has created. */
export interface Upload {
  /** `Location` exactly as it came. */
  readonly location: string
  /** The location resolved against the creation URL. */
  readonly url: URL
  /** Its path (and query), ready to be sent. */
  readonly target: string
  /** The last segment of its path. */
  readonly id: string
  /** The answer that created it. */
  readonly created: Answer
}

/** A request by a case: to the creation URL, to an upload, or to a raw request target on the same server. */
export interface Ask extends Omit<RequestShape, 'target'> {
  readonly to?: Upload | string
}

export interface CreateOptions {
  /** Total length in bytes. */
  readonly length?: number
  /** Sends `Upload-Defer-Length: 1` in place of a length. */
  readonly defer?: boolean
  /** `Upload-Metadata`, verbatim. */
  readonly metadata?: string
  /** `Upload-Concat`, verbatim. */
  readonly concat?: string
  /** Part of the data, as creation-with-upload. */
  readonly body?: string | Uint8Array
}

/** What all cases of one run share. */
export interface Session {
  /** The creation URL. */
  readonly url: URL
  /** Fields the caller wants on every request, e.g. `Authorization`. Sent to the creation URL's origin only. */
  readonly fields: Readonly<Record<string, string>>
  readonly ca: string | undefined
  readonly timeoutMs: number
  readonly capabilities: Capabilities
}

/** The media type of every body of tus data. */
export const offsetOctets = 'application/offset+octet-stream'

/** The words in which cases are written. Each case has its own; what it opens ends with it. */
export class Context {
  readonly capabilities: Capabilities
  readonly url: URL
  readonly timeoutMs: number
  readonly #session: Session
  readonly #signal: AbortSignal
  readonly #created: Upload[] = []

  constructor(session: Session, signal: AbortSignal) {
    this.#session = session
    this.#signal = signal
    // One listener per open connection, and a case may hold many.
    setMaxListeners(0, signal)
    this.capabilities = session.capabilities
    this.url = session.url
    this.timeoutMs = session.timeoutMs
  }

  /** Every upload made so far, so that the run can tidy up after itself. */
  get created(): readonly Upload[] {
    return this.#created
  }

  has(extension: Extension): boolean {
    return this.capabilities.extensions.has(extension)
  }

  notApplicable(reason: string): never {
    throw new NotApplicable(reason)
  }

  /** Ends the case as not applicable unless the extension is announced. */
  needs(extension: Extension): void {
    if (!this.has(extension)) throw new NotApplicable(`the server does not announce ${extension}`)
  }

  /** The path of the creation URL. */
  get endpoint(): string {
    return this.url.pathname + this.url.search
  }

  /** A well-formed upload path that was never handed out. */
  unknown(): string {
    return this.capabilities.uploadBase + randomBytes(16).toString('hex')
  }

  /** Sends one request over a connection of its own and reads the answer. */
  async ask(ask: Ask): Promise<Answer> {
    const request = this.#compose(ask)
    const connection = await connect(this.#endpointOf(ask.to), this.#signal).catch((error: unknown) => {
      if (error instanceof WireError) error.sent ??= request.summary
      throw error
    })
    try {
      connection.write(request.head)
      if (request.payload.length > 0) connection.write(request.payload)
      return this.#remember(await answerOf(connection, ask.method, request.summary))
    } finally {
      connection.close()
    }
  }

  /** Like `ask`, for requests that a server may also meet by closing the connection: `undefined` then. */
  async attempt(ask: Ask): Promise<Answer | undefined> {
    try {
      return await this.ask(ask)
    } catch (error) {
      if (error instanceof WireError && error.trouble === 'closed') return undefined
      throw error
    }
  }

  /** Sends the head of a request; the case sends, cuts or stalls the body itself. */
  async open(ask: Ask): Promise<OpenRequest> {
    return await openRequest(this.#endpointOf(ask.to), ask.method, this.#compose(ask), this.#signal)
  }

  /** A bare connection to the server, for bytes that no request builder would make. */
  async connect(): Promise<Connection> {
    return await connect(this.#endpointOf(undefined), this.#signal)
  }

  /** The bytes `ask` would send. */
  bytes(ask: Ask): Buffer {
    const { head, payload } = this.#compose(ask)
    return Buffer.concat([Buffer.from(head, 'latin1'), payload])
  }

  async options(fields: Fields = {}, to?: Upload | string): Promise<Answer> {
    return await this.ask({ method: 'OPTIONS', fields: { 'Tus-Resumable': null, ...fields }, ...at(to) })
  }

  /** A creation request as raw fields; the case looks at the answer. */
  async post(fields: Fields, body?: string | Uint8Array): Promise<Answer> {
    this.needs('creation')
    return await this.ask({ method: 'POST', fields, ...(body === undefined ? {} : { body }) })
  }

  /** Creates an upload and expects 201 with a usable `Location`. */
  async create(options: CreateOptions): Promise<Upload> {
    const { length, defer, metadata, concat, body } = options
    const answer = await this.post(
      {
        ...(length === undefined ? {} : { 'Upload-Length': String(length) }),
        ...(defer === true ? { 'Upload-Defer-Length': '1' } : {}),
        ...(metadata === undefined ? {} : { 'Upload-Metadata': metadata }),
        ...(concat === undefined ? {} : { 'Upload-Concat': concat }),
        ...(body === undefined ? {} : { 'Content-Type': offsetOctets }),
      },
      body,
    )
    return this.uploadOf(answer)
  }

  /** The upload that a creation answer tells of. */
  uploadOf(answer: Answer): Upload {
    expectStatus(answer, 201)
    const location = header(answer, 'Location')
    expectThat(location !== undefined, 'expected a Location in the 201', answer)
    const url = URL.canParse(location, this.url.href) ? new URL(location, this.url.href) : undefined
    const usable = url !== undefined && /^https?:$/.test(url.protocol)
    expectThat(usable, `expected a Location that is an http URL, got ${JSON.stringify(location)}`, answer)
    const target = url.pathname + url.search
    const id = url.pathname.split('/').findLast((segment) => segment !== '') ?? ''
    return { location, url, target, id, created: answer }
  }

  async head(upload: Upload | string, fields: Fields = {}): Promise<Answer> {
    return await this.ask({ method: 'HEAD', to: upload, fields })
  }

  async patch(
    upload: Upload | string,
    offset: number | string,
    body: string | Uint8Array,
    fields: Fields = {},
  ): Promise<Answer> {
    return await this.ask({
      method: 'PATCH',
      to: upload,
      fields: { 'Content-Type': offsetOctets, 'Upload-Offset': String(offset), ...fields },
      body,
    })
  }

  async terminate(upload: Upload | string, fields: Fields = {}): Promise<Answer> {
    return await this.ask({ method: 'DELETE', to: upload, fields })
  }

  /** A download: a plain GET as a browser sends it. */
  async get(upload: Upload | string, fields: Fields = {}): Promise<Answer> {
    return await this.ask({ method: 'GET', to: upload, fields: { 'Tus-Resumable': null, ...fields } })
  }

  /** Creates an upload and stores all of its content. */
  async finished(content: string | Uint8Array, options: CreateOptions = {}): Promise<Upload> {
    const upload = await this.create({ length: content.length, ...options })
    const answer = await this.patch(upload, 0, content)
    expectStatus(answer, 204)
    expectOffset(answer, content.length)
    return upload
  }

  /** A finished partial upload (tus 1.0 §Concatenation). */
  async partial(content: string): Promise<Upload> {
    return await this.finished(content, { concat: 'partial' })
  }

  async offsetOf(upload: Upload): Promise<number> {
    const answer = await this.head(upload)
    expectStatus(answer, 200, 204)
    return offsetIn(answer)
  }

  /** The upload still has exactly this offset. */
  async expectAt(upload: Upload, offset: number): Promise<void> {
    const answer = await this.head(upload)
    expectStatus(answer, 200, 204)
    expectOffset(answer, offset)
  }

  async expectGone(upload: Upload): Promise<void> {
    const answer = await this.head(upload)
    expectStatus(answer, 404, 410)
    expectNoHeader(answer, 'Upload-Offset')
  }

  /** The finished upload reads as exactly these bytes; nothing to see on a server without downloads. */
  async expectContent(upload: Upload, content: string | Uint8Array): Promise<void> {
    if (!this.capabilities.download) return
    const answer = await this.get(upload)
    expectStatus(answer, 200)
    expectSameBytes(answer.body, Buffer.from(content), answer)
  }

  /** The server still answers. */
  async expectAlive(): Promise<void> {
    const answer = await this.options().catch((error: unknown) => {
      throw error instanceof WireError ? new Unmet(`the server no longer answers: ${error.message}`) : error
    })
    expectStatus(answer, 200, 204)
  }

  /** The offset once the server has let go of an earlier request: waits up to 3 s through 409, 423 and 5xx. */
  async settled(upload: Upload): Promise<number> {
    const end = performance.now() + 3000
    for (;;) {
      const answer = await this.head(upload)
      const busy = [409, 423, 429, 500, 503].includes(answer.status)
      if (!busy || performance.now() > end) {
        expectStatus(answer, 200, 204)
        return offsetIn(answer)
      }
      await this.pause(50)
    }
  }

  /** Waits; ends early when the case is over. */
  async pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const over = (): void => {
        clearTimeout(timer)
        this.#signal.removeEventListener('abort', over)
        resolve()
      }
      const timer = setTimeout(over, ms)
      this.#signal.addEventListener('abort', over, { once: true })
    })
    if (this.#signal.aborted) throw new WireError('timeout', 'the deadline of this case has passed')
  }

  #compose(ask: Ask): ComposedRequest {
    const { to, ...shape } = ask
    const target = to === undefined ? this.endpoint : typeof to === 'string' ? to : to.target
    const url = urlOf(to) ?? this.url
    // A Location may name any host: what the caller trusts to one origin goes to no other.
    const own = url.origin === this.url.origin ? this.#session.fields : {}
    return compose({ ...shape, target }, { Host: url.host, 'Tus-Resumable': '1.0.0', ...own })
  }

  #endpointOf(to: Upload | string | undefined): Endpoint {
    const url = urlOf(to) ?? this.url
    const secure = url.protocol === 'https:'
    const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
    return { secure, host: url.hostname.replaceAll(/^\[|\]$/g, ''), port, ca: this.#session.ca }
  }

  #remember(answer: Answer): Answer {
    const location = header(answer, 'Location')
    if (answer.status === 201 && location !== undefined && URL.canParse(location, this.url.href)) {
      const upload = this.uploadOf(answer)
      if (upload.url.origin === this.url.origin) this.#created.push(upload)
    }
    return answer
  }
}

function urlOf(to: Upload | string | undefined): URL | undefined {
  return typeof to === 'object' ? to.url : undefined
}

function at(to: Upload | string | undefined): Pick<Ask, 'to'> {
  return to === undefined ? {} : { to }
}
