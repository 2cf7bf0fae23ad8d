import type { ClientRequest, IncomingMessage } from 'node:http'
import { TransferError } from '../errors.ts'
import type { ResponseHead, TransportRequest, TransportResponse } from '../ports/transport.ts'
import { BodySender, delayWriteErrors } from './node-body.ts'
import { networkError } from './node-network-error.ts'
import type { Addressee } from './node-network-error.ts'

/** An answer is read for a person to look at: more than this is a download gone astray. */
const TEXT_BYTES = 64 * 1024

/** The server had closed an idle connection just when it was used again. Nothing of the request was processed. */
export class StaleConnection extends TransferError {
  constructor({ message, cause, method, url }: TransferError) {
    super('network', message, { cause, method, url })
  }
}

/** One request to one address; redirects make several of one call. */
interface Leg {
  readonly request: TransportRequest
  readonly url: URL
  /** Whom it is sent to instead of the host of the address. */
  readonly proxy: URL | undefined
  /** Makes the request; nothing has been sent when this returns. */
  readonly open: () => ClientRequest
}

/**
 * Sends one request and reads its answer. Whatever the end, the request is over when this settles.
 *
 * @throws {StaleConnection} when it may simply be sent again.
 * @throws as `Transport.send`.
 */
export async function exchange(leg: Leg): Promise<TransportResponse> {
  leg.request.signal.throwIfAborted()
  return new Exchange(leg).run()
}

class Exchange {
  readonly #request: TransportRequest
  readonly #url: URL
  readonly #addressee: Addressee
  readonly #outgoing: ClientRequest
  readonly #sender: BodySender | undefined
  #hasAnswer = false

  constructor({ request, url, proxy, open }: Leg) {
    this.#request = request
    this.#url = url
    this.#addressee = { method: request.method, url, proxy }
    this.#outgoing = open()
    if (request.body !== undefined) {
      this.#sender = new BodySender(this.#outgoing, request.body, (bytes) => request.onSent?.(bytes))
    }
  }

  async run(): Promise<TransportResponse> {
    const { signal } = this.#request
    let abort = (): void => undefined
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(signal.reason)
    })
    signal.addEventListener('abort', abort, { once: true })
    try {
      return await Promise.race([aborted, this.#converse()])
    } catch (error) {
      this.#outgoing.destroy()
      throw error
    } finally {
      signal.removeEventListener('abort', abort)
      this.#sender?.stop()
    }
  }

  async #converse(): Promise<TransportResponse> {
    const incoming = await this.#answer()
    const head = headOf(incoming, this.#url)
    const text = await this.#read(incoming, head)
    await this.#settle()
    return { ...head, text }
  }

  #answer(): Promise<IncomingMessage> {
    const outgoing = this.#outgoing
    return new Promise((resolve, reject) => {
      outgoing.on('socket', delayWriteErrors)
      outgoing.on('response', (incoming) => {
        this.#hasAnswer = true
        resolve(incoming)
      })
      // It may also come after the answer, and must find a listener then.
      outgoing.on('error', (error) => reject(this.#failure(error)))
      outgoing.on('close', () => {
        if (!this.#hasAnswer) reject(this.#failure(new Error('the connection was closed')))
      })
      if (this.#sender === undefined) outgoing.end()
      else this.#sender.run().catch(reject)
    })
  }

  async #read(incoming: IncomingMessage, head: ResponseHead): Promise<string> {
    const request = this.#request
    const gathered: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of this.#chunksOf(incoming)) {
      request.signal.throwIfAborted()
      if (request.onData !== undefined) await request.onData(chunk, head)
      else {
        gathered.push(chunk)
        bytes += chunk.length
        if (bytes >= TEXT_BYTES) break
      }
    }
    return Buffer.concat(gathered).toString('utf8', 0, TEXT_BYTES)
  }

  /** A connection cut in the middle of an answer ends the iteration with an error. */
  async *#chunksOf(incoming: IncomingMessage): AsyncGenerator<Uint8Array, void> {
    try {
      for await (const chunk of incoming) if (chunk instanceof Uint8Array) yield chunk
    } catch (error) {
      throw networkError(error, this.#addressee)
    }
  }

  /** The answer is here. If the body is not through, the connection cannot be used again. */
  async #settle(): Promise<void> {
    if (this.#sender === undefined || this.#sender.isDone) return
    // Of one turn of the event loop, reads come before writes: the last write may have ended without our knowing.
    await new Promise(setImmediate)
    if (!this.#sender.isDone) this.#outgoing.destroy()
  }

  #failure(error: Error): Error {
    const isCut = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
    const { body } = this.#request
    const mayRepeat = body === undefined || (body.content.kind !== 'chunks' && this.#sender?.sentBytes === 0)
    const isStale = isCut && mayRepeat && this.#outgoing.reusedSocket && !this.#hasAnswer
    const failure = networkError(error, this.#addressee)
    return isStale ? new StaleConnection(failure) : failure
  }
}

function headOf(incoming: IncomingMessage, url: URL): ResponseHead {
  return {
    status: incoming.statusCode ?? 0,
    url: url.href,
    header(name) {
      const value = incoming.headers[name.toLowerCase()]
      return Array.isArray(value) ? value.join(', ') : value
    },
  }
}
