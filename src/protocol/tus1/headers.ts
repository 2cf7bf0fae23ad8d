import { excerpt, failure, success } from '../parsed.ts'
import type { Parsed } from '../parsed.ts'
import { trimWhitespace } from '../whitespace.ts'

/** The one version of the protocol spoken here. */
export const TUS_VERSION = '1.0.0' as const

/** The media type of an append. */
const OFFSET_OCTET_STREAM = 'application/offset+octet-stream' as const

/** Field names in lower case, for reading requests. */
export const FIELD = {
  tusResumable: 'tus-resumable',
  uploadOffset: 'upload-offset',
  uploadLength: 'upload-length',
  uploadDeferLength: 'upload-defer-length',
  uploadMetadata: 'upload-metadata',
  uploadChecksum: 'upload-checksum',
  uploadConcat: 'upload-concat',
  methodOverride: 'x-http-method-override',
  contentType: 'content-type',
  contentLength: 'content-length',
} as const

/** Field names as the texts write them, for writing answers. */
export const ANSWER_FIELD = {
  tusResumable: 'Tus-Resumable',
  tusVersion: 'Tus-Version',
  tusExtension: 'Tus-Extension',
  tusMaxSize: 'Tus-Max-Size',
  tusChecksumAlgorithm: 'Tus-Checksum-Algorithm',
  uploadOffset: 'Upload-Offset',
  uploadLength: 'Upload-Length',
  uploadDeferLength: 'Upload-Defer-Length',
  uploadMetadata: 'Upload-Metadata',
  uploadExpires: 'Upload-Expires',
  uploadConcat: 'Upload-Concat',
  location: 'Location',
  cacheControl: 'Cache-Control',
} as const

/** Every extension of tus 1.0, in the order they are announced. */
export const TUS_EXTENSIONS = [
  'creation',
  'creation-with-upload',
  'creation-defer-length',
  'expiration',
  'checksum',
  'checksum-trailer',
  'termination',
  'concatenation',
  'concatenation-unfinished',
] as const

/** The name of an extension in `Tus-Extension`. */
export type TusExtension = (typeof TUS_EXTENSIONS)[number]

/** What an `Upload-Concat` asks for. The URLs are the client's text: resolve them with `resolveConcatUrl`. */
export type UploadConcat =
  | { readonly kind: 'partial' }
  | { readonly kind: 'final'; readonly urls: readonly string[] }

/** Accepts exactly `1.0.0`. A refusal means 412 with `Tus-Version` (tus 1.0 §Tus-Resumable). */
export function parseTusResumable(raw: string): Parsed<typeof TUS_VERSION> {
  const version = trimWhitespace(raw)
  if (version === TUS_VERSION) return success(TUS_VERSION)
  return failure(
    `The protocol version ${excerpt(version)} is not supported; this server speaks ${TUS_VERSION}.`,
  )
}

/** Accepts exactly `1` (tus 1.0 §Upload-Defer-Length). */
export function parseDeferLength(raw: string): Parsed<true> {
  const value = trimWhitespace(raw)
  return value === '1' ? success(true) : failure(`Upload-Defer-Length must be 1, not ${excerpt(value)}.`)
}

const FINAL = 'final;'
const VISIBLE_ASCII = /^[\x21-\x7e]+$/

/**
 * Parses `partial` or `final;<url> <url> ...`, in the client's order; a URL may stand in the list twice.
 *
 * More than one space between URLs is tolerated. Other values, other cases and an empty list are errors.
 *
 * @see tus 1.0 "Upload-Concat"
 */
export function parseUploadConcat(raw: string): Parsed<UploadConcat> {
  const text = trimWhitespace(raw)
  if (text === 'partial') return success({ kind: 'partial' })
  if (!text.startsWith(FINAL)) {
    return failure(`Upload-Concat must be partial or final with a list of URLs, not ${excerpt(text)}.`)
  }
  const urls = text
    .slice(FINAL.length)
    .split(' ')
    .filter((url) => url !== '')
  if (urls.length === 0) return failure('Upload-Concat: final needs at least one URL.')
  const bad = urls.find((url) => !VISIBLE_ASCII.test(url))
  if (bad !== undefined) return failure(`${excerpt(bad)} in Upload-Concat is not a URL.`)
  return success({ kind: 'final', urls: Object.freeze(urls) })
}

/** Whether a `Content-Type` is the media type of an append, in any case and whatever its parameters. */
export function isOffsetOctetStream(contentType: string | undefined): boolean {
  if (contentType === undefined) return false
  const end = contentType.indexOf(';')
  const mediaType = end === -1 ? contentType : contentType.slice(0, end)
  return trimWhitespace(mediaType).toLowerCase() === OFFSET_OCTET_STREAM
}

/**
 * Writes `Tus-Extension` in the protocol's order, whatever the order given.
 *
 * @returns `undefined` for none: the header MUST then be absent (tus 1.0 §Tus-Extension).
 */
export function formatExtensions(extensions: Iterable<TusExtension>): string | undefined {
  const offered = new Set(extensions)
  const names = TUS_EXTENSIONS.filter((name) => offered.has(name))
  return names.length === 0 ? undefined : names.join(',')
}
