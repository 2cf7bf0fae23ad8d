import type { OpenSource } from '../ports/source.ts'
import { blobSource, isBlob } from './blob.ts'
import { kindOf, notContent } from './kind-of.ts'

/** Opens Blobs and Files, and makes a Blob of text, buffers and their views. */
export const openBlob: OpenSource = async (input, options) => {
  if (isBlob(input)) return blobSource(input, options)
  if (!/^String|View|.Array/.test(kindOf(input))) throw notContent(input)
  return blobSource(new Blob([input as BlobPart]), options)
}
