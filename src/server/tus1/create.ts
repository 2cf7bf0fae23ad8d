import { UploadError } from '../../core/errors.ts'
import type { Requester } from '../../core/operations/decide.ts'
import type { StoredAnswer, UploadRecord } from '../../core/upload.ts'
import type { UploadId } from '../../core/upload-id.ts'
import type { UploadConcat } from '../../protocol/tus1/headers.ts'
import { ANSWER_FIELD, FIELD, isOffsetOctetStream, parseUploadConcat } from '../../protocol/tus1/headers.ts'
import { resolveConcatUrl } from '../../protocol/upload-url.ts'
import type { Exchange, Reply } from '../exchange.ts'
import { withAnswer, withStoredAnswer } from '../stored-answer.ts'
import { emptyReply, expiryField, progressFields } from './answer.ts'
import { checkContentType, declaredLength, metadataFields, promisedChecksum } from './fields.ts'
import type { Tus1Parts } from './server.ts'

/** POST to the creation URL: a new upload, with content or not, partial, or put together from partials. */
export async function createUpload(parts: Tus1Parts, exchange: Exchange, by: Requester): Promise<Reply> {
  const concat = concatField(parts, exchange)
  if (concat?.kind === 'final') return createFinal(parts, exchange, concat.urls, by)
  const { metadata, raw } = metadataFields(exchange, parts.maxMetadataBytes)
  const given = new Given()
  const length = declaredLength(exchange)
  const hasContent = exchange.body.contentLength !== 0
  // tus 1.0 §Creation With Upload: similar rules as for PATCH; without content no type is needed.
  if (hasContent) checkContentType(exchange)
  const promised = hasContent ? promisedChecksum(parts.engine, exchange) : undefined
  const record = await parts.engine.create({
    upload: { dialect: 'tus1', length, metadata, echo: echoOf(exchange, raw), concat },
    completes: 'at-length',
    content:
      promised === undefined
        ? undefined
        : { ...promised, body: exchange.body, onAccepted: () => exchange.sendContinue() },
    by: { ...by, onAnswer: given.hear },
  })
  const isUpload = hasContent || isOffsetOctetStream(exchange.header(FIELD.contentType))
  const fields = isUpload ? progressFields(record) : expiryField(record.expiresAtMs)
  return withStoredAnswer(given.into(created(parts, exchange, record, fields)), record)
}

async function createFinal(
  parts: Tus1Parts,
  exchange: Exchange,
  urls: readonly string[],
  by: Requester,
): Promise<Reply> {
  const { metadata, raw } = metadataFields(exchange, parts.maxMetadataBytes)
  const given = new Given()
  checkFinal(exchange)
  const record = await parts.engine.concatenate({
    upload: { dialect: 'tus1', metadata, echo: echoOf(exchange, raw) },
    parts: urls.map((url) => resolvePart(parts, exchange, url)),
    by: { ...by, onAnswer: given.hear },
  })
  return withStoredAnswer(
    given.into(created(parts, exchange, record, expiryField(record.expiresAtMs))),
    record,
  )
}

/** What the application wants to be added to the answer to a creation; what it says of the completion comes on top. */
class Given {
  #answer: StoredAnswer | undefined

  readonly hear = (answer: StoredAnswer): void => {
    this.#answer = answer
  }

  into(reply: Reply): Reply {
    return this.#answer === undefined ? reply : withAnswer(reply, this.#answer)
  }
}

/** tus 1.0 §Concatenation: a final has no length of its own and no content. */
function checkFinal(exchange: Exchange): void {
  if (exchange.body.contentLength !== 0) {
    throw new UploadError('ERR_MODIFY_FINAL', { reason: 'A final upload takes no content of its own.' })
  }
  if (exchange.header(FIELD.uploadLength) !== undefined) {
    throw new UploadError('ERR_INVALID_UPLOAD_LENGTH', {
      reason: 'The length of a final upload is that of its parts.',
    })
  }
  if (exchange.header(FIELD.uploadDeferLength) !== undefined)
    throw new UploadError('ERR_INVALID_UPLOAD_LENGTH_DEFER')
}

function concatField(parts: Tus1Parts, exchange: Exchange): UploadConcat | undefined {
  const raw = exchange.header(FIELD.uploadConcat)
  if (raw === undefined) return undefined
  if (!parts.concatenation) throw new UploadError('ERR_CONCATENATION_UNSUPPORTED')
  const parsed = parseUploadConcat(raw)
  if (!parsed.ok) throw new UploadError('ERR_INVALID_CONCAT', { reason: parsed.reason })
  return parsed.value
}

function resolvePart(parts: Tus1Parts, exchange: Exchange, url: string): UploadId {
  const { basePath, addresses } = parts
  const id = resolveConcatUrl(url, {
    basePath,
    publicBasePath: addresses.publicBasePathOf(exchange),
    origins: addresses.origins(exchange),
  })
  if (id === 'foreign') {
    throw new UploadError('ERR_INVALID_CONCAT', {
      reason: 'A partial upload in the list is on another server.',
    })
  }
  if (id === undefined) throw new UploadError('ERR_UPLOAD_NOT_FOUND')
  return id
}

function echoOf(exchange: Exchange, metadata: string | undefined): Readonly<Record<string, string>> {
  const concat = exchange.header(FIELD.uploadConcat)
  return {
    ...(metadata === undefined ? {} : { [FIELD.uploadMetadata]: metadata }),
    ...(concat === undefined ? {} : { [FIELD.uploadConcat]: concat }),
  }
}

function created(
  parts: Tus1Parts,
  exchange: Exchange,
  record: UploadRecord,
  fields: Readonly<Record<string, string>>,
): Reply {
  const location = parts.addresses.locate(exchange, record.id)
  return emptyReply(201, { [ANSWER_FIELD.location]: location, ...fields })
}
