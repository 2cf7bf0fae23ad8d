import { TUS_VERSION } from '../protocol/tus1/headers.ts'
import type { StoredPart } from './ports/url-storage.ts'
import { isSuccess } from './refusal.ts'
import { metadataField } from './transfer.ts'
import type { Transfer, TransferContext } from './transfer.ts'
import { locationOf } from './tus-answers.ts'

const TUS = { 'Tus-Resumable': TUS_VERSION }

/** Divides a source into parts of nearly equal size, in order. */
export function planParts(sizeBytes: number, count: number): readonly StoredPart[] {
  const edge = (index: number): number => Math.floor((sizeBytes * index) / count)
  return Array.from({ length: count }, (_, index) => ({ startBytes: edge(index), endBytes: edge(index + 1) }))
}

/** Whether parts cover the source from its first to its last byte: only then the plan is followed. */
export function covers(parts: readonly StoredPart[], sizeBytes: number | undefined): boolean {
  let end = 0
  for (const { startBytes, endBytes } of parts) {
    if (startBytes !== end || endBytes < startBytes) return false
    end = endBytes
  }
  return parts.length > 0 && end === sizeBytes
}

/**
 * Runs transfers, at most `atOnce` at the same time. Each retries for itself.
 *
 * @throws What ended the first that failed, after the others have stopped: none of them goes on unseen.
 */
export async function runTogether(
  transfers: readonly Transfer[],
  { context, atOnce }: { readonly context: TransferContext; readonly atOnce: number },
): Promise<void> {
  const stop = new AbortController()
  const abort = (): void => stop.abort(context.signal.reason)
  context.signal.addEventListener('abort', abort)
  if (context.signal.aborted) abort()
  const queue = transfers.filter(({ isDone }) => !isDone)
  const failures: unknown[] = []
  const work = async (): Promise<void> => {
    try {
      for (;;) {
        const transfer = stop.signal.aborted ? undefined : queue.shift()
        if (transfer === undefined) return
        await transfer.run({ ...context, signal: stop.signal })
        if (context.room() <= 0) return
      }
    } catch (error) {
      failures.push(error)
      stop.abort(error)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, queue.length) }, work))
  context.signal.removeEventListener('abort', abort)
  context.signal.throwIfAborted()
  if (failures.length > 0) throw failures[0]
}

/**
 * Has the server put finished parts together (tus 1.0 §Concatenation). Metadata belongs to the final upload.
 *
 * An answer that gets lost leaves a complete upload behind that nobody knows of, as with any creation.
 */
export async function concatenate(
  urls: readonly string[],
  context: Pick<TransferContext, 'requester' | 'creationSignal'> & {
    readonly terms: Pick<TransferContext['terms'], 'endpoint' | 'metadata'>
  },
): Promise<string> {
  const { requester, creationSignal: signal, terms } = context
  const metadata = metadataField(terms.metadata)
  const headers = {
    ...TUS,
    'Upload-Concat': `final;${urls.join(' ')}`,
    ...(metadata !== '' && { 'Upload-Metadata': metadata }),
  }
  const call = { method: 'POST', url: terms.endpoint ?? '', headers, signal }
  const response = await requester.send(call)
  if (!isSuccess(response.status)) throw requester.refusal(call, response, 'cannot put the parts together')
  return locationOf(response, call.url)
}

/** tus 1.0 §Termination. What is gone already is as good as deleted. */
export async function terminateAt(
  url: string,
  { requester, signal }: Pick<TransferContext, 'requester' | 'signal'>,
): Promise<void> {
  const call = { method: 'DELETE', url, headers: TUS, signal }
  const response = await requester.send(call)
  const { status } = response
  if (!isSuccess(status) && status !== 404 && status !== 410) {
    throw requester.refusal(call, response, 'cannot delete the upload')
  }
}
