import type { Engine } from '../../core/engine.ts'
import type { ErrorCode } from '../../core/errors.ts'
import { UploadError } from '../../core/errors.ts'
import type { Checksum } from '../../core/ports/digest.ts'
import { parseUploadChecksum } from '../../protocol/digest.ts'
import { parseDecimal } from '../../protocol/integer.ts'
import { metadataRecord, parseMetadata } from '../../protocol/metadata.ts'
import { FIELD, isOffsetOctetStream, parseDeferLength } from '../../protocol/tus1/headers.ts'
import { isBlankField } from '../../protocol/whitespace.ts'
import type { Exchange } from '../exchange.ts'

const MAX_METADATA_PAIRS = 128

/** A non-negative integer field; `undefined` when absent. */
export function integerField(exchange: Exchange, name: string, code: ErrorCode): number | undefined {
  const raw = exchange.header(name)
  if (raw === undefined) return undefined
  const parsed = parseDecimal(raw)
  if (!parsed.ok) throw new UploadError(code, { reason: `${canonical(name)}: ${parsed.reason}` })
  return parsed.value
}

/**
 * The length that a creation declares: a number, or `undefined` for a deferred one.
 *
 * @throws {UploadError} when both, none or a malformed one is there (tus 1.0 §Creation).
 */
export function declaredLength(exchange: Exchange): number | undefined {
  const length = integerField(exchange, FIELD.uploadLength, 'ERR_INVALID_UPLOAD_LENGTH')
  const defer = exchange.header(FIELD.uploadDeferLength)
  if (defer === undefined) {
    if (length === undefined) throw new UploadError('ERR_INVALID_UPLOAD_LENGTH')
    return length
  }
  if (length !== undefined) throw new UploadError('ERR_AMBIGUOUS_UPLOAD_LENGTH')
  const parsed = parseDeferLength(defer)
  if (!parsed.ok) throw new UploadError('ERR_INVALID_UPLOAD_LENGTH_DEFER', { reason: parsed.reason })
  return undefined
}

/** Metadata of a creation: decoded for us, and the field as it came for the answers to HEAD. */
export function metadataFields(
  exchange: Exchange,
  maxBytes: number,
): {
  readonly metadata: Readonly<Record<string, string>>
  readonly raw: string | undefined
} {
  const raw = exchange.header(FIELD.uploadMetadata)
  if (raw === undefined || isBlankField(raw)) return { metadata: {}, raw: undefined }
  const parsed = parseMetadata(raw, { maxBytes, maxPairs: MAX_METADATA_PAIRS })
  if (!parsed.ok) throw new UploadError('ERR_INVALID_METADATA', { reason: parsed.reason })
  return { metadata: metadataRecord(parsed.value), raw }
}

/** Content must be declared as what it is, or an intermediary may change it (tus 1.0 §PATCH). */
export function checkContentType(exchange: Exchange): void {
  if (!isOffsetOctetStream(exchange.header(FIELD.contentType)))
    throw new UploadError('ERR_INVALID_CONTENT_TYPE')
}

/** What a request promises about its content. */
export interface Promised {
  readonly checksum: Checksum | undefined
  readonly trailerChecksum: ((trailers: ReadonlyMap<string, string>) => Checksum) | undefined
}

/**
 * Checksums in the header or announced for the trailer (tus 1.0 §Checksum). A trailer that was not announced does
 * not count: by the time it comes, earlier bytes may have been recorded.
 */
export function promisedChecksum(engine: Engine, exchange: Exchange): Promised {
  const raw = exchange.header(FIELD.uploadChecksum)
  const checksum = raw === undefined ? undefined : parseChecksum(engine, raw)
  const trailerChecksum = announcesTrailer(exchange)
    ? (trailers: ReadonlyMap<string, string>): Checksum => {
        const late = trailers.get(FIELD.uploadChecksum)
        if (late === undefined) {
          throw new UploadError('ERR_INVALID_CHECKSUM', {
            reason: 'The announced Upload-Checksum trailer did not come.',
          })
        }
        return parseChecksum(engine, late)
      }
    : undefined
  return { checksum, trailerChecksum }
}

function announcesTrailer(exchange: Exchange): boolean {
  if (!exchange.readsTrailers) return false
  const names = exchange.header('trailer')?.toLowerCase().split(',') ?? []
  return names.some((name) => name.trim() === FIELD.uploadChecksum)
}

function parseChecksum(engine: Engine, raw: string): Checksum {
  const parsed = parseUploadChecksum(raw, engine.checksumAlgorithms)
  if (parsed.ok) return parsed.value
  const code = parsed.code === 'unsupported' ? 'ERR_UNSUPPORTED_CHECKSUM' : 'ERR_INVALID_CHECKSUM'
  throw new UploadError(code, { reason: parsed.reason })
}

function canonical(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (letters) => letters.toUpperCase())
}
