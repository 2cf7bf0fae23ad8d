import { SourceChanged, TransferError } from '../errors.ts'
import type { Source, SourceOptions, SourceTraits } from '../ports/source.ts'
import { extent, rangeOf } from './range.ts'

/** Tells a Blob or File of any realm. */
export function isBlob(input: unknown): input is Blob {
  return /^\[object (Blob|File)\]$/.test(Object.prototype.toString.call(input))
}

/** A source over a Blob or a File. Slices refer to it, nothing is copied. */
export function blobSource(blob: Blob, options: SourceOptions): Source {
  const range = rangeOf(options, blob.size)
  const sizeBytes = range.end - range.start
  const part = (start: number, length: number): Blob =>
    blob.slice(range.start + start, range.start + start + length)
  return {
    sizeBytes,
    traits: traitsOf(blob),
    isRewindable: true,
    async slice(start, maxBytes, signal) {
      signal.throwIfAborted()
      const place = extent(sizeBytes, { start, maxBytes })
      return { ...place, content: { kind: 'blob', blob: part(start, place.sizeBytes) } }
    },
    release: () => undefined,
    async verify() {
      // Size and time of a File are those of the moment it was picked: only reading shows what became of it.
      await part(0, Math.min(1, sizeBytes)).arrayBuffer().catch(refuse)
    },
    close: async () => undefined,
  }
}

function traitsOf(
  blob: Blob & Partial<Record<'name' | 'webkitRelativePath' | 'lastModified', unknown>>,
): SourceTraits {
  const { name, webkitRelativePath: path, lastModified } = blob
  return {
    name: typeof name === 'string' ? name : undefined,
    type: blob.type || undefined,
    path: typeof path === 'string' && path !== '' ? path : undefined,
    modifiedMs: typeof lastModified === 'number' ? lastModified : undefined,
  }
}

function refuse(cause: unknown): never {
  const name = cause instanceof Error ? cause.name : ''
  if (name === 'NotReadableError' || name === 'NotFoundError') {
    throw new SourceChanged('the file has changed or is gone since it was picked')
  }
  throw new TransferError('source', 'the file cannot be read', { cause, hint: 'Pick the file again.' })
}
