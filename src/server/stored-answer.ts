import type { StoredAnswer, UploadRecord } from '../core/upload.ts'
import type { Reply } from './exchange.ts'
import { mergedFields, OURS } from './merged-fields.ts'

/**
 * Gives the application's answer to the request that completed the upload, and again to whoever asks later. See
 * {@link mergedFields} for what it cannot change.
 */
export function withStoredAnswer(reply: Reply, record: UploadRecord): Reply {
  const answer = record.status === 'complete' ? record.handling?.answer : undefined
  return answer === undefined ? reply : withAnswer(reply, answer)
}

/** An answer with an application's words in it. */
export function withAnswer(reply: Reply, answer: StoredAnswer): Reply {
  const { body } = answer
  const asked = answer.status === 0 ? reply.status : answer.status
  // A 204 has no content by definition.
  const status = asked === 204 && body.byteLength > 0 ? 200 : asked
  const headers = mergedFields(reply.headers, answer.headers)
  if (status === 204 || status === 304) return { status, headers }
  if (body.byteLength === 0) return { status, headers: { ...headers, 'Content-Length': '0' } }
  return { status, headers: { ...headers, 'Content-Length': String(body.byteLength) }, body: once(body) }
}

/** The fields of the application's answer for a reply that has no content of its own (HEAD). */
export function storedFields(record: UploadRecord): Readonly<Record<string, string>> {
  const headers = record.status === 'complete' ? record.handling?.answer?.headers : undefined
  if (headers === undefined) return {}
  const isMeant = ([name]: readonly [string, string]): boolean =>
    !OURS.has(name) && !name.startsWith('content-') && name !== 'cache-control'
  return Object.fromEntries(Object.entries(headers).filter(isMeant))
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
