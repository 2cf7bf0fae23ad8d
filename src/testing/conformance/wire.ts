import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { readResponse, WireError } from './wire-response.ts'
import type { ByteSource, ResponseHead, WireResponse } from './wire-response.ts'

/** Where to connect to. */
export interface Endpoint {
  readonly secure: boolean
  readonly host: string
  readonly port: number
  /** PEM certificates to trust in place of the built-in ones, for a server with a private authority. */
  readonly ca?: string | undefined
}

/**
 * One connection, driven byte by byte: nothing is sent, closed or retried unless told.
 * It is destroyed when the signal it was opened with aborts, so no read outlives its case.
 */
export interface Connection {
  /** Sends bytes as they are; text goes out as latin1. Never fails: a dead peer shows when reading. */
  write(data: string | Uint8Array): void
  /** Reads the next final answer to a request with this method. */
  response(method: string, onInterim?: (head: ResponseHead) => void): Promise<WireResponse>
  /** Bytes that came and belong to no answer read so far. */
  readonly surplusBytes: number
  /** Finishes our side (TCP FIN, TLS close_notify) and keeps reading. */
  finish(): void
  /** Drops the connection with a TCP RST. */
  reset(): void
  close(): void
  /** Resolves when the other side has finished or reset the connection. */
  readonly ended: Promise<void>
}

class SocketConnection implements Connection, ByteSource {
  readonly ended: Promise<void>
  readonly #socket: Socket
  readonly #tcp: Socket
  #received: Buffer[] = []
  #over = false
  #failure: WireError | undefined
  #wake: (() => void) | undefined

  constructor(socket: Socket, tcp: Socket, signal: AbortSignal) {
    this.#socket = socket
    this.#tcp = tcp
    let settle: () => void = () => undefined
    this.ended = new Promise((resolve) => {
      settle = resolve
    })
    const finish = (): void => {
      this.#over = true
      settle()
      this.#wake?.()
    }
    const abort = (): void => {
      this.#failure = new WireError('timeout', 'no answer before the deadline of this case')
      socket.destroy()
      tcp.destroy()
    }
    signal.addEventListener('abort', abort, { once: true })
    socket.on('data', (chunk: Buffer) => {
      this.#received.push(chunk)
      this.#wake?.()
    })
    socket.on('end', finish)
    socket.on('error', finish)
    tcp.on('error', finish)
    socket.on('close', () => {
      signal.removeEventListener('abort', abort)
      finish()
    })
  }

  get buffered(): Buffer {
    const [only = Buffer.alloc(0)] = this.#received
    if (this.#received.length < 2) return only
    const all = Buffer.concat(this.#received)
    this.#received = [all]
    return all
  }

  get surplusBytes(): number {
    return this.#received.reduce((sum, chunk) => sum + chunk.length, 0)
  }

  take(count: number): Buffer {
    const all = this.buffered
    this.#received = [all.subarray(count)]
    return all.subarray(0, count)
  }

  async more(): Promise<boolean> {
    const before = this.surplusBytes
    while (!this.#over && this.surplusBytes === before) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    if (this.#failure !== undefined) throw this.#failure
    return this.surplusBytes > before
  }

  write(data: string | Uint8Array): void {
    if (this.#socket.writable)
      this.#socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data)
  }

  async response(
    method: string,
    onInterim: (head: ResponseHead) => void = () => undefined,
  ): Promise<WireResponse> {
    return await readResponse(this, method, onInterim)
  }

  finish(): void {
    this.#socket.end()
  }

  reset(): void {
    this.#tcp.resetAndDestroy()
    this.#socket.destroy()
  }

  close(): void {
    this.#socket.destroy()
    this.#tcp.destroy()
  }
}

/** Opens a connection. Rejects with `WireError` `unreachable`, or `timeout` when `signal` aborts first. */
export function connect(endpoint: Endpoint, signal: AbortSignal): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const { host, port, secure, ca } = endpoint
    const tcp = connectTcp({ host, port, allowHalfOpen: true, noDelay: true })
    const socket = secure ? wrapInTls(tcp, host, ca) : tcp
    const refuse = (error: Error): void => {
      tcp.destroy()
      reject(new WireError('unreachable', `cannot connect to ${host}:${port}: ${error.message}`))
    }
    const abort = (): void => {
      tcp.destroy()
      reject(new WireError('timeout', `no connection to ${host}:${port} before the deadline`))
    }
    signal.addEventListener('abort', abort, { once: true })
    socket.once('error', refuse)
    tcp.once('error', refuse)
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      signal.removeEventListener('abort', abort)
      const connection = new SocketConnection(socket, tcp, signal)
      socket.off('error', refuse)
      tcp.off('error', refuse)
      if (signal.aborted) socket.destroy()
      resolve(connection)
    })
    if (signal.aborted) abort()
  })
}

function wrapInTls(tcp: Socket, host: string, ca: string | undefined): Socket {
  return connectTls({
    socket: tcp,
    host,
    // A server name is a DNS name, never an address (RFC 6066 §3).
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca }),
    ALPNProtocols: ['http/1.1'],
  })
}
