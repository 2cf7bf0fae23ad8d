import type { Source, SourceOptions } from '../ports/source.ts'
import { blobSource, isBlob } from './blob.ts'
import { bytesOf, bytesSource } from './bytes.ts'
import { openStream } from './open-stream.ts'

/**
 * Opens what holds or yields content itself. Bytes in memory are not copied.
 *
 * @throws {TransferError} `source` for anything else.
 */
export function openContent(input: unknown, options: SourceOptions): Source {
  if (isBlob(input)) return blobSource(input, options)
  const bytes = bytesOf(input)
  return bytes ? bytesSource(bytes, options) : openStream(input, options)
}
