import { SourceChanged } from '../errors.ts'
import type { TransferError } from '../errors.ts'
import type { Source, SourceOptions, SourceTraits } from '../ports/source.ts'
import { readingFailed } from '../slice-bytes.ts'
import { kindOf } from '../kind-of.ts'
import { memorySource, rangeOf } from './range.ts'

/** Tells a Blob or File of any realm. */
export function isBlob(input: unknown): input is Blob {
  return /^(Blob|File)$/.test(kindOf(input))
}

/** A source over a Blob or a File. Slices refer to it, nothing is copied. */
export function blobSource(blob: Blob, options: SourceOptions): Source {
  return memorySource(rangeOf(options, blob.size), {
    traits: traitsOf(blob),
    content: (start, end) => ({ kind: 'blob', blob: blob.slice(start, end) }),
    // Size and time of a File are those of the moment it was picked: only reading shows what became of it.
    verify: async () => void (await blob.slice(0, 1).arrayBuffer().catch(refuse)),
  })
}

function traitsOf({
  name,
  type,
  webkitRelativePath: path,
  lastModified,
}: Blob & Partial<File>): SourceTraits {
  return { name, type: type || undefined, path: path || undefined, modifiedMs: lastModified }
}

function refuse(cause: unknown): never {
  // NotReadableError or NotFoundError
  throw /^Not[RF]/.test(String(cause)) ? new SourceChanged() : cannotRead(cause)
}

export function cannotRead(cause: unknown): TransferError {
  return readingFailed('cannot read the source', cause)
}
