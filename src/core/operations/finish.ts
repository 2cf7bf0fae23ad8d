import type { Context } from '../context.ts'
import { hasCode } from '../errors.ts'
import type { Lease } from '../leases.ts'
import type { RecordChange } from '../ports/catalog.ts'
import type { Store } from '../ports/store.ts'
import type { Placement, UploadRecord } from '../upload.ts'
import { record } from './change.ts'
import type { Requester } from './decide.ts'
import { handle, hasHandler, placing } from './handle.ts'
import { recordPlace } from './stray.ts'

/** Partial uploads are pieces of something unfinished: they are kept this many times longer than other uploads. */
export const PARTIAL_EXPIRY_FACTOR = 7

/**
 * Records that an upload is complete and brings its bytes where the store wants them.
 *
 * `change` carries the last bytes, so that offset, completion and events are one transaction. What takes long is
 * left to the settler; what is quick happens under the state `finishing`, before the client hears of it. So does the
 * application's handler, where it has one.
 *
 * @param change - Offset, placement and whatever else is new since the last record.
 * @returns The record as it is recorded, `complete`.
 */
export async function finish(
  ctx: Context,
  lease: Lease,
  change: RecordChange,
  by: Requester = {},
): Promise<UploadRecord> {
  const finished = asComplete(ctx, lease.record, change)
  const preview = { ...lease.record, ...finished }
  const plan = planFinish(ctx, preview)
  const isHandled = hasHandler(ctx, preview)
  if (plan === 'before-answer' || isHandled) {
    // The first attempt is counted here: it costs no transaction of its own.
    const handling = isHandled ? { handling: { attempts: 1 } } : {}
    await lease.update({ ...finished, ...handling, status: 'finishing', chore: 'settle' })
    return bringToComplete(ctx, lease, by)
  }
  if (plan === 'none') return record(ctx, lease, finished, 'post-finish', by.request)
  const upload = await record(ctx, lease, { ...finished, chore: 'settle' }, 'post-finish', by.request)
  ctx.settler.add(upload)
  return upload
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

type FinishPlan = ReturnType<Store['finishing']>

/** What the store has to do for a complete upload. Partial uploads are not processed (tus 1.0 §Concatenation). */
function planFinish(ctx: Context, record: UploadRecord): FinishPlan {
  return record.concat?.kind === 'partial' ? 'none' : ctx.store.finishing(record)
}

/**
 * Goes from `finishing` to `complete`. Idempotent: resumed by the next request or at start after a crash.
 *
 * @throws The store's or the application's error; the upload stays `finishing` and is tried again.
 */
export async function completeFinishing(
  ctx: Context,
  lease: Lease,
  by: Requester = {},
): Promise<UploadRecord> {
  const { handling } = lease.record
  if (hasHandler(ctx, lease.record)) {
    await lease.update({ handling: { attempts: (handling?.attempts ?? 0) + 1 } })
  }
  return bringToComplete(ctx, lease, by)
}

async function bringToComplete(ctx: Context, lease: Lease, by: Requester): Promise<UploadRecord> {
  const before = lease.record
  const plan = planFinish(ctx, before)
  const place = placing(ctx, before)
  try {
    if (plan === 'before-answer') await place.now()
    const handling = hasHandler(ctx, before) ? { handling: await handle(ctx, before, by, place) } : {}
    const { placement } = place
    const isLeft = plan === 'after-answer' && placement === undefined
    const change = { ...handling, ...(placement === undefined ? {} : { placement }) }
    const chore = isLeft ? 'settle' : undefined
    const after = await recordPlace(ctx, before, placement, () =>
      record(ctx, lease, { ...change, status: 'complete', chore }, 'post-finish', by.request),
    )
    if (isLeft) ctx.settler.add(after)
    // The answer need not wait until the old place is cleared; a crash before it leaves an orphan for the reaper.
    if (placement !== undefined) void tidy(ctx, before, placement)
    return after
  } catch (error) {
    ctx.settler.addLater(lease.record)
    throw error
  }
}

async function tidy(ctx: Context, before: UploadRecord, placement: Placement): Promise<void> {
  await ctx.store.tidy(before, placement).catch((error: unknown) => ctx.report(error, before.id))
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
        const { placement } = outcome
        await recordPlace(ctx, before, placement, () => lease.update({ placement, chore: undefined }))
        await ctx.store.tidy(before, placement)
      } catch (error) {
        ctx.report(error, before.id)
        // Bytes that are gone do not come back by trying again.
        if (hasCode(error, 'ERR_CORRUPT_RECORD')) await lease.update({ chore: undefined })
        else ctx.settler.addLater(before)
      }
    }),
  )
}
