import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterTest } from './after-test.ts'
import { until } from './until.ts'

export interface RawAnswer {
  readonly status: number
  /** By lower-case name; of several lines the last. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** A TCP or TLS connection on which a test decides about every byte. */
export class RawConnection {
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  /** How it ended: properly, or by a reset. */
  ended: 'open' | 'closed' | 'reset' = 'open'

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => (this.#received = Buffer.concat([this.#received, chunk])))
    socket.on('end', () => this.#end('closed'))
    socket.on('close', () => this.#end('closed'))
    socket.on('error', () => this.#end('reset'))
    afterTest(() => socket.destroy())
  }

  static open(port: number, ca?: string): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const host = '127.0.0.1'
      const socket =
        ca === undefined ? connect({ port, host }) : connectTls({ port, host, ca, servername: 'localhost' })
      socket.setNoDelay(true)
      socket.once('error', reject)
      socket.once(ca === undefined ? 'connect' : 'secureConnect', () => {
        socket.off('error', reject)
        resolve(new RawConnection(socket))
      })
    })
  }

  /** Sends a head, and a body where there is one. */
  request(
    line: string,
    headers: Readonly<Record<string, string | number>>,
    body: string | Uint8Array = '',
  ): void {
    const fields = Object.entries({ Host: 'localhost', ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    )
    this.#socket.write(`${line} HTTP/1.1\r\n${fields.join('')}\r\n`)
    if (body.length > 0) this.#socket.write(body)
  }

  /** Sends bytes. @returns False once the kernel takes no more. */
  write(bytes: string | Uint8Array): boolean {
    return this.#socket.write(bytes)
  }

  /** Resolves when all that was written so far is in the kernel's hands. */
  written(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write('', (error) => (error ? reject(error) : resolve()))
    })
  }

  /** Sends a FIN and stays open for reading. */
  fin(): void {
    this.#socket.end()
  }

  reset(): void {
    this.#socket.resetAndDestroy()
  }

  /** The next answer, interim ones too. It needs a `Content-Length`, or none of a body. */
  answer(withinMs = 5000, isHead = false): Promise<RawAnswer> {
    return until('an answer on the raw connection', () => this.#take(isHead), withinMs)
  }

  /** Whether anything has come that is not yet taken. */
  get hasUnread(): boolean {
    return this.#received.length > 0
  }

  #take(isHead: boolean): RawAnswer | undefined {
    const end = this.#received.indexOf('\r\n\r\n')
    if (end < 0) {
      if (this.ended !== 'open') throw new Error(`the connection ended (${this.ended}) without an answer`)
      return undefined
    }
    const [statusLine = '', ...lines] = this.#received.toString('latin1', 0, end).split('\r\n')
    const headers = new Map(lines.map((line): [string, string] => splitLine(line)))
    const length = isHead ? 0 : Number(headers.get('content-length') ?? 0)
    const after = end + 4 + length
    if (this.#received.length < after) return undefined
    const body = this.#received.toString('utf8', end + 4, after)
    this.#received = this.#received.subarray(after)
    return { status: Number(statusLine.split(' ')[1]), headers, body }
  }

  #end(how: 'closed' | 'reset'): void {
    if (this.ended === 'open') this.ended = how
  }
}

function splitLine(line: string): [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
}
