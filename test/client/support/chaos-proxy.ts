import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { seededRandom } from '../../e2e/support/content.ts'
import { ProxiedConnection } from './proxied-connection.ts'
import type { Break, Fault, ProxyWorld, SeenRequest } from './proxied-connection.ts'

export interface ChaosProxyOptions {
  /** Any URL of the server behind. */
  readonly target: string
  /** The same seed gives the same random numbers. @default 1 */
  readonly seed?: number
  /** Asked for each connection: what shall happen to it, counted in bytes from its beginning. */
  readonly onConnection?: (index: number, random: () => number) => Break | undefined
  /** Asked for each request when its head has come, counted in bytes behind its head, and of its answer. */
  readonly onRequest?: (request: SeenRequest, random: () => number) => Fault | undefined
  /** Ends every open connection again and again, after this time. */
  readonly cutEveryMs?: number
  /** From the clients, over all connections. @default no limit */
  readonly bytesPerSecond?: number
}

/** Starts a TCP proxy that knows HTTP/1.1 and breaks what it is told to break. */
export async function chaosProxy(options: ChaosProxyOptions): Promise<ChaosProxy> {
  const proxy = new ChaosProxy(options)
  await proxy.accept()
  return proxy
}

export class ChaosProxy {
  readonly #connections = new Set<ProxiedConnection>()
  readonly #world: ProxyWorld
  readonly #onConnection: ChaosProxyOptions['onConnection']
  readonly #timer: NodeJS.Timeout | undefined
  #server: Server | undefined
  #port = 0
  #targetPort: number
  #opened = 0
  readonly random: () => number
  /** Every request whose head has come, in order; the ones answered here too. */
  readonly requests: SeenRequest[] = []
  /** Bytes that came from clients: all of them, and those of bodies. */
  readonly counts: ProxyWorld['counts'] = { clientBytes: 0, bodyBytes: 0, cuts: 0, stalls: 0, answers: 0 }

  constructor(options: ChaosProxyOptions) {
    this.random = seededRandom(options.seed ?? 1)
    this.#targetPort = Number(new URL(options.target).port)
    this.#onConnection = options.onConnection
    const pace = options.bytesPerSecond === undefined ? undefined : new Pace(options.bytesPerSecond)
    this.#world = {
      counts: this.counts,
      targetPort: () => this.#targetPort,
      see: (request) => {
        this.requests.push(request)
        return options.onRequest?.(request, this.random)
      },
      nextIndex: () => this.requests.length,
      pace,
    }
    if (options.cutEveryMs !== undefined) {
      this.#timer = setInterval(() => this.cutAll(), options.cutEveryMs).unref()
    }
  }

  get port(): number {
    return this.#port
  }

  /** The same URL, through this proxy. */
  through(url: string): string {
    const { pathname, search } = new URL(url)
    return `http://127.0.0.1:${this.#port}${pathname}${search}`
  }

  /** The server behind is at another port now. */
  retarget(url: string): void {
    this.#targetPort = Number(new URL(url).port)
  }

  /** Ends all connections, as a router does that forgets them. */
  cutAll(how: 'close' | 'reset' = this.random() < 0.5 ? 'close' : 'reset'): void {
    for (const connection of this.#connections) connection.cut(how)
  }

  /** Ends all connections and refuses new ones until `accept`. */
  async refuse(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const closed = new Promise((resolve) => void server.close(resolve))
    this.cutAll('reset')
    await closed
  }

  /** Takes connections, on the same port as before. */
  async accept(): Promise<void> {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
      const fault = this.#onConnection?.(this.#opened, this.random)
      this.#opened += 1
      const connection = new ProxiedConnection(client, this.#world, fault)
      this.#connections.add(connection)
      void connection.closed.then(() => this.#connections.delete(connection))
    })
    await new Promise<void>((resolve) => void server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (server.address() as AddressInfo).port
    this.#server = server
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.refuse()
  }
}

/** A link of a given width that all connections share. */
class Pace {
  readonly #bytesPerMs: number
  #freeAtMs = 0

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000
  }

  /** What may go in one piece: some 20 ms of the link, so that it moves evenly. */
  get pieceBytes(): number {
    return Math.max(1, Math.floor(this.#bytesPerMs * 20))
  }

  /** Resolves when the link has carried these bytes. */
  async carry(bytes: number): Promise<void> {
    const nowMs = performance.now()
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + bytes / this.#bytesPerMs
    const waitMs = this.#freeAtMs - nowMs
    if (waitMs >= 1) await new Promise((resolve) => void setTimeout(resolve, waitMs))
  }
}
