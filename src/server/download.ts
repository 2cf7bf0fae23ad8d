import { create as contentDisposition } from 'content-disposition'
import mime from 'mime'
import type { Engine } from '../core/engine.ts'
import { UploadError } from '../core/errors.ts'
import { safeFileName } from '../core/safe-name.ts'
import type { UploadRecord } from '../core/upload.ts'
import { evaluateConditions } from '../protocol/conditional.ts'
import { formatHttpDate } from '../protocol/http-date.ts'
import type { RangeChoice } from '../protocol/range.ts'
import { chooseRange, formatContentRange } from '../protocol/range.ts'
import type { Exchange, Reply } from './exchange.ts'

export interface DownloadOptions {
  /**
   * Media types that browsers may show instead of saving. Uploads are strangers' content: a type that can carry
   * script (HTML, SVG, XML, PDF) does not belong here.
   *
   * @default images, audio and video without script, and plain text
   */
  readonly inlineTypes?: readonly string[]
}

/** Serves complete uploads. */
export interface Downloads {
  serve(exchange: Exchange, method: string, record: UploadRecord): Reply
}

const INLINE_TYPES = [
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'image/avif',
  'image/bmp',
  'audio/mpeg',
  'audio/wav',
  'audio/ogg',
  'audio/webm',
  'audio/mp4',
  'video/mp4',
  'video/webm',
  'video/ogg',
  'text/plain',
]
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,62}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}$/
const UNKNOWN_TYPE = 'application/octet-stream'

/** Downloads with Range, conditions and fields that keep a stranger's file from running in the page's origin. */
export function makeDownloads(engine: Engine, options: DownloadOptions): Downloads {
  const inlineTypes = new Set(options.inlineTypes ?? INLINE_TYPES)
  return {
    serve(exchange, method, record) {
      const fields = representationFields(record, inlineTypes)
      const conditions = evaluateConditions(conditionFields(exchange), {
        method,
        etag: fields.ETag,
        lastModifiedMs: record.finishedAtMs,
        nowMs: Date.now(),
      })
      if (conditions.outcome === 'not-modified') return { status: 304, headers: fields }
      if (conditions.outcome === 'precondition-failed') throw new UploadError('ERR_PRECONDITION_FAILED')
      const range = conditions.rangeApplies ? exchange.header('range') : undefined
      return bytesOf(engine, exchange, record, fields, chooseRange(range, record.offset))
    },
  }
}

function bytesOf(
  engine: Engine,
  exchange: Exchange,
  record: UploadRecord,
  fields: Readonly<Record<string, string>>,
  range: RangeChoice,
): Reply {
  const size = record.offset
  if (range.kind === 'unsatisfiable') {
    return {
      status: 416,
      headers: { ...fields, 'Content-Range': formatContentRange(range, size), 'Content-Length': '0' },
    }
  }
  const bytes = range.kind === 'part' ? { start: range.start, end: range.end + 1 } : { start: 0, end: size }
  const headers = { ...fields, 'Content-Length': String(bytes.end - bytes.start) }
  const body = engine.read(record, bytes, exchange.signal)
  if (range.kind === 'whole') return { status: 200, headers, body }
  return { status: 206, headers: { ...headers, 'Content-Range': formatContentRange(range, size) }, body }
}

function representationFields(
  record: UploadRecord,
  inlineTypes: ReadonlySet<string>,
): Readonly<Record<string, string>> & { readonly ETag: string } {
  const name = safeFileName(fileNameOf(record) ?? record.id)
  const type = mediaTypeOf(record, name)
  const isInline = inlineTypes.has(type)
  return {
    'Content-Type': type === 'text/plain' ? 'text/plain; charset=utf-8' : type,
    'Content-Disposition': contentDisposition(name, { type: isInline ? 'inline' : 'attachment' }),
    'Accept-Ranges': 'bytes',
    // The bytes of a complete upload never change and ids are not reused: the id is a strong validator.
    ETag: `"${record.id}"`,
    ...(record.finishedAtMs === undefined ? {} : { 'Last-Modified': formatHttpDate(record.finishedAtMs) }),
    'Cache-Control': 'private, no-cache',
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "sandbox; default-src 'none'",
  }
}

function fileNameOf({ metadata }: UploadRecord): string | undefined {
  return metadata['filename'] ?? metadata['name']
}

function mediaTypeOf({ metadata }: UploadRecord, name: string): string {
  const claimed = (metadata['filetype'] ?? metadata['contentType'] ?? metadata['type'])?.toLowerCase()
  if (claimed !== undefined && MEDIA_TYPE.test(claimed)) return claimed
  return mime.getType(name) ?? UNKNOWN_TYPE
}

function conditionFields(exchange: Exchange): Parameters<typeof evaluateConditions>[0] {
  return {
    ifMatch: exchange.header('if-match'),
    ifNoneMatch: exchange.header('if-none-match'),
    ifModifiedSince: exchange.header('if-modified-since'),
    ifUnmodifiedSince: exchange.header('if-unmodified-since'),
    ifRange: exchange.header('if-range'),
  }
}
