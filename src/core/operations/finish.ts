import type { Context } from '../context.ts'
import { isUploadError } from '../errors.ts'
import type { Lease } from '../leases.ts'
import type { RecordChange } from '../ports/catalog.ts'
import type { UploadRecord } from '../upload.ts'

/** Partial uploads are pieces of something unfinished: they are kept this many times longer than other uploads. */
const PARTIAL_EXPIRY_FACTOR = 7

/**
 * Records that an upload is complete and brings its bytes where the store wants them.
 *
 * `change` carries the last bytes, so that offset, completion and events are one transaction. What takes long is
 * left to the settler; what is quick happens under the state `finishing`, before the client hears of it.
 *
 * @param change - Offset, placement and whatever else is new since the last record.
 * @returns The record as it is recorded, `complete`.
 */
export async function finish(ctx: Context, lease: Lease, change: RecordChange): Promise<UploadRecord> {
  const finished = asComplete(ctx, lease.record, change)
  const preview = { ...lease.record, ...finished }
  const events = ctx.events('post-finish', preview)
  const plan = planFinish(ctx, preview)
  if (plan === 'none') return lease.update(finished, events)
  if (plan === 'after-answer') {
    const record = await lease.update({ ...finished, chore: 'settle' }, events)
    ctx.settler.add(record)
    return record
  }
  await lease.update({ ...finished, status: 'finishing', chore: 'settle' })
  return completeFinishing(ctx, lease)
}

/** The change that makes an upload complete. */
function asComplete(ctx: Context, record: UploadRecord, change: RecordChange): RecordChange {
  const nowMs = ctx.clock.nowMs()
  const { expireAfterMs } = ctx.limits
  const isPartial = record.concat?.kind === 'partial'
  const expiresAtMs =
    isPartial && expireAfterMs !== undefined ? nowMs + PARTIAL_EXPIRY_FACTOR * expireAfterMs : undefined
  const length = change.offset ?? record.offset
  return { ...change, length, status: 'complete', finishedAtMs: nowMs, lastWriteAtMs: nowMs, expiresAtMs }
}

/** What the store has to do for a complete upload. Partial uploads are not processed (tus 1.0 §Concatenation). */
function planFinish(ctx: Context, record: UploadRecord): 'none' | 'before-answer' | 'after-answer' {
  return record.concat?.kind === 'partial' ? 'none' : ctx.store.finishing(record)
}

/**
 * Goes from `finishing` to `complete`. Idempotent: resumed by the next request or at start after a crash.
 *
 * @throws The store's error; the upload stays `finishing` and is tried again.
 */
export async function completeFinishing(ctx: Context, lease: Lease): Promise<UploadRecord> {
  const before = lease.record
  const [outcome] = await ctx.store.finish([before])
  if (outcome === undefined || !outcome.ok) {
    ctx.settler.addLater(before)
    throw outcome?.error ?? new Error('the store gave no outcome')
  }
  const events = ctx.events('post-finish', before)
  const { placement } = outcome
  const record = await lease.update({ status: 'complete', placement, chore: undefined }, events)
  // The answer need not wait until the old place is cleared; a crash before it leaves an orphan for the reaper.
  void ctx.store.tidy(before, placement).catch((error: unknown) => ctx.report(error, before.id))
  return record
}

/** Final places for complete uploads, one store call for all of them. */
export async function settleComplete(ctx: Context, leases: readonly Lease[]): Promise<void> {
  const outcomes = await ctx.store.finish(leases.map((lease) => lease.record))
  await Promise.all(
    leases.map(async (lease, index) => {
      const before = lease.record
      const outcome = outcomes[index]
      try {
        if (outcome === undefined || !outcome.ok)
          throw outcome?.error ?? new Error('the store gave no outcome')
        await lease.update({ placement: outcome.placement, chore: undefined })
        await ctx.store.tidy(before, outcome.placement)
      } catch (error) {
        ctx.report(error, before.id)
        // Bytes that are gone do not come back by trying again.
        if (isUploadError(error) && error.code === 'ERR_CORRUPT_RECORD')
          await lease.update({ chore: undefined })
        else ctx.settler.addLater(before)
      }
    }),
  )
}
