import { TransferError } from '../errors.ts'
import type { OpenSource } from '../ports/source.ts'
import { cannotRead } from './blob.ts'
import { kindOf } from './kind-of.ts'
import { openContent } from './open-content.ts'

/** The part of `FileSystemFileHandle` that is used; a handle of a directory has no `getFile`. */
interface PickedHandle {
  getFile?(): Promise<Blob>
}

/**
 * Opens what a page has: Blob and File, buffers, a ReadableStream or its reader, iterables of bytes or text, and
 * handles of the file picker. A string is content, sent as UTF-8.
 */
export const openBrowserSource: OpenSource = async (input, options) => {
  if (typeof input === 'string') return openContent(new TextEncoder().encode(input), options)
  return openContent(isHandle(input) ? await fileOf(input) : input, options)
}

function isHandle(input: unknown): input is PickedHandle {
  return /^FileSystem\w*Handle$/.test(kindOf(input))
}

async function fileOf(handle: PickedHandle): Promise<Blob> {
  if (!handle.getFile)
    throw new TransferError('source', 'a directory was picked', { hint: 'Upload its files.' })
  try {
    return await handle.getFile()
  } catch (cause) {
    throw cannotRead(cause)
  }
}
