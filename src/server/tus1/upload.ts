import { UploadError } from '../../core/errors.ts'
import type { Requester } from '../../core/operations/decide.ts'
import type { UploadId } from '../../core/upload-id.ts'
import { FIELD } from '../../protocol/tus1/headers.ts'
import type { Exchange, Reply } from '../exchange.ts'
import { storedFields, withStoredAnswer } from '../stored-answer.ts'
import { emptyReply, inTus, progressFields, retrievalFields } from './answer.ts'
import { checkContentType, integerField, promisedChecksum } from './fields.ts'
import type { Tus1Parts } from './server.ts'

/** PATCH: appends at the offset that client and server agree on. */
export async function appendUpload(
  { engine }: Tus1Parts,
  exchange: Exchange,
  id: UploadId,
  by: Requester,
): Promise<Reply> {
  checkContentType(exchange)
  const offset = integerField(exchange, FIELD.uploadOffset, 'ERR_INVALID_OFFSET')
  if (offset === undefined) throw new UploadError('ERR_INVALID_OFFSET')
  const record = await engine.append(id, {
    offset,
    length: integerField(exchange, FIELD.uploadLength, 'ERR_INVALID_UPLOAD_LENGTH'),
    body: exchange.body,
    ...promisedChecksum(engine, exchange),
    completes: 'at-length',
    onAccepted: () => exchange.sendContinue(),
    by,
  })
  return withStoredAnswer(emptyReply(204, progressFields(record)), record)
}

/**
 * HEAD: the offset to resume from. GET: the bytes of a complete upload; of any other the same fields, without
 * disturbing who writes it.
 *
 * @param download - The exchange of a GET.
 */
export async function retrieveUpload(
  { engine, downloads }: Tus1Parts,
  id: UploadId,
  download?: Exchange,
): Promise<Reply> {
  const record = download === undefined ? await engine.retrieve(id) : await engine.look(id)
  if (download !== undefined && downloads !== undefined && record.status === 'complete') {
    return inTus(downloads.serve(download, 'GET', record))
  }
  if (download !== undefined) return emptyReply(204, retrievalFields(record))
  // Without a length Node's own client gives the connection up after every HEAD. An unfinished upload has no
  // content to GET, so 0 is the truth; that of a finished one would read like the size of this answer.
  const length: Record<string, string> = record.status === 'complete' ? {} : { 'Content-Length': '0' }
  const reply = emptyReply(200, { ...length, ...storedFields(record), ...retrievalFields(record) })
  // The application has refused the whole: an offset at the end alone would read like success.
  const answered = record.handling?.answer?.status ?? 0
  return answered >= 400 ? { ...reply, status: answered } : reply
}

/** DELETE: ends the upload and frees what it holds. */
export async function terminateUpload({ engine }: Tus1Parts, id: UploadId, by: Requester): Promise<Reply> {
  await engine.cancel(id, by)
  return emptyReply(204)
}
