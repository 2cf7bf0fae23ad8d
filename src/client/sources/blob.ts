import { SourceChanged, TransferError } from '../errors.ts'
import type { Source, SourceOptions, SourceTraits } from '../ports/source.ts'
import { kindOf } from './kind-of.ts'
import { memorySource, rangeOf } from './range.ts'

/** Tells a Blob or File of any realm. */
export function isBlob(input: unknown): input is Blob {
  return /^(Blob|File)$/.test(kindOf(input))
}

/** A source over a Blob or a File. Slices refer to it, nothing is copied. */
export function blobSource(blob: Blob, options: SourceOptions): Source {
  const range = rangeOf(options, blob.size)
  const { start, end } = range
  return memorySource(range, {
    traits: traitsOf(blob),
    content: (start, end) => ({ kind: 'blob', blob: blob.slice(start, end) }),
    async verify() {
      // Size and time of a File are those of the moment it was picked: only reading shows what became of it.
      await blob
        .slice(start, Math.min(start + 1, end))
        .arrayBuffer()
        .catch(refuse)
    },
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
  const name = cause instanceof Error ? cause.name : ''
  if (/^Not(Readable|Found)Error$/.test(name)) {
    throw new SourceChanged('the file has changed since it was picked')
  }
  throw cannotRead(cause)
}

export function cannotRead(cause: unknown): TransferError {
  return new TransferError('source', 'the picked file cannot be read', {
    cause,
    hint: 'Pick the file again.',
  })
}
