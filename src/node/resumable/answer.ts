import { UploadError } from '../../core/errors.ts'
import type { FinishAnswer } from '../../core/ports/hooks.ts'

/** What a handler has answered, taken from its response. */
export interface HandlerAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** `'too-large'`: longer than what is kept for a client that loses the answer. */
  readonly body: Uint8Array | 'too-large'
}

const MAX_ANSWER_BYTES = 1024 * 1024

/** Of one connection, of one moment, or secret. The rest is kept as it is. */
const NOT_KEPT: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Takes an answer's content, up to what is kept. */
export async function collectBody(body: AsyncIterable<Uint8Array>): Promise<HandlerAnswer['body']> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    // Leaving the loop gives the stream up.
    if (bytes > MAX_ANSWER_BYTES) return 'too-large'
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, bytes)
}

export interface AnswerTerms {
  /** The answer goes to the request that creates the upload: its `Location` is the upload's. */
  readonly isCreation: boolean
  /** Carryon sets the fields of CORS. */
  readonly hasCors: boolean
  readonly report: (error: unknown) => void
}

/**
 * A handler's answer as it is stored and given to the client.
 *
 * @throws {UploadError} `ERR_HOOK_FAILED` for a 5xx, with the handler's words for this one request: nothing is stored,
 *   and the handler is called again later.
 * @throws {Error} for what is no answer, such as `Response.error()`.
 */
export function finishAnswer(answer: HandlerAnswer, terms: AnswerTerms): FinishAnswer {
  if (answer.status < 200) throw new Error(`the handler answered with the status ${answer.status}`)
  if (answer.status >= 500) throw failedWith(answer)
  if (answer.body === 'too-large') {
    // Stored like any other answer: calling the handler again would only do its work twice.
    const text = `ERR_ANSWER_TOO_LARGE: The upload was handled, but the answer has more than ${MAX_ANSWER_BYTES} bytes.\n`
    terms.report(new RangeError(`the handler answered an upload with more than ${MAX_ANSWER_BYTES} bytes`))
    return { status: 500, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: text }
  }
  return { status: answer.status, headers: keptFields(answer.headers, terms), body: answer.body }
}

function keptFields(
  headers: Readonly<Record<string, string>>,
  { isCreation, hasCors }: AnswerTerms,
): Readonly<Record<string, string>> {
  const kept = Object.entries(headers).flatMap(([name, value]): [string, string][] => {
    if (NOT_KEPT.has(name) || (hasCors && name.startsWith('access-control-'))) return []
    if (name !== 'location' || !isCreation) return [[name, value]]
    // A tus client would take it for the URL of its upload, and send its DELETE there.
    return headers['content-location'] === undefined ? [['content-location', value]] : []
  })
  return Object.fromEntries(kept)
}

function failedWith({ status, headers, body }: HandlerAnswer): UploadError {
  const { 'content-type': type = 'text/plain; charset=utf-8', 'retry-after': retryAfter } = headers
  const text = body === 'too-large' ? '' : new TextDecoder().decode(body)
  const answer = {
    status,
    headers: { 'Content-Type': type, ...(retryAfter === undefined ? {} : { 'Retry-After': retryAfter }) },
    body: text,
  }
  const cause = new Error(`the handler answered ${status}; it will be called again`)
  return new UploadError('ERR_HOOK_FAILED', { answer }, { cause })
}
