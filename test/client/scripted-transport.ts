import { TransferError, isTransferError } from '../../src/client/errors.ts'
import type { SliceContent } from '../../src/client/ports/source.ts'
import type {
  ResponseHead,
  Transport,
  TransportRequest,
  TransportResponse,
} from '../../src/client/ports/transport.ts'
import type { TusAnswer, TusBehaviour } from './memory-tus.ts'
import { MemoryTus, concatenated } from './memory-tus.ts'

/** What happens to one request instead of what the server would do by itself. Without any field: nothing special. */
export interface Script {
  /** Only for requests that this says yes to. @default every one of the method */
  when?(request: SeenRequest): boolean
  /** For how many requests. @default 1 */
  readonly times?: number
  /** Bytes of the body that leave the client before the rest happens. @default all */
  readonly sendBytes?: number
  /** Whether the server gets the request with these bytes and stores them. @default unless `status` is given */
  readonly reaches?: boolean
  /**
   * `answer`; `drop`: the connection breaks (with `reaches` the bytes are stored: a lost response);
   * `hang`: nothing more ever happens, until the client aborts.
   *
   * @default 'answer'
   */
  readonly end?: 'answer' | 'drop' | 'hang'
  /** Waited for before that. */
  readonly hold?: Promise<unknown>
  /** Answered in place of the server's own status, headers and text. */
  readonly status?: number
  /** Laid over the headers of the answer; `undefined` takes one away. */
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly text?: string
  /** Bytes of the answer's body that arrive (GET) before `drop` or `hang`. @default none */
  readonly answerBytes?: number
  /** `url` of the answer, as after a redirect. */
  readonly redirectedTo?: string
}

export interface SeenRequest {
  /** What the request means: the override's method where there is one. */
  readonly method: string
  /** What went over the wire. */
  readonly actualMethod: string
  readonly url: string
  /** As given, names included. */
  readonly headers: ReadonlyMap<string, string>
  readonly header: (name: string) => string | undefined
  /** Bytes of the body that left the client so far. */
  sentBytes: number
  /** Status of the answer; `undefined` while there is none, or if there never was. */
  status: number | undefined
  /** Whether the client aborted it. */
  isAborted: boolean
}

/**
 * A `Transport` that ends in an in-memory tus 1.0 server, for tests without I/O and with a `FakeClock`.
 *
 * `new ScriptedTransport({ extensions: ['creation'] })` answers OPTIONS, POST, HEAD, PATCH, DELETE and GET as the
 * protocol says. `transport.script('PATCH', { sendBytes: 100, end: 'drop' })` changes what happens to the next
 * PATCH; scripts of a method are used up in the order given. `transport.requests` is what the client did,
 * `transport.tus.uploads` what the server has.
 *
 * | failure                                 | script                                               |
 * |-----------------------------------------|------------------------------------------------------|
 * | 503 of a proxy, nothing stored          | `{ status: 503, headers: { 'Retry-After': '3' } }`   |
 * | 413 before the body was read            | `{ status: 413, sendBytes: 0 }`                      |
 * | cut after 100 bytes, they are stored    | `{ sendBytes: 100, end: 'drop' }`                   |
 * | cut, nothing stored                     | `{ sendBytes: 100, end: 'drop', reaches: false }`   |
 * | all stored, the answer is lost          | `{ end: 'drop' }`                                   |
 * | stall in the body                       | `{ sendBytes: 100, end: 'hang' }`                   |
 * | all sent, no answer                     | `{ end: 'hang' }`                                   |
 * | a 204 without an offset                 | `{ headers: { 'Upload-Offset': undefined } }`        |
 * | the server keeps fewer bytes than sent  | `{ sendBytes: 100 }`                                 |
 */
export class ScriptedTransport implements Transport {
  readonly tus: MemoryTus
  readonly requests: SeenRequest[] = []
  /** Whether sent bytes are reported, as XHR and Node do and fetch does not. */
  reportsSent: boolean = true
  /** Bytes are sent, and handed out, in pieces of this size. */
  pieceBytes: number = 64 * 1024
  /** Waited for after each piece of a body has left: a place to move the clock, to pause, to abort. */
  onPiece: ((request: SeenRequest) => void | Promise<void>) | undefined
  /** Most requests with a body that were under way for one URL at the same time. More than 1 is a fight. */
  mostWriters: number = 0
  isClosed: boolean = false
  readonly #scripts: { readonly method: string; readonly script: Script; left: number }[] = []
  readonly #writers = new Map<string, number>()

  constructor(behaviour: Partial<TusBehaviour> = {}) {
    this.tus = new MemoryTus(behaviour)
  }

  /** Bytes of all bodies that left the client. */
  get sentBytes(): number {
    return this.requests.reduce((sum, request) => sum + request.sentBytes, 0)
  }

  /** The methods of all requests, in order. */
  get methods(): string[] {
    return this.requests.map(({ method }) => method)
  }

  /** Plans what happens to the next request of a method (`'*'`: of any). */
  script(method: string, script: Script): this {
    this.#scripts.push({ method, script, left: script.times ?? 1 })
    return this
  }

  async send(request: TransportRequest): Promise<TransportResponse> {
    request.signal.throwIfAborted()
    const seen = this.#see(request)
    const script = this.#scriptFor(seen)
    const writes = request.body !== undefined && request.body.sizeBytes > 0
    const writers = (this.#writers.get(seen.url) ?? 0) + (writes ? 1 : 0)
    this.#writers.set(seen.url, writers)
    this.mostWriters = Math.max(this.mostWriters, writers)
    try {
      return await this.#exchange(request, seen, script)
    } finally {
      if (writes) this.#writers.set(seen.url, (this.#writers.get(seen.url) ?? 1) - 1)
      seen.isAborted = request.signal.aborted
    }
  }

  async close(): Promise<void> {
    this.isClosed = true
  }

  async #exchange(request: TransportRequest, seen: SeenRequest, script: Script): Promise<TransportResponse> {
    const { signal } = request
    const { pieces, cutBy } = await this.#taken(request, seen, script)
    const body = concatenated(pieces)
    const announced = request.body?.sizeBytes ?? 0
    const reaches = script.reaches ?? script.status === undefined
    const call = { ...seen, body, isWhole: body.length === announced }
    const own = reaches ? this.tus.answer(call) : undefined
    // What had arrived is stored; then the client's own end of the body wins.
    if (cutBy !== undefined) throw cutBy
    if (script.hold !== undefined) await unlessAborted(signal, script.hold)
    const answer = madeOf(own, script)
    const head = headOf(answer, script.redirectedTo ?? seen.url)
    if (script.end === undefined || script.end === 'answer' || script.answerBytes !== undefined) {
      seen.status = answer.status
      const text = await this.#handOut({ request, head, body: answer.body.subarray(0, script.answerBytes) })
      if (script.end === undefined || script.end === 'answer') return { ...head, text }
    }
    if (script.end === 'hang') return await unlessAborted(signal, new Promise<never>(() => undefined))
    throw new TransferError('network', 'the connection broke (scripted)')
  }

  #see({ method, url, headers }: TransportRequest): SeenRequest {
    const header = (name: string): string | undefined => {
      for (const [key, value] of headers) if (key.toLowerCase() === name.toLowerCase()) return value
      return undefined
    }
    const override = this.tus.behaviour.overrides ? header('X-HTTP-Method-Override') : undefined
    const seen: SeenRequest = {
      method: override ?? method,
      actualMethod: method,
      url,
      headers: new Map(headers),
      header,
      sentBytes: 0,
      status: undefined,
      isAborted: false,
    }
    this.requests.push(seen)
    return seen
  }

  #scriptFor(seen: SeenRequest): Script {
    const index = this.#scripts.findIndex(
      ({ method, script }) => (method === '*' || method === seen.method) && (script.when?.(seen) ?? true),
    )
    const planned = this.#scripts[index]
    if (planned === undefined) return {}
    planned.left -= 1
    if (planned.left <= 0) this.#scripts.splice(index, 1)
    return planned.script
  }

  /** Reads the body as far as the script lets it; an abort or a failing source still leaves what was sent. */
  async #taken(
    request: TransportRequest,
    seen: SeenRequest,
    script: Script,
  ): Promise<{ readonly pieces: Uint8Array[]; readonly cutBy: unknown }> {
    const pieces: Uint8Array[] = []
    const limit = Math.min(script.sendBytes ?? Infinity, request.body?.sizeBytes ?? 0)
    try {
      if (request.body === undefined || limit === 0) return { pieces, cutBy: undefined }
      for await (const chunk of chunksOf(request.body.content, request.signal)) {
        for (let at = 0; at < chunk.length && seen.sentBytes < limit; at += this.pieceBytes) {
          const piece = chunk.slice(at, at + Math.min(this.pieceBytes, limit - seen.sentBytes))
          request.signal.throwIfAborted()
          pieces.push(piece)
          seen.sentBytes += piece.length
          if (this.reportsSent) request.onSent?.(seen.sentBytes)
          await unlessAborted(request.signal, Promise.resolve(this.onPiece?.(seen)))
        }
        if (seen.sentBytes >= limit) break
      }
      if (seen.sentBytes < limit) throw new TransferError('source', 'the slice ended early')
      return { pieces, cutBy: undefined }
    } catch (error) {
      return { pieces, cutBy: asCut(error, request.signal) }
    }
  }

  async #handOut(answer: {
    readonly request: TransportRequest
    readonly head: ResponseHead
    readonly body: Uint8Array
  }): Promise<string> {
    const { request, head, body } = answer
    if (request.method === 'HEAD') return ''
    if (request.onData === undefined) return new TextDecoder().decode(body.subarray(0, 64 * 1024))
    for (let at = 0; at < body.length; at += this.pieceBytes) {
      request.signal.throwIfAborted()
      await request.onData(body.slice(at, at + this.pieceBytes), head)
    }
    return ''
  }
}

function asCut(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  return isTransferError(error) ? error : new TransferError('source', 'cannot read', { cause: error })
}

function madeOf(own: TusAnswer | undefined, script: Script): TusAnswer {
  const base = script.status === undefined ? own : undefined
  const headers: Record<string, string> = { ...base?.headers }
  for (const [name, value] of Object.entries(script.headers ?? {})) {
    for (const key of Object.keys(headers)) if (key.toLowerCase() === name.toLowerCase()) delete headers[key]
    if (value !== undefined) headers[name] = value
  }
  const body = script.text === undefined ? base?.body : new TextEncoder().encode(script.text)
  return { status: script.status ?? base?.status ?? 502, headers, body: body ?? new Uint8Array(0) }
}

function headOf(answer: TusAnswer, url: string): ResponseHead {
  const headers = new Map(Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), value]))
  return { status: answer.status, url, header: (name) => headers.get(name.toLowerCase()) }
}

async function* chunksOf(content: SliceContent, signal: AbortSignal): AsyncIterable<Uint8Array> {
  if (content.kind === 'bytes') yield content.bytes
  else if (content.kind === 'blob') yield new Uint8Array(await content.blob.arrayBuffer())
  else yield* content.chunks(signal)
}

function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
