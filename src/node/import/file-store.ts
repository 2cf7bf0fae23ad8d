import type { UploadId } from '../../core/upload-id.ts'
import { failure, success } from '../../protocol/parsed.ts'
import type { Parsed } from '../../protocol/parsed.ts'
import type { ForeignUpload, JsonObject } from './foreign-upload.ts'
import { parseSize, parseTexts } from './foreign-upload.ts'

/**
 * Understands a `.json` of @tus/file-store. Its `offset` stays 0, and its `storage.path` is that of one machine at one
 * time: both are ignored, as the store itself does.
 */
export function parseFileStore(info: JsonObject, id: UploadId): Parsed<ForeignUpload> {
  if (info['id'] !== id) return failure('its id is another one than its name says')
  const size = info['size']
  const isDeferred = size === undefined || size === null
  const length = isDeferred ? success(undefined) : parseSize(size, 'size')
  if (!length.ok) return length
  const metadata = parseTexts(info['metadata'], 'metadata')
  if (!metadata.ok) return metadata
  const { creation_date: created } = info
  const createdAtMs = typeof created === 'string' ? Date.parse(created) : NaN
  return success({
    id,
    length: length.value,
    metadata: metadata.value,
    // The store does not concatenate.
    concat: undefined,
    dataPath: id,
    createdAtMs: Number.isNaN(createdAtMs) ? undefined : createdAtMs,
  })
}
