import type { UploadError } from '../../core/errors.ts'
import { ERRORS } from '../../core/errors.ts'
import type { UploadRecord } from '../../core/upload.ts'
import { formatHttpDate } from '../../protocol/http-date.ts'
import { formatMetadataText } from '../../protocol/metadata.ts'
import { ANSWER_FIELD, TUS_VERSION } from '../../protocol/tus1/headers.ts'
import type { Reply } from '../exchange.ts'
import { mergedFields } from '../merged-fields.ts'

/** Fields that stand in every answer of this dialect. */
const EVERY_ANSWER: Readonly<Record<string, string>> = {
  [ANSWER_FIELD.tusResumable]: TUS_VERSION,
  // tus 1.0 §HEAD demands it there; no other answer of an upload is worth keeping either.
  [ANSWER_FIELD.cacheControl]: 'no-store',
}

/** An answer without content. */
export function emptyReply(status: 201 | 204 | 200, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status, headers: { ...EVERY_ANSWER, ...headers } }
}

/** An answer of another making in this dialect: tus 1.0 §Tus-Resumable asks for the field in every response. */
export function inTus(reply: Reply): Reply {
  return { ...reply, headers: { ...reply.headers, [ANSWER_FIELD.tusResumable]: TUS_VERSION } }
}

/** `Upload-Offset`, and `Upload-Expires` while the upload can expire. */
export function progressFields(record: UploadRecord): Readonly<Record<string, string>> {
  return { [ANSWER_FIELD.uploadOffset]: String(record.offset), ...expiryField(record.expiresAtMs) }
}

/** Everything that a client needs to resume (tus 1.0 §HEAD). */
export function retrievalFields(record: UploadRecord): Readonly<Record<string, string>> {
  const { length, echo } = record
  const metadata = echo['upload-metadata'] ?? formatMetadataText(record.metadata)
  const concat = echo['upload-concat']
  // tus 1.0 §Concatenation: a final has no offset until it is put together.
  const isWaiting = record.concat?.kind === 'final' && record.status === 'receiving'
  return {
    ...(isWaiting ? expiryField(record.expiresAtMs) : progressFields(record)),
    ...lengthField(length, isWaiting),
    ...(metadata === undefined ? {} : { [ANSWER_FIELD.uploadMetadata]: metadata }),
    ...(concat === undefined ? {} : { [ANSWER_FIELD.uploadConcat]: concat }),
  }
}

const utf8 = new TextEncoder()

/** Puts an error into words: `CODE: sentence`, as tusd does, so that clients that look for its codes find them. */
export function refusal(error: UploadError, allow: string): Reply {
  const { details, code } = error
  const { answer = {} } = details
  // The sentence of an unexpected error is ours, never the exception's: that one goes to the log.
  const sentence = code === 'ERR_INTERNAL_SERVER_ERROR' ? ERRORS[code].message : error.message
  const body = answer.body ?? `${answer.code ?? code}: ${sentence}\n`
  const status = answer.status ?? error.status
  return {
    status,
    ...(status === 460 ? { statusText: 'Checksum Mismatch' } : {}),
    headers: {
      ...mergedFields(
        {
          ...EVERY_ANSWER,
          'Content-Type': 'text/plain; charset=utf-8',
          'X-Content-Type-Options': 'nosniff',
        },
        answer.headers ?? {},
      ),
      'Content-Length': String(utf8.encode(body).byteLength),
      ...(status === 412 && code === 'ERR_UNSUPPORTED_VERSION'
        ? { [ANSWER_FIELD.tusVersion]: TUS_VERSION }
        : {}),
      ...(code === 'ERR_METHOD_NOT_ALLOWED' ? { Allow: allow } : {}),
      ...(details.offset === undefined ? {} : { [ANSWER_FIELD.uploadOffset]: String(details.offset) }),
      ...expiryField(details.expiresAtMs),
      ...(details.retryAfterSeconds === undefined
        ? {}
        : { 'Retry-After': String(details.retryAfterSeconds) }),
    },
    body,
  }
}

function lengthField(length: number | undefined, isWaiting: boolean): Readonly<Record<string, string>> {
  if (length !== undefined) return { [ANSWER_FIELD.uploadLength]: String(length) }
  return isWaiting ? {} : { [ANSWER_FIELD.uploadDeferLength]: '1' }
}

/** `Upload-Expires`, while the upload can expire. */
export function expiryField(expiresAtMs: number | undefined): Readonly<Record<string, string>> {
  return expiresAtMs === undefined ? {} : { [ANSWER_FIELD.uploadExpires]: formatHttpDate(expiresAtMs) }
}
