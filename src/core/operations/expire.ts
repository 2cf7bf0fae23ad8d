import type { Context } from '../context.ts'
import type { FindRecord } from '../ports/store.ts'
import type { UploadRecord, UploadStatus } from '../upload.ts'
import { isExpired } from '../upload.ts'
import { parseUploadId } from '../upload-id.ts'
import { entomb } from './cancel.ts'

const PAGE = 256
const TOMBSTONE_MS = 24 * 60 * 60 * 1000
const ORPHAN_AGE_MS = 60 * 60 * 1000

/** Something that a sweep removes, or would remove. */
export interface Swept {
  readonly kind: 'expired' | 'tombstone' | 'orphan'
  readonly name: string
  readonly sizeBytes: number
}

export interface SweepOptions {
  /** Only tell what would be removed. */
  readonly dryRun?: boolean
  readonly onSwept?: (swept: Swept) => void
  /** Ends the sweep at the next thing it would look at. */
  readonly signal?: AbortSignal
}

/**
 * Removes expired unfinished uploads, tombstones past their day, and bytes that no record refers to.
 *
 * Decides from the recorded state alone. Never touches a complete upload, one that is being written, or anything
 * that this software did not name itself.
 */
export async function sweep(ctx: Context, options: SweepOptions = {}): Promise<void> {
  await sweepExpired(ctx, options)
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

async function* records(
  ctx: Context,
  status: readonly UploadStatus[],
  before: { expiresBeforeMs?: number; lastWriteBeforeMs?: number },
): AsyncIterable<UploadRecord> {
  let last: UploadRecord | undefined
  for (;;) {
    const page = await ctx.catalog.list({ status, ...before, after: last?.id, limit: PAGE })
    yield* page
    if (page.length < PAGE) return
    last = page.at(-1)
  }
}
