import { SourceNotRewindable, TransferError } from '../errors.ts'
import type { Slice, SliceContent, Source, SourceOptions, SourceTraits } from '../ports/source.ts'
import { abortable } from './abortable.ts'
import { bytesOf } from './bytes.ts'
import { endsBefore, rangeOf } from './range.ts'
import type { Range } from './range.ts'
import { ReplayBuffer } from './replay-buffer.ts'

/** What every kind of stream is turned into: chunks on demand, of bytes or strings. */
export interface Feed {
  next(): PromiseLike<IteratorResult<unknown, unknown>> | IteratorResult<unknown, unknown>
  /** Stops the stream; not called twice. */
  cancel(): unknown
  /** Whether chunks are ours once handed out. A generator may fill the same buffer again. */
  readonly givesAway: boolean
  readonly traits?: SourceTraits | undefined
}

export function readerFeed(reader: Pick<ReadableStreamDefaultReader<unknown>, 'read' | 'cancel'>): Feed {
  return { next: () => reader.read(), cancel: () => reader.cancel(), givesAway: true }
}

export function iteratorFeed(iterator: Iterator<unknown> | AsyncIterator<unknown>): Feed {
  return { next: () => iterator.next(), cancel: () => iterator.return?.(), givesAway: false }
}

/**
 * A source over a stream: what was sent last is held, so that it can be sent again.
 *
 * At most `replayBufferBytes` are held; what the server has not confirmed by then is let go, oldest first. What slices
 * leave of that is filled ahead. A failure of the stream is kept until a slice is asked for that it stands in the way of.
 */
export function streamSource(feed: Feed, options: SourceOptions): Source {
  return new StreamSource(feed, options)
}

class StreamSource implements Source {
  readonly isRewindable = false
  readonly traits: SourceTraits
  readonly #feed: Feed
  readonly #range: Range
  /** The range ends where the stream must end: one more byte is an error. */
  readonly #endsWithRange: boolean
  readonly #budgetBytes: number
  readonly #held = new ReplayBuffer()
  /** Of the last chunk, what is not held yet. The feed is asked again only when this is used up. */
  #pending: Uint8Array<ArrayBuffer> | undefined
  /** Half of a character at the end of a chunk of text. */
  #half = ''
  #pulling: Promise<void> | undefined
  #isReadingAhead = false
  #hasEnded = false
  #isClosed = false
  #failure: TransferError | undefined

  constructor(feed: Feed, options: SourceOptions) {
    this.#feed = feed
    this.#range = rangeOf(options)
    this.#endsWithRange = this.#range.end === options.sizeBytes
    this.#budgetBytes = Math.max(1, options.replayBufferBytes)
    this.traits = feed.traits ?? {}
  }

  get sizeBytes(): number | undefined {
    const { start, end } = this.#range
    if (end !== Infinity) return end - start
    return this.#hasEnded ? Math.max(0, this.#held.end - start) : undefined
  }

  async slice(start: number, maxBytes: number, signal: AbortSignal): Promise<Slice> {
    const { start: base, end: limit } = this.#range
    const first = base + start
    if (first > limit) throw endsBefore(start, limit - base)
    const target = Math.min(first + Math.min(maxBytes, this.#budgetBytes), limit)
    await this.#gather(first, target, signal)
    const held = this.#held
    if (first < held.start) throw new SourceNotRewindable(start, held.start - base)
    const end = Math.min(target, held.end)
    void this.#readAhead()
    const isLast = end === limit || (this.#hasEnded && end === held.end)
    return { start, sizeBytes: end - first, isLast, content: contentOf(held.views(first, end)) }
  }

  release(offset: number): void {
    this.#held.dropTo(this.#range.start + offset)
  }

  // Whoever holds a stream cannot know what it was made from.
  async verify(): Promise<void> {}

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#failure = new TransferError('source', 'the source is closed')
    this.#held.dropTo(Infinity)
    this.#pending = undefined
    const cancelled = this.#cancel()
    // A generator that waits for its own input answers only after that, perhaps never.
    if (this.#pulling === undefined) await cancelled
  }

  async #gather(first: number, target: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#isClosed) throw this.#failure
      this.#take(first, target)
      this.#checkEnd(first)
      if (this.#hasEnded || this.#suffices(target)) return
      if (this.#failure !== undefined) throw this.#failure
      await abortable(this.#pull(), signal)
    }
  }

  /** Fills what room the buffer has, so that a slow stream is read while the slice before is sent. */
  async #readAhead(): Promise<void> {
    if (this.#isReadingAhead) return
    this.#isReadingAhead = true
    const held = this.#held
    while (this.#failure === undefined && !this.#hasEnded) {
      const target = Math.min(held.start + this.#budgetBytes, this.#range.end)
      this.#take(held.start, target)
      if (held.end >= target) break
      await this.#pull()
    }
    this.#isReadingAhead = false
  }

  /** Whether the bytes before `target` are here and it is known if more follow. */
  #suffices(target: number): boolean {
    const { end } = this.#held
    if (end < target) return false
    if (target === this.#range.end && !this.#endsWithRange) return true
    return end > target || this.#pending !== undefined
  }

  /** Moves bytes of the pending chunk to those held; bytes before `first` are skipped. */
  #take(first: number, target: number): void {
    const held = this.#held
    while (this.#pending !== undefined && held.end < target) {
      const isSkipped = held.end < first
      const piece = this.#pending.subarray(0, (isSkipped ? first : target) - held.end)
      if (isSkipped) held.skip(piece.length)
      else held.append(piece, this.#feed.givesAway)
      this.#pending = this.#pending.length > piece.length ? this.#pending.subarray(piece.length) : undefined
    }
    held.dropTo(held.end - this.#budgetBytes)
  }

  #checkEnd(first: number): void {
    const { start: base, end: limit } = this.#range
    const { end } = this.#held
    if (this.#hasEnded && limit !== Infinity && end < limit) {
      throw new TransferError('source', `the stream ended after ${end} bytes, ${limit} were announced`)
    }
    if (this.#hasEnded && first > end) throw endsBefore(first - base, Math.max(0, end - base))
    if (this.#endsWithRange && end === limit && this.#pending !== undefined) {
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
      const { done, value } = await this.#feed.next()
      // A reader that was cancelled says `done`: that is not the end of the content.
      if (this.#isClosed) return
      if (done === true) this.#end()
      else this.#accept(await value)
    } catch (cause) {
      this.#failure ??= cause instanceof TransferError ? cause : readingFailed(cause)
    }
  }

  #end(): void {
    if (this.#half === '') this.#hasEnded = true
    else this.#pending = this.#encode('', true)
  }

  #accept(value: unknown): void {
    const bytes = typeof value === 'string' ? this.#encode(value) : bytesOf(value)
    if (bytes === undefined) {
      const kind = Object.prototype.toString.call(value).slice('[object '.length, -1)
      throw new TransferError('source', `the stream yields neither bytes nor text, but ${kind}`, {
        hint: 'Turn what it yields into bytes first.',
      })
    }
    if (this.#half !== '' && typeof value !== 'string') {
      throw new TransferError('source', 'the stream goes over from text to bytes within a character')
    }
    if (bytes.length > 0) this.#pending = bytes
  }

  /** Two halves of a character, one at the end of a chunk, would be sent as two replacement characters. */
  #encode(chunk: string, isLast = false): Uint8Array<ArrayBuffer> {
    const text = this.#half + chunk
    this.#half = isLast ? '' : (/[\uD800-\uDBFF]$/.exec(text)?.[0] ?? '')
    return new TextEncoder().encode(text.slice(0, text.length - this.#half.length))
  }

  async #cancel(): Promise<void> {
    try {
      await this.#feed.cancel()
    } catch {
      // It has failed before, or cannot be stopped: nobody reads it any more.
    }
  }
}

function contentOf(views: readonly Uint8Array<ArrayBuffer>[]): SliceContent {
  const [bytes = new Uint8Array(0), ...more] = views
  if (more.length === 0) return { kind: 'bytes', bytes }
  return {
    kind: 'chunks',
    async *chunks(signal) {
      for (const view of views) {
        signal.throwIfAborted()
        yield view
      }
    },
  }
}

function readingFailed(cause: unknown): TransferError {
  return new TransferError(
    'source',
    `the stream failed: ${cause instanceof Error ? cause.message : String(cause)}`,
    {
      cause,
    },
  )
}
