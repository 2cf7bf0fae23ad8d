import type { UploadId } from '../../src/core/upload-id.ts'
import { parseUploadId } from '../../src/core/upload-id.ts'

function uploadId(text: string): UploadId {
  const id = parseUploadId(text.padEnd(28, 'x'))
  if (id === undefined) throw new TypeError(`not an id: ${text}`)
  return id
}

export const anId: UploadId = uploadId('one')
export const anotherId: UploadId = uploadId('another')
