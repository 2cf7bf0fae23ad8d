import type { OpenSource, Source, SourceOptions } from '../ports/source.ts'
import { blobSource, isBlob } from './blob.ts'
import { kindOf, notContent } from '../kind-of.ts'

/** A source of a Blob or File, or of a Blob made of text, a buffer or a view of one; `undefined` for anything else. */
export function blobLike(input: unknown, options: SourceOptions): Source | undefined {
  if (isBlob(input)) return blobSource(input, options)
  const isPart = ArrayBuffer.isView(input) || /^(String|ArrayBuffer)$/.test(kindOf(input))
  return isPart ? blobSource(new Blob([input as BlobPart]), options) : undefined
}

/** Opens what needs no buffer. */
export const openBlob: OpenSource = async (input, options) => {
  const source = blobLike(input, options)
  if (source) return source
  throw notContent(input)
}
