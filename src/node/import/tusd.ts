import { posix } from 'node:path'
import type { Concat } from '../../core/upload.ts'
import type { UploadId } from '../../core/upload-id.ts'
import { parseUploadId } from '../../core/upload-id.ts'
import { failure, success } from '../../protocol/parsed.ts'
import type { Parsed } from '../../protocol/parsed.ts'
import type { ForeignUpload, JsonObject } from './foreign-upload.ts'
import { isObject, parseFlag, parseSize, parseTexts } from './foreign-upload.ts'

/**
 * Understands an `.info` of tusd's filestore. Its `Offset` stays 0 for ever and is ignored, as tusd ignores it.
 *
 * @param from - The directory it lies in, absolute and without links.
 */
export function parseTusd(info: JsonObject, id: UploadId, from: string): Parsed<ForeignUpload> {
  if (info['ID'] !== id) return failure('its ID is another one than its name says')
  const length = parseLength(info)
  if (!length.ok) return length
  const metadata = parseTexts(info['MetaData'], 'MetaData')
  if (!metadata.ok) return metadata
  const concat = parseConcat(info)
  if (!concat.ok) return concat
  const dataPath = parseStorage(info['Storage'], id, from)
  if (!dataPath.ok) return dataPath
  return success({
    id,
    length: length.value,
    metadata: metadata.value,
    concat: concat.value,
    dataPath: dataPath.value,
    createdAtMs: undefined,
  })
}

function parseLength(info: JsonObject): Parsed<number | undefined> {
  const isDeferred = parseFlag(info['SizeIsDeferred'], 'SizeIsDeferred')
  if (!isDeferred.ok) return isDeferred
  return isDeferred.value ? success(undefined) : parseSize(info['Size'], 'Size')
}

function parseConcat(info: JsonObject): Parsed<Concat | undefined> {
  const isPartial = parseFlag(info['IsPartial'], 'IsPartial')
  if (!isPartial.ok) return isPartial
  const isFinal = parseFlag(info['IsFinal'], 'IsFinal')
  if (!isFinal.ok) return isFinal
  if (isPartial.value && isFinal.value) return failure('it is both a partial and a final upload')
  if (isPartial.value) return success({ kind: 'partial' })
  if (!isFinal.value) return success(undefined)
  const ids: unknown = info['PartialUploads']
  if (!Array.isArray(ids)) return failure('it is a final upload, and its PartialUploads is not a list')
  const parts: UploadId[] = []
  for (const text of ids) {
    const part = parseUploadId(text)
    if (part === undefined) return failure('its PartialUploads names an id that cannot be kept')
    parts.push(part)
  }
  return success({ kind: 'final', parts })
}

const OUTSIDE = failure('its Storage.Path leads out of the directory')

/** Where the data is: beside the `.info`, or where a pre-create hook has put it below the directory. */
function parseStorage(value: unknown, id: UploadId, from: string): Parsed<string> {
  if (value === undefined || value === null) return success(id)
  if (!isObject(value)) return failure('its Storage is not an object')
  const { Type: type = 'filestore', Path: path = '', InfoPath: infoPath = '' } = value
  if (type !== 'filestore')
    return failure('its Storage.Type is not filestore: its data is not in this directory')
  if (typeof path !== 'string' || typeof infoPath !== 'string' || /\0/.test(path + infoPath)) {
    return failure('its Storage.Path is not a path')
  }
  if (path === '') return success(id)
  const below = pathBelow(path, infoPath === '' ? undefined : posix.dirname(infoPath), { id, from })
  if (below === undefined || below === '' || below === '..' || below.startsWith('../')) return OUTSIDE
  // What belongs to other uploads: their descriptions, locks and requests to stop.
  if (/\.(?:info|json|lock|stop)$/.test(below)) return failure('its Storage.Path is no data file')
  return success(below)
}

/**
 * Storage.Path as seen from the directory. tusd writes it as it was started: relative to a working directory that
 * nobody knows any more, but so is the path of the `.info` then.
 */
function pathBelow(
  path: string,
  infoDirectory: string | undefined,
  { id, from }: { readonly id: UploadId; readonly from: string },
): string | undefined {
  if (infoDirectory !== undefined && posix.isAbsolute(infoDirectory) === posix.isAbsolute(path)) {
    return posix.relative(infoDirectory, path)
  }
  if (posix.isAbsolute(path)) return posix.relative(from, path)
  return infoDirectory === undefined && posix.basename(path) === id ? id : undefined
}
