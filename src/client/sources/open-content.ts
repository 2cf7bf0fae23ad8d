import { TransferError } from '../errors.ts'
import type { Source, SourceOptions } from '../ports/source.ts'
import { blobSource, isBlob } from './blob.ts'
import { bytesOf, bytesSource } from './bytes.ts'
import { iteratorFeed, readerFeed, streamSource } from './stream.ts'
import type { Feed } from './stream.ts'

/**
 * Opens what holds or yields content itself, on any platform.
 *
 * @throws {TransferError} `source` for anything else.
 */
export function openContent(input: unknown, options: SourceOptions): Source {
  if (isBlob(input)) return blobSource(input, options)
  const bytes = bytesOf(input)
  if (bytes !== undefined) return bytesSource(bytes, options)
  const feed = typeof input === 'object' && input !== null ? feedOf(input) : undefined
  if (feed !== undefined) return streamSource(feed, options)
  throw new TransferError('source', `cannot upload ${Object.prototype.toString.call(input).slice(8, -1)}`, {
    hint: 'Pass a file, a Blob, bytes, a stream or an iterable of bytes.',
  })
}

function feedOf(input: object): Feed | undefined {
  // Asked first: not every browser can iterate over a stream.
  if (isStream(input)) return readerFeed(readerOf(input))
  if (isAsyncIterable(input)) return iteratorFeed(input[Symbol.asyncIterator]())
  if (isIterable(input)) return iteratorFeed(input[Symbol.iterator]())
  if (isReader(input)) return readerFeed(input)
  return undefined
}

function readerOf(stream: ReadableStream<unknown>): ReadableStreamDefaultReader<unknown> {
  if (stream.locked) throw new TransferError('source', 'somebody else reads the stream already')
  return stream.getReader()
}

function isStream(input: object): input is ReadableStream<unknown> {
  return 'getReader' in input
}

function isReader(input: object): input is ReadableStreamDefaultReader<unknown> {
  return 'read' in input && 'cancel' in input
}

function isAsyncIterable(input: object): input is AsyncIterable<unknown> {
  return Symbol.asyncIterator in input
}

function isIterable(input: object): input is Iterable<unknown> {
  return Symbol.iterator in input
}
