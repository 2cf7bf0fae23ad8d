import type { Body } from '../core/ports/body.ts'

/**
 * One HTTP request as the server sees it. Not a `Request`: a body must be pushed, a broken-off body must be told
 * from a complete one, and a running request must be resettable.
 */
export interface Exchange {
  readonly method: string
  /** The request target as it stood in the request line. */
  readonly target: string
  /** `1.0`, `1.1`, `2.0`. */
  readonly httpVersion: string
  /** The connection itself is encrypted. */
  readonly isSecure: boolean
  /** Address of the peer of the connection; `undefined` for a Unix socket or where the runtime does not tell. */
  readonly peerAddress: string | undefined
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean
  /** Whether trailers of a request can be read. False: `checksum-trailer` is not offered. */
  readonly readsTrailers: boolean
  readonly body: Body
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal
  /** Value of a field by lower-case name; several lines are joined with `, `. */
  header(name: string): string | undefined
  /** All fields: the values of all lines of each, by lower-case name. */
  headers(): Readonly<Record<string, readonly string[]>>
  sendContinue(): void
  /** Breaks the connection (HTTP/1) or the stream (HTTP/2) off, without an answer. */
  terminate(): void
}

/** Content of an answer: text, or bytes that are produced as the client takes them. */
export type ReplyBody = string | AsyncIterable<Uint8Array>

/** An answer. Names and values are checked text: no client value gets here raw. */
export interface Reply {
  readonly status: number
  /** Where the status has no usual phrase (460). */
  readonly statusText?: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: ReplyBody | undefined
}

/** `undefined`: the exchange was terminated, there is nobody to answer. */
export type Outcome = Reply | undefined
