import type { Context } from '../context.ts'
import type { FindRecord } from '../ports/store.ts'
import { isExpired } from '../upload.ts'
import { parseUploadId } from '../upload-id.ts'
import { entomb } from './cancel.ts'
import { records } from './records.ts'
import { sweepClaims, sweepOld, sweepRecords, sweepUnfinished } from './upkeep.ts'

const TOMBSTONE_MS = 24 * 60 * 60 * 1000
const ORPHAN_AGE_MS = 60 * 60 * 1000

/**
 * Something that a sweep has found. It removes what has `expired`, each `tombstone` past its day, an `orphan` in the
 * store, an `old` complete upload and the `record` of bytes that are gone. It takes up what is `unfinished` again, and
 * only tells of a `claim` whose worker is gone and of a `dead-claim` that was given up.
 */
export interface Swept {
  readonly kind: 'expired' | 'tombstone' | 'orphan' | 'old' | 'record' | 'unfinished' | 'claim' | 'dead-claim'
  readonly name: string
  readonly sizeBytes: number
}

export interface SweepOptions {
  /** Only tell what would be removed. */
  readonly dryRun?: boolean
  readonly onSwept?: (swept: Swept) => void
  /** Complete uploads that finished longer ago than this, in milliseconds, are removed. @default never */
  readonly completeAfterMs?: number | undefined
  /** Look whether the bytes of every record are there: a look at the disk for each. @default false */
  readonly checkBytes?: boolean
  /** Ends the sweep at the next thing it would look at. */
  readonly signal?: AbortSignal
}

/**
 * Removes what nobody needs any more and takes up what was left unfinished; {@link Swept} lists all of it.
 *
 * Decides from the recorded state alone. Never touches a complete upload unless told how old one may get, one that is
 * being written, or anything that this software did not name itself.
 */
export async function sweep(ctx: Context, options: SweepOptions = {}): Promise<void> {
  await sweepExpired(ctx, options)
  await sweepUnfinished(ctx, options)
  await sweepOld(ctx, options)
  await sweepRecords(ctx, options)
  await sweepClaims(ctx, options)
  await sweepTombstones(ctx, options)
  await sweepOrphans(ctx, options)
}

async function sweepExpired(ctx: Context, options: SweepOptions): Promise<void> {
  const nowMs = ctx.clock.nowMs()
  for await (const record of records(ctx, ['receiving', 'complete'], { expiresBeforeMs: nowMs })) {
    if (options.signal?.aborted === true) return
    if (!isExpired(record, nowMs) || ctx.leases.isBusy(record.id)) continue
    options.onSwept?.({ kind: 'expired', name: record.id, sizeBytes: record.offset })
    if (options.dryRun === true) continue
    await ctx.leases.tryHoldAll([record.id], async ([lease]) => {
      // It may have moved on while we waited for the lease.
      if (lease !== undefined && isExpired(lease.record, nowMs)) await entomb(ctx, lease, 'expired')
    })
  }
}

async function sweepTombstones(ctx: Context, options: SweepOptions): Promise<void> {
  const lastWriteBeforeMs = ctx.clock.nowMs() - TOMBSTONE_MS
  for await (const record of records(ctx, ['cancelled', 'expired', 'failed'], { lastWriteBeforeMs })) {
    if (options.signal?.aborted === true) return
    options.onSwept?.({ kind: 'tombstone', name: record.id, sizeBytes: 0 })
    if (options.dryRun === true) continue
    await ctx.store.remove(record)
    const { id, epoch, offset, status } = record
    await ctx.catalog.forget(id, { epoch, offset, status })
  }
}

async function sweepOrphans(ctx: Context, options: SweepOptions): Promise<void> {
  const find: FindRecord = async (text) => {
    const id = parseUploadId(text)
    if (id === undefined) return undefined
    // An upload that is being created may have bytes before it has a record.
    if (ctx.leases.isBusy(id) || (await ctx.catalog.heldElsewhere(id, false))) return 'in-use'
    const record = await ctx.catalog.get(id)
    return record?.chore === undefined ? record : 'in-use'
  }
  for await (const orphan of ctx.store.orphans?.(find, ORPHAN_AGE_MS) ?? []) {
    if (options.signal?.aborted === true) return
    options.onSwept?.({ kind: 'orphan', name: orphan.name, sizeBytes: orphan.sizeBytes })
    if (options.dryRun !== true) await orphan.remove()
  }
}
