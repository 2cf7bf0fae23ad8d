import { abortable } from '../abortable.ts'
import { SourceNotRewindable, TransferError, isTransferError } from '../errors.ts'
import type { Source, SourceOptions, SourceTraits } from '../ports/source.ts'
import { readingFailed } from '../slice-bytes.ts'
import { bytesOf } from './bytes.ts'
import { kindOf } from './kind-of.ts'
import { endsBefore, rangeOf } from './range.ts'
import { ReplayBuffer } from './replay-buffer.ts'

const REPLAY_BYTES = 16 * 1024 * 1024

/** What every kind of stream is turned into: chunks on demand, of bytes or strings. */
export interface Feed {
  next(): PromiseLike<IteratorResult<unknown, unknown>> | IteratorResult<unknown, unknown>
  /** Stops the stream; not called twice. */
  cancel(): unknown
  readonly traits?: SourceTraits | undefined
}

export function readerFeed(reader: Pick<ReadableStreamDefaultReader<unknown>, 'read' | 'cancel'>): Feed {
  return { next: () => reader.read(), cancel: () => reader.cancel() }
}

export function iteratorFeed(iterator: Iterator<unknown> | AsyncIterator<unknown>): Feed {
  return { next: () => iterator.next(), cancel: () => iterator.return?.() }
}

/**
 * A source over a stream: what was sent last is held, so that it can be sent again.
 *
 * At most `replayBufferBytes` are held; what the server has not confirmed by then is let go, oldest first. What slices
 * leave of that is filled ahead. A failure of the stream is kept until a slice is asked for that it stands in the way of.
 */
export function streamSource(feed: Feed, options: SourceOptions): Source {
  const { start: base, end: limit } = rangeOf(options)
  const held = new HeldStream(feed, options)
  return {
    isRewindable: false,
    traits: feed.traits ?? {},
    maxSliceBytes: Math.ceil(held.buffer.sizeBytes / 2),
    get sizeBytes() {
      if (limit < Infinity) return limit - base
      return held.hasEnded ? Math.max(0, held.buffer.end - base) : undefined
    },
    async slice(start, maxBytes, signal) {
      const first = base + start
      if (first > limit) throw endsBefore(start, limit - base)
      const target = Math.min(first + Math.min(maxBytes, held.buffer.sizeBytes), limit)
      await held.gather(first, target, signal)
      const { buffer } = held
      if (first < buffer.start) throw new SourceNotRewindable(start, buffer.start - base)
      const end = Math.min(target, buffer.end)
      void held.readAhead()
      const isLast = end === limit || (held.hasEnded && end === buffer.end)
      return {
        start,
        sizeBytes: end - first,
        isLast,
        content: { kind: 'bytes', bytes: buffer.slice(first, end) },
      }
    },
    release: (offset) => held.buffer.dropTo(base + offset),
    // Whoever holds a stream cannot know what it was made from.
    verify: async () => undefined,
    close: () => held.close(),
  }
}

/** A stream, and what is held of it. */
class HeldStream {
  readonly #feed: Feed
  readonly #limit: number
  /** The range ends where the stream must end: one more byte is an error. */
  readonly #endsWithRange: boolean
  readonly #read: () => Promise<Uint8Array | undefined>
  readonly buffer: ReplayBuffer
  hasEnded = false
  /** Of the last chunk, what is not held yet. The feed is asked again only when this is used up. */
  #pending: Uint8Array | undefined
  #pulling: Promise<void> | undefined
  #isReadingAhead = false
  #isClosed = false
  #failure: TransferError | undefined

  constructor(feed: Feed, options: SourceOptions) {
    const { start, end } = rangeOf(options)
    this.#feed = feed
    this.#read = encoder(feed)
    this.#limit = end
    this.#endsWithRange = end === options.sizeBytes
    this.buffer = new ReplayBuffer(Math.max(1, Math.floor(options.replayBufferBytes ?? REPLAY_BYTES)))
    this.buffer.dropTo(start)
  }

  /** Waits until the bytes before `target` are here and it is known if more follow, or the stream has ended. */
  async gather(first: number, target: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#isClosed) throw this.#failure
      this.#take(target)
      this.#checkEnd(first)
      const { end } = this.buffer
      const isEnough = end >= target && (this.#pending ?? end > target)
      if (this.hasEnded || isEnough || (end >= this.#limit && !this.#endsWithRange)) return
      if (this.#failure) throw this.#failure
      await abortable(this.#pull(), signal)
    }
  }

  /** Fills what room the buffer has, so that a slow stream is read while the slice before is sent. */
  async readAhead(): Promise<void> {
    if (this.#isReadingAhead) return
    this.#isReadingAhead = true
    while (!this.#failure && !this.hasEnded) {
      const target = Math.min(this.buffer.start + this.buffer.sizeBytes, this.#limit)
      this.#take(target)
      if (this.buffer.end >= target) break
      await this.#pull()
    }
    this.#isReadingAhead = false
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#failure = new TransferError('source', 'the source is closed')
    this.buffer.dropTo(Infinity)
    this.#pending = undefined
    // It may have failed before, or cannot be stopped: nobody reads it any more.
    const cancelled = (async () => await this.#feed.cancel())().catch(() => undefined)
    // A generator that waits for its own input answers only after that, perhaps never.
    if (!this.#pulling) await cancelled
  }

  /** Moves bytes of the pending chunk to those held. */
  #take(target: number): void {
    const { buffer } = this
    if (this.#pending && buffer.end < target) {
      const piece = this.#pending.subarray(0, target - buffer.end)
      buffer.append(piece)
      this.#pending = this.#pending.length > piece.length ? this.#pending.subarray(piece.length) : undefined
    }
  }

  #checkEnd(first: number): void {
    const limit = this.#limit
    const { end } = this.buffer
    if (this.hasEnded && limit < Infinity && end < limit) {
      throw new TransferError('source', `the stream ended after ${end} bytes, ${limit} were announced`)
    }
    if (this.hasEnded && first > end) throw endsBefore(first, end)
    if (this.#endsWithRange && end === limit && this.#pending) {
      throw new TransferError('source', `the stream goes on after the ${limit} bytes that were announced`)
    }
  }

  /** Asks for one chunk; the same one for all who wait. Never rejects. */
  #pull(): Promise<void> {
    this.#pulling ??= this.#next().finally(() => (this.#pulling = undefined))
    return this.#pulling
  }

  async #next(): Promise<void> {
    try {
      const bytes = await this.#read()
      // A reader that was cancelled says `done`: that is not the end of the content.
      if (this.#isClosed) return
      if (!bytes) this.hasEnded = true
      else if (bytes.length) this.#pending = bytes
    } catch (cause) {
      this.#failure ??= isTransferError(cause) ? cause : readingFailed('the stream failed', cause)
    }
  }
}

/** Reads what a feed yields as bytes; `undefined` at its end. */
function encoder(feed: Feed): () => Promise<Uint8Array | undefined> {
  /** Half of a character at the end of a chunk: two of them would be sent as two replacement characters. */
  let half = ''
  return async () => {
    const { done, value } = await feed.next()
    if (done && !half) return undefined
    const chunk: unknown = done ? '' : await value
    if (typeof chunk === 'string') {
      const text = half + chunk
      half = done ? '' : (/[\uD800-\uDBFF]$/.exec(text)?.[0] ?? '')
      return new TextEncoder().encode(text.slice(0, text.length - half.length))
    }
    const bytes = bytesOf(chunk)
    if (bytes && !half) return bytes
    const kind = half ? 'half a character' : kindOf(chunk)
    throw new TransferError('source', `the stream yields neither bytes nor text, but ${kind}`)
  }
}
