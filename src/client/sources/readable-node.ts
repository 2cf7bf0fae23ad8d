import type { Readable } from 'node:stream'
import { TransferError } from '../errors.ts'
import type { Feed } from './stream.ts'

/**
 * Reads a Node stream.
 *
 * @throws {TransferError} `source` when it has been read to its end before: that would look like an empty file.
 */
export function readableFeed(readable: Readable): Feed {
  if (readable.readableEnded) throw new TransferError('source', 'the stream has been read before')
  // It may fail before it is read and when it is stopped: without a listener that would end the process.
  readable.on('error', () => undefined)
  const iterator = readable[Symbol.asyncIterator]()
  return { next: () => iterator.next(), cancel: () => readable.destroy() }
}
