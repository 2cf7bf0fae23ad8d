import { TransferError, isTransferError } from './errors.ts'
import type { Slice } from './ports/source.ts'

/**
 * The content of a slice as a whole, for what cannot take it piece by piece.
 *
 * @throws {TransferError} `source` when it cannot be read or has another size than the slice says.
 * @throws `signal.reason` when aborted.
 */
export async function wholeOf(
  { content, sizeBytes }: Slice,
  signal: AbortSignal,
): Promise<Blob | Uint8Array<ArrayBuffer>> {
  if (content.kind === 'blob') return content.blob
  if (content.kind === 'bytes') return content.bytes
  const chunks: BlobPart[] = []
  try {
    for await (const chunk of content.chunks(signal)) {
      signal.throwIfAborted()
      // A copy: a source may use the memory of a chunk again.
      chunks.push(new Uint8Array(chunk))
    }
  } catch (error) {
    throw readFailure(error, signal)
  }
  const blob = new Blob(chunks)
  if (blob.size === sizeBytes) return blob
  throw new TransferError('source', `the source gave ${blob.size} bytes instead of ${sizeBytes}`)
}

/** As `wholeOf()`, in memory. */
export async function bytesOf(slice: Slice, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  const whole = await wholeOf(slice, signal)
  try {
    return 'size' in whole ? new Uint8Array(await whole.arrayBuffer()) : whole
  } catch (error) {
    throw readFailure(error, signal)
  }
}

export function readFailure(error: unknown, signal: AbortSignal): unknown {
  return signal.aborted ? signal.reason : readingFailed('cannot read the source', error)
}

/** What is told already stays as it is. */
export function readingFailed(what: string, cause: unknown): TransferError {
  if (isTransferError(cause)) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  return new TransferError('source', `${what}: ${why}`, { cause })
}
