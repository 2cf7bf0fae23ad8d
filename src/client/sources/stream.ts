import { abortable } from '../abortable.ts'
import { SourceNotRewindable, TransferError } from '../errors.ts'
import type { Source, SourceOptions, SourceTraits } from '../ports/source.ts'
import { readingFailed } from '../slice-bytes.ts'
import { bytesOf } from './bytes.ts'
import { notContent } from '../kind-of.ts'
import { endsBefore, rangeOf } from './range.ts'
import { ReplayBuffer } from './replay-buffer.ts'

const REPLAY_BYTES = 16 * 1024 * 1024

/** What every kind of stream is turned into: chunks on demand, of bytes or strings. */
export interface Feed {
  next(): PromiseLike<IteratorResult<unknown, unknown>> | IteratorResult<unknown, unknown>
  /** Stops the stream; not called twice. */
  cancel(): unknown
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
export function streamSource(feed: Feed, options: SourceOptions, traits: SourceTraits = {}): Source {
  const { start: base, end: limit } = rangeOf(options)
  /** The range ends where the stream must end: one more byte is an error. */
  const endsWithRange = limit === options.sizeBytes
  const roomBytes = Math.ceil(options.replayBufferBytes ?? REPLAY_BYTES)
  const held = new ReplayBuffer(roomBytes)
  const read = encoder(feed)
  /** Of the last chunk, what is not held yet. The feed is asked again only when this is used up. */
  let pending = new Uint8Array()
  let pulling: Promise<unknown> | undefined
  let hasEnded = false
  let isClosed = false
  let failure: unknown
  held.dropTo(base)

  /** Asks for one chunk; the same one for all who wait. Never rejects. */
  const pull = (): Promise<unknown> =>
    (pulling ??= read()
      .then((bytes) => {
        if (bytes) pending = bytes
        // A reader that was cancelled says `done`: that is not the end of the content.
        else hasEnded = !isClosed
      })
      .catch((cause: unknown) => (failure ??= readingFailed('the stream failed', cause)))
      .finally(() => (pulling = undefined)))

  /** Moves bytes of the pending chunk to those held. */
  const take = (target: number): void => {
    if (held.end >= target) return
    const piece = pending.subarray(0, target - held.end)
    held.append(piece)
    pending = pending.subarray(piece.length)
  }

  /** Waits until the bytes before `target` are here and it is known if more follow, or the stream has ended. */
  const gather = async (first: number, target: number, signal: AbortSignal): Promise<void> => {
    for (;;) {
      signal.throwIfAborted()
      take(target)
      const { end } = held
      if (hasEnded && end < limit && limit < Infinity)
        throw new TransferError('source', `the stream ended after ${end} bytes, ${limit} were due`)
      if (hasEnded && first > end) throw endsBefore(first, end)
      if (endsWithRange && end === limit && pending.length)
        throw new TransferError('source', `the stream goes on after the ${limit} bytes`)
      const isEnough = end >= target && (pending.length || end > target)
      if (hasEnded || isEnough || (end >= limit && !endsWithRange)) return
      if (failure) throw failure
      await abortable(pull(), signal)
    }
  }

  /** Fills what room the buffer has, so that a slow stream is read while the slice before is sent. */
  const readAhead = (): void => {
    const target = Math.min(held.start + roomBytes, limit)
    take(target)
    if (!pulling && !failure && !hasEnded && held.end < target) void pull().then(readAhead)
  }

  return {
    isRewindable: false,
    traits,
    maxSliceBytes: Math.ceil(roomBytes / 2),
    get sizeBytes() {
      if (limit < Infinity) return limit - base
      return hasEnded ? held.end - base : undefined
    },
    async slice(start, maxBytes, signal) {
      const first = base + start
      const target = Math.min(first + Math.min(maxBytes, roomBytes), limit)
      await gather(first, target, signal)
      if (first < held.start) throw new SourceNotRewindable(start, held.start - base)
      const end = Math.min(target, held.end)
      readAhead()
      const isLast = end === limit || (hasEnded && end === held.end)
      const bytes = held.slice(first, end)
      return { start, sizeBytes: end - first, isLast, content: { kind: 'bytes', bytes } }
    },
    release: (offset) => held.dropTo(base + offset),
    // Whoever holds a stream cannot know what it was made from.
    async verify() {},
    async close() {
      if (isClosed) return
      isClosed = true
      failure = new TransferError('source', 'the source is closed')
      // It may have failed before, or cannot be stopped: nobody reads it any more.
      const cancelled = (async () => await feed.cancel())().catch(() => {})
      // A generator that waits for its own input answers only after that, perhaps never.
      if (!pulling) await cancelled
    },
  }
}

/** Reads what a feed yields as bytes; `undefined` at its end. */
function encoder(feed: Feed): () => Promise<Uint8Array<ArrayBuffer> | undefined> {
  /** Half of a character at the end of a chunk: two of them would be sent as two replacement characters. */
  let half = ''
  return async () => {
    const { done, value } = await feed.next()
    if (done && !half) return undefined
    const chunk: unknown = done ? '' : await value
    if (typeof chunk === 'string') {
      const text = half + chunk
      const cut = text.length - Number(!done && /[\uD800-\uDBFF]$/.test(text))
      half = text.slice(cut)
      return new TextEncoder().encode(text.slice(0, cut))
    }
    const bytes = bytesOf(chunk)
    if (bytes && !half) return bytes
    throw notContent(chunk)
  }
}
