import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { ResponseReader } from './response.ts'
import type { RawResponse } from './response.ts'

// One for all sockets: on POSIX a read is handed over before the next one starts.
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024)

interface RawRequest {
  method: string
  path: string
  /** Complete header lines, each ending in CRLF, without Host. */
  fields: string
  body?: Iterable<Buffer>
  /** Awaited before each piece of the body but the first. */
  pace?: (piece: number) => Promise<void>
  onBody?: (chunk: Buffer) => void
}

/** A keep-alive connection that sends one request at a time. */
export interface RawConnection {
  /** @throws when the connection breaks, or when the answer comes before the whole body was sent. */
  request(request: RawRequest): Promise<RawResponse>
  close(): void
}

interface Pending {
  answered: boolean
  resolve: (response: RawResponse) => void
  reject: (error: Error) => void
}

class Connection implements RawConnection {
  readonly #socket: Socket
  readonly #host: string
  readonly #reader = new ResponseReader()
  #pending: Pending | undefined
  #wake: (() => void) | undefined
  #broken: Error | undefined

  constructor(port: number) {
    this.#host = `127.0.0.1:${port}`
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (bytes) => {
          this.#reader.push(readBuffer.subarray(0, bytes))
          return true
        },
      },
    })
    this.#socket.on('drain', () => this.#wake?.())
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('close', () => this.#fail(new Error('the server closed the connection')))
  }

  opened(): Promise<this> {
    return new Promise((resolve, reject) => {
      this.#socket.once('connect', () => resolve(this))
      this.#socket.once('error', reject)
    })
  }

  async request(request: RawRequest): Promise<RawResponse> {
    if (this.#broken !== undefined) throw this.#broken
    const answer = new Promise<RawResponse>((resolve, reject) => {
      const pending: Pending = { answered: false, resolve, reject }
      this.#pending = pending
      this.#reader.expect({
        head: request.method === 'HEAD',
        onBody: request.onBody,
        onResponse: (response) => {
          pending.answered = true
          this.#pending = undefined
          resolve(response)
          this.#wake?.()
        },
      })
    })
    // Sending may fail first; the answer then has nobody listening yet.
    answer.catch(() => undefined)
    if (!(await this.#send(request))) {
      const { status, text } = await answer
      this.close()
      throw new Error(`answered ${status} before the body was sent: ${text}`)
    }
    return answer
  }

  close(): void {
    this.#socket.destroy()
  }

  /** @returns whether everything was sent. */
  async #send(request: RawRequest): Promise<boolean> {
    const pending = this.#pending
    const body = request.body?.[Symbol.iterator]()
    this.#socket.cork()
    this.#socket.write(`${request.method} ${request.path} HTTP/1.1\r\nHost: ${this.#host}\r\n`, 'latin1')
    let flows = this.#socket.write(`${request.fields}\r\n`, 'latin1')
    let next = body?.next()
    if (next?.done === false) flows = this.#socket.write(next.value)
    this.#socket.uncork()
    for (let piece = 1; next?.done === false; piece += 1) {
      next = body?.next()
      if (next?.done !== false) break
      if (!flows) await this.#drained()
      if (request.pace !== undefined) await request.pace(piece)
      if (pending?.answered === true || this.#broken !== undefined) return false
      flows = this.#socket.write(next.value)
    }
    return true
  }

  #drained(): Promise<void> {
    if (!this.#socket.writableNeedDrain || this.#broken !== undefined) return Promise.resolve()
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined
        resolve()
      }
    })
  }

  #fail(error: Error): void {
    this.#broken ??= error
    if (!this.#reader.end()) this.#pending?.reject(error)
    this.#pending = undefined
    this.#wake?.()
  }
}

/** Opens `count` connections to 127.0.0.1, hands them to `use`, and closes them whatever happens. */
export async function withConnections<T>(
  port: number,
  count: number,
  use: (connections: readonly RawConnection[]) => Promise<T>,
): Promise<T> {
  const connections = Array.from({ length: count }, () => new Connection(port))
  try {
    await Promise.all(connections.map((each) => each.opened()))
    return await use(connections)
  } finally {
    for (const each of connections) each.close()
  }
}

/** Runs `count` tasks over the connections, each connection taking the next one as soon as it is free. */
export async function spread(
  connections: readonly RawConnection[],
  count: number,
  task: (connection: RawConnection, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  await Promise.all(
    connections.map(async (connection) => {
      while (next < count) {
        const index = next
        next += 1
        await task(connection, index)
      }
    }),
  )
}
