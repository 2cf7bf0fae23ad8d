import { onAbort } from './abortable.ts'
import { placeOf } from './place.ts'
import type { ParallelFeature } from './ports/features.ts'
import type { StoredPart } from './ports/url-storage.ts'
import type { Requester } from './requester.ts'
import type { Terms } from './terms.ts'
import { terminateAt } from './terminate-at.ts'
import type { Run, Transfer, TransferTask } from './transfer.ts'
import { isSuccess, locationOf } from './tus-answers.ts'
import { metadataField } from './tus-codec.ts'

/** A part smaller than this costs more in requests than it wins. */
const SMALLEST_PART_BYTES = 1024 * 1024

/** Divides a source into parts of nearly equal size, in order. */
export function planParts(sizeBytes: number, count: number): readonly StoredPart[] {
  const edge = (index: number): number => Math.floor((sizeBytes * index) / count)
  return Array.from({ length: count }, (_, index) => ({ startBytes: edge(index), endBytes: edge(index + 1) }))
}

/** Whether parts cover the source from its first to its last byte: only then the plan is followed. */
export function covers(parts: readonly StoredPart[], sizeBytes: number | undefined): boolean {
  const end = parts.reduce(
    (end, { startBytes, endBytes }) => (startBytes === end && endBytes >= end ? endBytes : NaN),
    0,
  )
  return parts.length > 0 && end === sizeBytes
}

/** `parallel` */
export const parallelParts: ParallelFeature = {
  isPossible: (capabilities, source) =>
    !!capabilities?.extensions.has('concatenation') && source.isRewindable,
  parts(sizeBytes = 0, wanted, entry) {
    if (covers(entry?.parts ?? [], sizeBytes)) return entry?.parts
    const count = Math.min(wanted, Math.floor(sizeBytes / SMALLEST_PART_BYTES))
    return count > 1 ? planParts(sizeBytes, count) : undefined
  },
  place: placeOf,
  async send(task, run) {
    await runTogether(task, run)
    if (task.transfers.every(({ isDone }) => isDone)) await join(task, run)
  },
}

/**
 * Runs the transfers, several at the same time. Each retries for itself.
 *
 * @throws What ended the first that failed, after the others have stopped: none of them goes on unseen.
 */
async function runTogether({ transfers, options }: TransferTask, run: Run): Promise<void> {
  const stop = new AbortController()
  const { signal } = stop
  const leave = onAbort(run.signal, () => stop.abort(run.signal.reason))
  const queue = transfers.filter(({ isDone }) => !isDone)
  const working = new Set<Transfer>()
  const work = async (): Promise<void> => {
    const transfer = queue.shift()
    if (!transfer || signal.aborted) return
    // Only when all of them wait, the upload does.
    const enter: Run['enter'] = (state) => {
      if (state === 'waiting') working.delete(transfer)
      else working.add(transfer)
      run.enter(working.size ? 'uploading' : 'waiting')
    }
    await transfer.run({ ...run, signal, enter }).finally(() => working.delete(transfer))
    if (run.room() > 0) await work()
  }
  const atOnce = run.room() < Infinity ? 1 : (options.parallel ?? 1)
  const halt = (error: unknown): void => stop.abort(error)
  await Promise.all(queue.slice(0, atOnce).map(() => work().catch(halt)))
  leave()
  signal.throwIfAborted()
}

async function join(task: TransferTask, run: Run): Promise<void> {
  const { transfers, requester, terms } = task
  const { signal, creationSignal } = run
  const urls = transfers.map(({ url = '' }) => url)
  if (!task.url) {
    try {
      const final = { ...terms, signal: creationSignal }
      task.announce(await task.retry(run).run(() => concatenate(urls, requester, final)))
    } catch (error) {
      // A part may have expired meanwhile: the next run looks at each of them again.
      for (const transfer of transfers) transfer.doubt()
      throw error
    }
    await task.ledger?.save()
  }
  // The parts are of no use any more. One that stays is left to the server's expiry.
  if (terms.canTerminate) await Promise.allSettled(urls.map((url) => terminateAt(requester, url, signal)))
}

/**
 * Has the server put finished parts together (tus 1.0 §Concatenation). Metadata belongs to the final upload.
 *
 * An answer that gets lost leaves a complete upload behind that nobody knows of, as with any creation.
 */
export async function concatenate(
  urls: readonly string[],
  requester: Requester,
  final: Pick<Terms, 'endpoint' | 'metadata'> & { readonly signal: AbortSignal },
): Promise<string> {
  const { endpoint: url, metadata, signal } = final
  const headers = { 'Upload-Concat': `final;${urls.join(' ')}`, 'Upload-Metadata': metadataField(metadata) }
  const call = { method: 'POST', url, headers, signal }
  const response = await requester.send(call)
  if (!isSuccess(response)) throw requester.refusal(call, response, 'cannot concatenate')
  return locationOf(response, url)
}
