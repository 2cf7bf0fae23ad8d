import type { Slice } from './source.ts'

/** Sends one HTTP request. It knows nothing of uploads, retries or timeouts: those are counted by its caller. */
export interface Transport {
  /**
   * Sends a request and reads the answer.
   *
   * Redirects are followed for GET, HEAD and OPTIONS only, where the platform lets us decide.
   * An answer that comes before the body has been sent ends the sending and is returned.
   *
   * @returns The answer, whatever its status.
   * @throws {TransferError} `network` when there is no answer or it breaks off; `source` when the body cannot be read.
   * @throws `request.signal.reason` when aborted. Nothing of the request goes on after that.
   */
  send(request: TransportRequest): Promise<TransportResponse>
  /** Whether `onSent` is called while a body goes out (fetch cannot). Without it a stall cannot be told from work. */
  readonly reportsSent: boolean
  /** Closes idle connections. Idempotent. */
  close(): Promise<void>
}

export interface TransportRequest {
  readonly method: string
  readonly url: string
  readonly headers: ReadonlyMap<string, string>
  readonly body?: Slice | undefined
  /** Aborted when the request is given up, and when it is over. */
  readonly signal: AbortSignal
  /** Bytes of the body handed to the network so far. Never decreases. */
  readonly onSent?: ((bytes: number) => void) | undefined
  /** Called for each piece of the answer's body instead of gathering it; a promise holds the reading back. */
  readonly onData?: ((chunk: Uint8Array, response: ResponseHead) => void | Promise<void>) | undefined
}

export interface ResponseHead {
  readonly status: number
  /** Value of a response header, the name in any case; lists joined by `, `. */
  header(name: string): string | undefined
  /** Where the answer came from, after redirects. */
  readonly url: string
}

export interface TransportResponse extends ResponseHead {
  /** The body as text, at most 64 KiB of it; empty with `onData`. */
  readonly text: string
}
