import { TransferError } from '../errors.ts'
import type { OpenSource } from '../ports/source.ts'
import { cannotRead } from './blob.ts'
import { kindOf } from '../kind-of.ts'
import { blobLike } from './open-blob.ts'
import { openStream } from './open-stream.ts'

/** The part of `FileSystemFileHandle` that is used; a handle of a directory has no `getFile`. */
interface PickedHandle {
  getFile?(): Promise<Blob>
}

/**
 * Opens what a page has: Blob and File, buffers, a ReadableStream or its reader, iterables of bytes or text, and
 * handles of the file picker. A string is content, sent as UTF-8; bytes in memory are copied once.
 */
export const openBrowserSource: OpenSource = async (input, options) => {
  const content = isHandle(input) ? await fileOf(input) : input
  return blobLike(content, options) ?? openStream(content, options)
}

function isHandle(input: unknown): input is PickedHandle {
  return /^FileSystem\w*Handle$/.test(kindOf(input))
}

async function fileOf(handle: PickedHandle): Promise<Blob> {
  if (!handle.getFile) throw new TransferError('source', 'a directory was picked')
  return await handle.getFile().catch((cause: unknown) => {
    throw cannotRead(cause)
  })
}
