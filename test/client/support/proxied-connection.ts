import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { RequestHead } from './request-scanner.ts'
import { RequestScanner } from './request-scanner.ts'

/** What shall happen at some byte of a connection or of a request. */
export type Break =
  /** Bytes up to `afterBytes` still pass, then both ends are closed or reset. `of: 'server', 0` swallows an answer. */
  | { readonly act: 'cut'; readonly of: Side; readonly afterBytes: number; readonly how?: 'close' | 'reset' }
  /** Nothing moves any more after these bytes, in either direction, and nothing is closed. */
  | { readonly act: 'stall'; readonly of: Side; readonly afterBytes: number; readonly forMs?: number }
  /** The byte behind these is another one. */
  | { readonly act: 'corrupt'; readonly of: Side; readonly afterBytes: number }

/**
 * The proxy answers by itself, after the body or right away; the server never sees the request. After an early answer
 * it reads nothing more, as a busy server does, and lets go of the connection a little later.
 */
export interface OwnAnswer {
  readonly act: 'answer'
  readonly status: number
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: string
  readonly isEarly?: boolean
}

export type Fault = Break | OwnAnswer

/** Long enough for any client to read an answer. */
const LINGER_MS = 500

type Side = 'client' | 'server'

export interface SeenRequest extends RequestHead {
  /** Counted from 0 over all connections. */
  readonly index: number
  /** Bytes of the body that have come so far. */
  bodyBytes: number
}

/** What connections share with their proxy. */
export interface ProxyWorld {
  readonly counts: { clientBytes: number; bodyBytes: number; cuts: number; stalls: number; answers: number }
  targetPort(): number
  nextIndex(): number
  see(request: SeenRequest): Fault | undefined
  readonly pace: { readonly pieceBytes: number; carry(bytes: number): Promise<void> } | undefined
}

/** One connection of a client, and the one to the server behind it. */
export class ProxiedConnection {
  readonly #client: Socket
  readonly #world: ProxyWorld
  readonly #scanner = new RequestScanner()
  readonly #ofConnection: Trigger | undefined
  #ofRequest: Trigger | undefined
  #request: SeenRequest | undefined
  #answer: OwnAnswer | undefined
  #target: Socket | undefined
  #isCut = false
  #stall: Promise<void> | undefined
  #corrupts: Side | undefined
  /** Resolves when the client's end is gone. */
  readonly closed: Promise<void>

  constructor(client: Socket, world: ProxyWorld, fault: Break | undefined) {
    this.#client = client
    this.#world = world
    this.#ofConnection = triggerOf(fault)
    client.on('error', () => undefined)
    this.closed = new Promise((resolve) => {
      client.once('close', () => {
        this.#target?.destroy()
        resolve()
      })
    })
    void pump(client, (chunk) => this.#fromClient(chunk)).then((isProper) => {
      if (!isProper) this.cut('reset', false)
      else if (this.#target === undefined) client.end()
      else this.#target.end()
    })
  }

  /** Ends both sides at once. */
  cut(how: 'close' | 'reset', isFault = true): void {
    if (this.#isCut) return
    this.#isCut = true
    if (isFault) this.#world.counts.cuts += 1
    for (const socket of [this.#client, this.#target]) {
      if (how === 'reset') socket?.resetAndDestroy()
      else socket?.destroy()
    }
  }

  /** Reads no faster than the link carries, also what is then dropped. */
  async #fromClient(chunk: Buffer): Promise<void> {
    const { pace } = this.#world
    const step = pace?.pieceBytes ?? chunk.length
    for (let at = 0; at < chunk.length && !this.#isCut; at += step) {
      if (this.#stall !== undefined) await this.#stall
      const part = chunk.subarray(at, at + step)
      await pace?.carry(part.length)
      await this.#take(part)
    }
  }

  async #take(chunk: Buffer): Promise<void> {
    this.#world.counts.clientBytes += chunk.length
    for (const piece of this.#scanner.scan(chunk)) {
      if (this.#isCut) return
      if (piece.kind === 'head') this.#begin(piece.head)
      else this.#count(piece.bytes.length)
      if (this.#answer === undefined) await this.#send('client', piece.bytes, piece.kind === 'head')
      else this.#answerNow(piece.kind === 'head', piece.kind === 'head' ? !piece.head.hasBody : piece.isLast)
    }
  }

  #begin(head: RequestHead): void {
    this.#request = { ...head, index: this.#world.nextIndex(), bodyBytes: 0 }
    const fault = this.#world.see(this.#request)
    this.#ofRequest = triggerOf(fault)
    this.#answer = fault?.act === 'answer' ? fault : undefined
  }

  #count(bytes: number): void {
    this.#world.counts.bodyBytes += bytes
    if (this.#request !== undefined) this.#request.bodyBytes += bytes
  }

  #answerNow(isHead: boolean, isEnd: boolean): void {
    const answer = this.#answer
    if (answer === undefined || !(answer.isEarly === true ? isHead : isEnd)) return
    this.#world.counts.answers += 1
    const { status, headers = {}, body = '' } = answer
    const fields = Object.entries({
      'Content-Length': Buffer.byteLength(body),
      ...(answer.isEarly === true ? { Connection: 'close' } : {}),
      ...headers,
    }).map(([name, value]) => `${name}: ${value}\r\n`)
    const shown = this.#request?.method === 'HEAD' ? '' : body
    this.#client.write(`HTTP/1.1 ${status} Chaos\r\n${fields.join('')}\r\n${shown}`)
    if (answer.isEarly !== true) return
    this.#client.end()
    // Not at once: closing with bytes unread would reset the answer on its way.
    setTimeout(() => this.cut('close', false), LINGER_MS).unref()
    this.#stall = this.closed
  }

  /** Passes bytes on, up to the byte at which something shall happen. */
  async #send(from: Side, bytes: Buffer, isHead = false): Promise<void> {
    const to = from === 'client' ? this.#reachTarget() : this.#client
    let rest = bytes
    for (;;) {
      if (this.#stall !== undefined) await this.#stall
      const { trigger, bytes: most } = this.#allowed(from, isHead)
      const part = rest.subarray(0, most)
      if (this.#isCut) return
      await write(to, this.#corrupts === from ? this.#corrupted(part) : part)
      rest = rest.subarray(part.length)
      for (const one of this.#triggers(isHead)) if (one.of === from) one.left -= part.length
      if (trigger !== undefined && trigger.left <= 0) this.#fire(trigger)
      if (rest.length === 0) return
    }
  }

  /** How much may still pass before the next trigger, which is then returned. */
  #allowed(from: Side, isHead: boolean): { trigger: Trigger | undefined; bytes: number } {
    const [next] = this.#triggers(isHead)
      .filter((one) => one.of === from)
      .sort((one, other) => one.left - other.left)
    return { trigger: next, bytes: next === undefined ? Infinity : Math.max(0, next.left) }
  }

  /** Faults of a request count from behind its head; at 0 not even the head passes. */
  #triggers(isHead: boolean): Trigger[] {
    const request = this.#ofRequest
    const isLater =
      isHead && request?.of === 'client' && (request.left > 0 || request.fault.act === 'corrupt')
    const all = [this.#ofConnection, isLater ? undefined : request]
    return all.filter((one): one is Trigger => one?.isFired === false)
  }

  #fire(trigger: Trigger): void {
    trigger.isFired = true
    if (trigger.fault.act === 'cut') return this.cut(trigger.fault.how ?? 'close')
    if (trigger.fault.act === 'corrupt') {
      this.#corrupts = trigger.of
      return
    }
    this.#world.counts.stalls += 1
    const { forMs } = trigger.fault
    this.#stall = Promise.race([
      new Promise<void>((resolve) => {
        if (forMs !== undefined) setTimeout(resolve, forMs).unref()
      }),
      this.closed,
    ])
  }

  #corrupted(part: Buffer): Buffer {
    if (part.length === 0) return part
    this.#corrupts = undefined
    const wrong = Buffer.from(part)
    wrong[0] = (wrong[0] ?? 0) ^ 0x55
    return wrong
  }

  #reachTarget(): Socket {
    if (this.#target !== undefined) return this.#target
    const target = connect({ port: this.#world.targetPort(), host: '127.0.0.1', noDelay: true })
    target.on('error', () => undefined)
    void pump(target, (chunk) => this.#fromServer(chunk)).then((isProper) => {
      if (isProper) this.#client.end()
      else this.cut('reset', false)
    })
    this.#target = target
    return target
  }

  async #fromServer(chunk: Buffer): Promise<void> {
    if (chunk.toString('latin1', 0, 13) === 'HTTP/1.1 100 ') await write(this.#client, chunk)
    else await this.#send('server', chunk)
  }
}

/** A fault that waits for its byte. */
interface Trigger {
  readonly fault: Break
  readonly of: Side
  left: number
  isFired: boolean
}

function triggerOf(fault: Fault | undefined): Trigger | undefined {
  if (fault === undefined || fault.act === 'answer') return undefined
  return { fault, of: fault.of, left: fault.afterBytes, isFired: false }
}

/** Reads with back-pressure. @returns Whether the other side ended properly. */
async function pump(from: Socket, each: (chunk: Buffer) => Promise<void>): Promise<boolean> {
  try {
    for await (const chunk of from.iterator({ destroyOnReturn: false })) await each(chunk as Buffer)
    return true
  } catch {
    return false
  }
}

function write(to: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    // What cannot be sent any more is dropped: the other direction notices the end.
    if (to.destroyed || !to.writable || bytes.length === 0) resolve()
    else to.write(bytes, () => resolve())
  })
}
