import { TransferError } from './errors.ts'
import type { Slice, SliceContent } from './ports/source.ts'
import { readFailure } from './slice-bytes.ts'

/** Large enough that the work per piece does not count, small enough that a thread is not held for long. */
const PIECE_BYTES = 1024 * 1024

/**
 * The content of a slice, whatever its kind, in pieces. A piece is valid until the next one is asked for.
 *
 * Exactly `sizeBytes` come out: after the last of them the source is not asked again.
 *
 * @throws {TransferError} `source` when it cannot be read or has another size than the slice says.
 * @throws `signal.reason` when aborted.
 */
export async function* chunksOf(slice: Slice, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  let left = slice.sizeBytes
  if (left === 0) return
  try {
    for await (const chunk of piecesOf(slice.content, signal)) {
      signal.throwIfAborted()
      if (chunk.length > left)
        throw new TransferError('source', 'the source gave more bytes than it announced')
      left -= chunk.length
      if (chunk.length > 0) yield chunk
      if (left === 0) return
    }
  } catch (error) {
    throw readFailure(error, signal)
  }
  throw new TransferError('source', `the source ended ${left} bytes before the end of the slice`)
}

/** A Blob is read one piece ahead: `stream()` copies it as a whole in Node when it is in memory. */
async function* piecesOf(content: SliceContent, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  if (content.kind === 'chunks') {
    yield* content.chunks(signal)
    return
  }
  const { kind } = content
  const size = kind === 'blob' ? content.blob.size : content.bytes.length
  const read = async (start: number): Promise<Uint8Array> => {
    const end = start + PIECE_BYTES
    return kind === 'bytes'
      ? content.bytes.subarray(start, end)
      : new Uint8Array(await content.blob.slice(start, end).arrayBuffer())
  }
  let next = read(0)
  for (let start = 0; start < size; start += PIECE_BYTES) {
    const piece = await next
    next = read(start + PIECE_BYTES)
    // Nobody may ever ask for a piece that was read ahead.
    next.catch(() => undefined)
    yield piece
  }
}
