import { TransferError } from '../errors.ts'
import type { OpenSource } from '../ports/source.ts'
import { bytesSource } from './bytes.ts'
import { openContent } from './open-content.ts'

/**
 * Opens what a page has: Blob and File, buffers, a ReadableStream or its reader, iterables of bytes or text, and
 * handles of the file picker. A string is content, sent as UTF-8.
 */
export const openBrowserSource: OpenSource = async (input, options) => {
  if (typeof input === 'string') return bytesSource(new TextEncoder().encode(input), options)
  return openContent(isHandle(input) ? await fileOf(input) : input, options)
}

/** The part of `FileSystemFileHandle` that is used; a handle of a directory has no `getFile`. */
interface PickedHandle {
  readonly kind: string
  getFile?(): Promise<Blob>
}

function isHandle(input: unknown): input is PickedHandle {
  return /^\[object FileSystem\w*Handle\]$/.test(Object.prototype.toString.call(input))
}

async function fileOf(handle: PickedHandle): Promise<Blob> {
  if (handle.getFile === undefined) {
    throw new TransferError('source', 'a directory was picked', {
      hint: 'Upload the files in it, each by itself.',
    })
  }
  try {
    return await handle.getFile()
  } catch (cause) {
    throw new TransferError('source', 'the picked file cannot be read', {
      cause,
      hint: 'Pick the file again.',
    })
  }
}
