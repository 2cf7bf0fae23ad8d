import type { ClientRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Slice } from '../ports/source.ts'
import { chunksOf } from '../slice-chunks.ts'

/**
 * Bytes per write: progress is known only when a write is done, so a slow line gets small ones, or work would look
 * like a stall; a fast one gets large ones, which cost less.
 */
const MIN_PIECE_BYTES = 16 * 1024
const FIRST_PIECE_BYTES = 64 * 1024
const MAX_PIECE_BYTES = 512 * 1024
const FAST_MS = 20
const SLOW_MS = 200

/** Sends the body of one request. Copies nothing: the next chunk is asked for when the last one has left. */
export class BodySender {
  readonly #request: ClientRequest
  readonly #body: Slice
  readonly #onSent: (bytes: number) => void
  readonly #stopping = new AbortController()
  #pieceBytes = FIRST_PIECE_BYTES
  #sentBytes = 0
  #isDone = false
  #wake: () => void = () => undefined

  constructor(request: ClientRequest, body: Slice, onSent: (bytes: number) => void) {
    this.#request = request
    this.#body = body
    this.#onSent = onSent
  }

  /** Handed to the kernel so far. */
  get sentBytes(): number {
    return this.#sentBytes
  }

  /** Whether every byte has been handed to the kernel. */
  get isDone(): boolean {
    return this.#isDone
  }

  /**
   * Sends all of it and ends the request. Resolves early once stopped.
   *
   * @throws {TransferError} `source` when the body cannot be read.
   */
  async run(): Promise<void> {
    const { signal } = this.#stopping
    try {
      if (this.#body.sizeBytes === 0) this.#request.end()
      for await (const chunk of chunksOf(this.#body, signal)) {
        await this.#send(chunk)
        if (signal.aborted) return
      }
      this.#isDone = true
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /** Sends nothing more and lets the source go. */
  stop(): void {
    // With a reason of its own: the usual one is an error with a stack, made anew for each request.
    this.#stopping.abort('stopped')
    this.#wake()
  }

  async #send(chunk: Uint8Array): Promise<void> {
    for (let from = 0; from < chunk.length;) {
      const piece = chunk.subarray(from, from + this.#pieceBytes)
      const startedMs = performance.now()
      await this.#write(piece)
      if (this.#stopping.signal.aborted) return
      this.#adapt(performance.now() - startedMs)
      from += piece.length
      this.#sentBytes += piece.length
      this.#onSent(this.#sentBytes)
    }
  }

  /** Resolves when the kernel has taken the piece. A failed write is an `error` of the request, which stops this. */
  #write(piece: Uint8Array): Promise<void> {
    const isLast = this.#sentBytes + piece.length === this.#body.sizeBytes
    return new Promise((resolve) => {
      this.#wake = resolve
      const written = (error?: Error | null): void => {
        if (error === undefined || error === null) resolve()
      }
      // Ended together with the last piece: an answer may come before the callback of that write.
      if (isLast) this.#request.end(piece, written)
      else this.#request.write(piece, written)
    })
  }

  #adapt(tookMs: number): void {
    if (tookMs < FAST_MS) this.#pieceBytes = Math.min(MAX_PIECE_BYTES, this.#pieceBytes * 2)
    else if (tookMs > SLOW_MS) this.#pieceBytes = Math.max(MIN_PIECE_BYTES, this.#pieceBytes / 2)
  }
}

const ANSWER_GRACE_MS = 250
const patient = new WeakSet<Duplex>()

/**
 * Reports a failed write a moment late.
 *
 * A server that refuses a body (413) answers, then closes. The next write fails, and Node destroys the socket at once,
 * with the answer still unread in it. Reading is not disturbed by a write whose end is not known yet.
 */
export function delayWriteErrors(socket: Duplex): void {
  if (patient.has(socket)) return
  patient.add(socket)
  const write = socket._write.bind(socket)
  const writev = socket._writev?.bind(socket)
  socket._write = (chunk, encoding, done) => write(chunk, encoding, afterGrace(socket, done))
  if (writev !== undefined) socket._writev = (chunks, done) => writev(chunks, afterGrace(socket, done))
}

type Done = (error?: Error | null) => void

function afterGrace(socket: Duplex, done: Done): Done {
  return (error) => {
    if (!isClosedByPeer(error) || socket.destroyed) return done(error)
    const report = (): void => {
      clearTimeout(timer)
      socket.off('close', report)
      done(error)
    }
    const timer = setTimeout(report, ANSWER_GRACE_MS)
    socket.once('close', report)
  }
}

function isClosedByPeer(error: Error | null | undefined): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EPIPE' || error.code === 'ECONNRESET')
}
