import { TransferError, isTransferError } from './errors.ts'
import type { Slice, SliceContent } from './ports/source.ts'

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

/**
 * The content of a slice in one piece of memory, for what cannot take it piece by piece.
 *
 * @throws as `chunksOf`.
 */
export async function bytesOf(slice: Slice, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  if (slice.content.kind === 'bytes') return slice.content.bytes
  const all = new Uint8Array(slice.sizeBytes)
  let offset = 0
  for await (const chunk of chunksOf(slice, signal)) {
    all.set(chunk, offset)
    offset += chunk.length
  }
  return all
}

function piecesOf(content: SliceContent, signal: AbortSignal): AsyncIterable<Uint8Array> {
  if (content.kind === 'chunks') return content.chunks(signal)
  return content.kind === 'bytes' ? memoryPieces(content.bytes) : blobPieces(content.blob)
}

async function* memoryPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  for (let start = 0; start < bytes.length; start += PIECE_BYTES)
    yield bytes.subarray(start, start + PIECE_BYTES)
}

/** Reads one piece ahead. Faster than `stream()`, which in Node copies a Blob in memory as a whole. */
async function* blobPieces(blob: Blob): AsyncGenerator<Uint8Array, void> {
  const read = async (start: number): Promise<Uint8Array | Error> => {
    try {
      return new Uint8Array(await blob.slice(start, start + PIECE_BYTES).arrayBuffer())
    } catch (error) {
      // Kept as a value: nobody may ever ask for a piece that was read ahead.
      return error instanceof Error ? error : new Error(String(error))
    }
  }
  let next = read(0)
  for (let start = 0; start < blob.size; start += PIECE_BYTES) {
    const piece = await next
    if (piece instanceof Error) throw piece
    if (start + PIECE_BYTES < blob.size) next = read(start + PIECE_BYTES)
    yield piece
  }
}

function readFailure(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  if (isTransferError(error)) return error
  const detail = error instanceof Error ? error.message : String(error)
  return new TransferError('source', `the source cannot be read: ${detail}`, { cause: error })
}
