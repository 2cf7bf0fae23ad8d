import type { Context } from '../context.ts'
import type { Lease } from '../leases.ts'
import { CLAIMS_QUEUE } from '../ports/catalog.ts'
import type { UploadRecord } from '../upload.ts'
import { entomb } from './cancel.ts'
import type { SweepOptions } from './expire.ts'
import { records } from './records.ts'

/** Requests and chores have had their chance by then. */
const STALE_MS = 60_000
/** A record outlives its bytes this long: its client may still ask for the offset. */
const RECORD_MS = 24 * 60 * 60 * 1000
const CLAIMS = 256

/** Uploads of which all bytes are here, but whose last step has failed: it is tried again, nothing of them is removed. */
export async function sweepUnfinished(ctx: Context, options: SweepOptions): Promise<void> {
  const beforeMs = ctx.clock.nowMs() - STALE_MS
  for await (const record of records(ctx, ['finishing'], {})) {
    if (options.signal?.aborted === true) return
    if (record.lastWriteAtMs > beforeMs || ctx.leases.isBusy(record.id)) continue
    tell(options, 'unfinished', record)
    if (options.dryRun !== true) ctx.settler.add(record)
  }
}

/** Complete uploads that have become too old; only where somebody has said how old that is. */
export async function sweepOld(ctx: Context, options: SweepOptions): Promise<void> {
  if (options.completeAfterMs === undefined) return
  const finishedBeforeMs = ctx.clock.nowMs() - options.completeAfterMs
  for await (const record of records(ctx, ['complete'], { finishedBeforeMs })) {
    if (options.signal?.aborted === true) return
    if (ctx.leases.isBusy(record.id) || (await isClaimed(ctx, record))) continue
    tell(options, 'old', record)
    await held(ctx, options, record, async (lease) => {
      if (lease.record.status === 'complete') await entomb(ctx, lease, 'cancelled')
    })
  }
}

/** A worker has yet to take it, or is just at it. */
async function isClaimed(ctx: Context, { id }: UploadRecord): Promise<boolean> {
  const claims = await ctx.catalog.queues.list({ queue: CLAIMS_QUEUE, uploadId: id, isDead: false, limit: 1 })
  return claims.length > 0
}

/** Records of bytes that are gone: somebody has taken the file away, or a disk has lost it. */
export async function sweepRecords(ctx: Context, options: SweepOptions): Promise<void> {
  const { store } = ctx
  if (options.checkBytes !== true || store.isMissing === undefined) return
  const beforeMs = ctx.clock.nowMs() - RECORD_MS
  for await (const record of records(ctx, ['receiving', 'complete'], {})) {
    if (options.signal?.aborted === true) return
    const isYoung = record.status === 'complete' && record.lastWriteAtMs > beforeMs
    if (isYoung || ctx.leases.isBusy(record.id) || !(await store.isMissing(record))) continue
    tell(options, 'record', record)
    await held(ctx, options, record, async (lease) => {
      if (await store.isMissing?.(lease.record)) {
        await entomb(ctx, lease, lease.record.status === 'complete' ? 'cancelled' : 'failed')
      }
    })
  }
}

/** Claims of which nobody has heard for longer than their lease. The next worker gets them; they are only told of. */
export async function sweepClaims(ctx: Context, options: SweepOptions): Promise<void> {
  if (options.onSwept === undefined) return
  const nowMs = ctx.clock.nowMs()
  for (let after: number | undefined; ;) {
    const page = await ctx.catalog.queues.list({ queue: CLAIMS_QUEUE, after, limit: CLAIMS })
    for (const { uploadId, attempts, dueAtMs, isDead } of page) {
      if (isDead) options.onSwept({ kind: 'dead-claim', name: uploadId, sizeBytes: 0 })
      else if (attempts > 0 && dueAtMs <= nowMs)
        options.onSwept({ kind: 'claim', name: uploadId, sizeBytes: 0 })
    }
    if (page.length < CLAIMS || options.signal?.aborted === true) return
    after = page.at(-1)?.sequence
  }
}

function tell({ onSwept }: SweepOptions, kind: 'unfinished' | 'old' | 'record', record: UploadRecord): void {
  onSwept?.({ kind, name: record.id, sizeBytes: record.offset })
}

/** Works on an upload as its only writer, unless it is a dry run or somebody else is at it. */
async function held(
  ctx: Context,
  { dryRun }: SweepOptions,
  { id }: UploadRecord,
  work: (lease: Lease) => Promise<void>,
): Promise<void> {
  if (dryRun === true) return
  await ctx.leases.tryHoldAll([id], async ([lease]) => {
    if (lease !== undefined) await work(lease)
  })
}
