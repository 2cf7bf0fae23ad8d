import type { Engine } from '../../src/core/engine.ts'
import type { Body } from '../../src/core/ports/body.ts'
import type { Exchange, Reply } from '../../src/server/exchange.ts'
import type { HandlerOptions } from '../../src/server/handler.ts'
import { createHandler } from '../../src/server/handler.ts'
import { joined } from './bytes.ts'
import { sent } from './push-body.ts'
import type { Rig } from './rig.ts'
import { rig } from './rig.ts'

export interface Ask {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Body | Uint8Array
  readonly httpVersion?: string
  readonly isSecure?: boolean
  readonly readsTrailers?: boolean
  readonly signal?: AbortSignal
}

/** What happened to a request. */
export interface Answered {
  readonly reply: Reply
  readonly status: number
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Uint8Array
  readonly text: string
  readonly continued: number
}

export interface Served extends Rig {
  ask(method: string, target: string, ask?: Ask): Promise<Answered>
  /** Like `ask`, with `Tus-Resumable: 1.0.0`. */
  tus(method: string, target: string, ask?: Ask): Promise<Answered>
  /** Creates an upload and returns its path. */
  create(headers: Readonly<Record<string, string>>, body?: Uint8Array): Promise<string>
  /** What the operator was told by the handler. */
  readonly failures: unknown[]
  /** What the handler returns: also `undefined` and `'not-ours'`. */
  handle(method: string, target: string, ask?: Ask): Promise<Reply | 'not-ours' | 'terminated'>
}

export interface ServeOptions extends Partial<Omit<HandlerOptions, 'engine'>> {
  readonly rig?: Rig
  readonly engine?: Engine
}

/** A handler over an engine over memory. Requests are plain values. */
export function serve({ rig: given, engine, ...options }: ServeOptions = {}): Served {
  const parts = given ?? rig()
  const failures: unknown[] = []
  const handler = createHandler({
    engine: engine ?? parts.engine,
    report: (error) => failures.push(error),
    ...options,
  })
  const send = async (
    method: string,
    target: string,
    ask: Ask,
  ): Promise<[Awaited<ReturnType<typeof handler>>, number]> => {
    let continued = 0
    const exchange = exchangeOf(method, target, ask, () => (continued += 1))
    return [await handler(exchange), continued]
  }
  const ask = async (method: string, target: string, given_: Ask = {}): Promise<Answered> => {
    const [outcome, continued] = await send(method, target, given_)
    if (outcome === undefined || outcome === 'not-ours') throw new Error(`no answer: ${String(outcome)}`)
    const body = await contentOf(outcome)
    const headers = new Map(
      Object.entries(outcome.headers).map(([name, value]) => [name.toLowerCase(), value]),
    )
    return {
      reply: outcome,
      status: outcome.status,
      headers,
      body,
      text: new TextDecoder().decode(body),
      continued,
    }
  }
  const tus: Served['tus'] = (method, target, { headers, ...rest } = {}) =>
    ask(method, target, { ...rest, headers: { 'tus-resumable': '1.0.0', ...headers } })
  return {
    ...parts,
    failures,
    ask,
    tus,
    async create(headers, body) {
      const type = { 'content-type': 'application/offset+octet-stream' }
      const answer = await tus('POST', '/files/', {
        headers: body === undefined ? headers : { ...type, ...headers },
        ...(body === undefined ? {} : { body }),
      })
      const location = answer.headers.get('location')
      if (location === undefined) throw new Error(`not created: ${answer.text}`)
      return new URL(location, 'http://host').pathname
    },
    async handle(method, target, given_ = {}) {
      const [outcome] = await send(method, target, given_)
      return outcome ?? 'terminated'
    },
  }
}

function exchangeOf(method: string, target: string, ask: Ask, onContinue: () => void): Exchange {
  const { headers = {}, body = new Uint8Array(0) } = ask
  return {
    method,
    target,
    httpVersion: ask.httpVersion ?? '1.1',
    isSecure: ask.isSecure ?? false,
    peerAddress: '127.0.0.1',
    expectsContinue: headers['expect'] === '100-continue',
    readsTrailers: ask.readsTrailers ?? true,
    body: body instanceof Uint8Array ? sent(body) : body,
    signal: ask.signal ?? new AbortController().signal,
    header: (name) => headers[name],
    headers: () => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    sendContinue: onContinue,
    terminate: () => undefined,
  }
}

async function contentOf({ body }: Reply): Promise<Uint8Array> {
  if (body === undefined) return new Uint8Array(0)
  if (typeof body === 'string') return new TextEncoder().encode(body)
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk.slice())
  return joined(chunks)
}
