import { TransferError } from '../errors.ts'
import type { Source, SourceOptions } from '../ports/source.ts'
import { notContent } from '../kind-of.ts'
import { iteratorFeed, readerFeed, streamSource } from './stream.ts'
import type { Feed } from './stream.ts'

/** What the kinds of streams are told by. */
type Streaming = Partial<ReadableStream<unknown>> &
  Partial<ReadableStreamDefaultReader<unknown>> &
  Partial<AsyncIterable<unknown>> &
  Partial<Iterable<unknown>>

/**
 * Opens what yields content, on any platform.
 *
 * @throws {TransferError} `source` for anything else.
 */
export function openStream(input: unknown, options: SourceOptions): Source {
  const feed = typeof input === 'object' && input !== null ? feedOf(input) : undefined
  if (feed) return streamSource(feed, options)
  throw notContent(input)
}

function feedOf(input: Streaming): Feed | undefined {
  if (input.locked) throw new TransferError('source', 'the stream is in use')
  // Asked first: not every browser can iterate over a stream.
  const reader = input.getReader?.() ?? input
  const iterator = reader === input && (input[Symbol.asyncIterator]?.() ?? input[Symbol.iterator]?.())
  if (iterator) return iteratorFeed(iterator)
  return 'read' in reader && 'cancel' in reader
    ? readerFeed(reader as ReadableStreamDefaultReader<unknown>)
    : undefined
}
