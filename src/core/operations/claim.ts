import type { Context } from '../context.ts'
import { hasCode, UploadError } from '../errors.ts'
import { handedOverFrom, handedOverPlacement } from '../handed-over.ts'
import type { Lease } from '../leases.ts'
import type { QueueEntry, Queues, TakenEntry } from '../ports/catalog.ts'
import { CLAIMS_QUEUE } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import type { UploadRecord } from '../upload.ts'
import { isGone } from '../upload.ts'
import type { UploadId } from '../upload-id.ts'
import { entomb } from './cancel.ts'
import { placing } from './handle.ts'
import { recordPlace } from './stray.ts'

/** How soon another try is made for an upload that somebody is writing, or a place that could not be cleared. */
const LOCKED_RETRY_MS = 50
const CLEAR_RETRY_MS = 5000
const MEMBER_TRIES = 5

/** A complete upload that this process has taken for processing. */
export interface ClaimedUpload {
  readonly entry: QueueEntry
  readonly record: UploadRecord
}

interface TakeClaims {
  readonly limit: number
  /** Who neither extends nor ends its claim within this time loses it to another process. */
  readonly leaseMs: number
  /** What was taken this often and never done is given up. */
  readonly maxAttempts: number
  /** Clears away what the application's side has left of an upload whose hand-over was cut by a crash. */
  readonly clear: (record: UploadRecord, leftovers: readonly string[]) => Promise<void>
}

/** Complete uploads for processing, each exclusively, by all processes that share the catalog. */
export interface ClaimDesk extends Pick<Queues, 'extend' | 'release' | 'done' | 'replay'> {
  readonly clock: Clock
  /** From now on complete uploads can be taken; those that are complete already, too. */
  enable(): Promise<void>
  /** The oldest uploads that are due; none that is incomplete, partial, gone or handed over. */
  take(options: TakeClaims): Promise<readonly ClaimedUpload[]>
  /** When the next one is due; `undefined`: there is none. A past time: now. */
  nextDueMs(): Promise<number | undefined>
  /** What was given up. */
  listDead(limit: number, after: number | undefined): Promise<readonly QueueEntry[]>
  /**
   * Brings an upload to its final place where it is not there yet.
   *
   * @returns Where it lies as a plain file; `undefined` where the store keeps none.
   * @throws {UploadError} `ERR_UPLOAD_GONE` when it was deleted or handed over meanwhile.
   */
  place(id: UploadId, signal: AbortSignal): Promise<string | undefined>
  /**
   * Frees the store's bytes of an upload that the application has a copy of. The record stays `complete`.
   *
   * @returns False when the bytes could not be freed; that was reported and is repeated when the entry is taken again.
   */
  handOver(id: UploadId, leftovers: readonly string[], signal: AbortSignal): Promise<boolean>
  /** Ends an upload, as a client's DELETE would, without asking anybody. Fine for one that is gone. */
  remove(id: UploadId, signal: AbortSignal): Promise<void>
}

export function claimDesk(ctx: Context): ClaimDesk {
  const { queues } = ctx.catalog
  return {
    clock: ctx.clock,
    enable: () => asMember(() => queues.enableClaims()),
    take: (options) => take(ctx, options),
    nextDueMs: () => queues.nextDueMs(CLAIMS_QUEUE),
    listDead: (limit, after) => queues.list({ queue: CLAIMS_QUEUE, isDead: true, limit, after }),
    extend: (entry, untilMs) => asMember(() => queues.extend(entry, untilMs)),
    release: (entry, outcome) => asMember(() => queues.release(entry, outcome)),
    done: (entry) => asMember(() => queues.done(entry)),
    replay: (sequences) => asMember(() => queues.replay(sequences)),
    async place(id, signal) {
      const record = await ctx.catalog.get(id)
      if (record === undefined) throw new UploadError('ERR_UPLOAD_NOT_FOUND')
      // Nothing of it changes any more: no lease is needed to say where it is.
      if (isInPlace(ctx, record)) return ctx.store.pathOf?.(record)
      return patiently(ctx, id, signal, (lease) => place(ctx, lease))
    },
    handOver: (id, leftovers, signal) =>
      patiently(ctx, id, signal, (lease) => handOver(ctx, lease, leftovers)).catch(trueIfMissing),
    async remove(id, signal) {
      const end = async (lease: Lease): Promise<void> => {
        if (!isGone(lease.record)) await entomb(ctx, lease, 'cancelled')
      }
      await patiently(ctx, id, signal, end).catch(trueIfMissing)
    },
  }
}

async function take(ctx: Context, options: TakeClaims): Promise<readonly ClaimedUpload[]> {
  const { limit, leaseMs } = options
  while (!ctx.leases.closing) {
    const nowMs = ctx.clock.nowMs()
    const entries = await asMember(() => ctx.catalog.queues.take(CLAIMS_QUEUE, { limit, nowMs, leaseMs }))
    const opened = await Promise.all(entries.map((entry) => opening(ctx, entry, options)))
    const claimed = opened.filter((item) => item !== undefined)
    if (claimed.length > 0 || entries.length === 0) return claimed
  }
  return []
}

/** @returns `undefined` for an entry that there is nothing to do for, or nothing any more; it was seen to. */
async function opening(
  ctx: Context,
  entry: QueueEntry,
  { maxAttempts, clear }: TakeClaims,
): Promise<ClaimedUpload | undefined> {
  const { queues } = ctx.catalog
  const record = await ctx.catalog.get(entry.uploadId)
  if (record === undefined || isGone(record)) {
    await queues.done(entry)
    return undefined
  }
  if (handedOverFrom(record) !== undefined) {
    await finishHandOver(ctx, entry, record, clear)
    return undefined
  }
  if (record.status !== 'complete' || record.concat?.kind === 'partial') {
    ctx.report(new Error('a claim was queued for an upload that is not complete'), record.id)
    await giveBack(ctx, entry)
    return undefined
  }
  if (entry.attempts > maxAttempts) {
    const error = entry.lastError ?? 'No attempt came to an end: each time the worker was gone.'
    await queues.release(entry, { dueAtMs: ctx.clock.nowMs(), isDead: true, error })
    return undefined
  }
  return { entry, record }
}

/** A worker was cut between the hand-over and the end of its claim: what it wanted has happened, the rest is done here. */
async function finishHandOver(
  ctx: Context,
  entry: QueueEntry,
  record: UploadRecord,
  clear: TakeClaims['clear'],
): Promise<void> {
  const { from, leftovers } = handedOverFrom(record) ?? { from: null, leftovers: [] }
  try {
    await ctx.store.remove({ ...record, placement: { where: from } })
    await clear(record, leftovers)
    await ctx.catalog.queues.done(entry)
  } catch (error) {
    ctx.report(error, record.id)
    await giveBack(ctx, entry)
  }
}

async function giveBack(ctx: Context, entry: TakenEntry): Promise<void> {
  await ctx.catalog.queues.release(entry, { dueAtMs: ctx.clock.nowMs() + CLEAR_RETRY_MS, isDead: false })
}

/** @throws {UploadError} `ERR_UPLOAD_GONE`. */
function isInPlace(ctx: Context, record: UploadRecord): boolean {
  if (isGone(record) || handedOverFrom(record) !== undefined) throw new UploadError('ERR_UPLOAD_GONE')
  assertComplete(record)
  return ctx.store.finishing(record) === 'none'
}

async function place(ctx: Context, lease: Lease): Promise<string | undefined> {
  const before = lease.record
  if (!isInPlace(ctx, before)) {
    const placement = await placing(ctx, before).now()
    await recordPlace(ctx, before, placement, () => lease.update({ placement, chore: undefined }))
    await ctx.store.tidy(before, placement)
  }
  return ctx.store.pathOf?.(lease.record)
}

/** In this order: a crash in between leaves bytes without use that the next taker frees, never a record without bytes. */
async function handOver(ctx: Context, lease: Lease, leftovers: readonly string[]): Promise<boolean> {
  const before = lease.record
  if (isGone(before) || handedOverFrom(before) !== undefined) return true
  assertComplete(before)
  const placement = handedOverPlacement(before.placement, leftovers)
  await lease.update({ placement, chore: undefined, quotaBytes: 0 })
  try {
    await ctx.store.remove(before)
    return true
  } catch (error) {
    ctx.report(error, before.id)
    return false
  }
}

function assertComplete({ status, concat }: UploadRecord): void {
  if (status !== 'complete' || concat?.kind === 'partial')
    throw new TypeError('only complete uploads can be taken by an application')
}

/** Works as the only writer of an upload, however long a chore keeps it: copying a large file takes its time. */
async function patiently<T>(
  ctx: Context,
  id: UploadId,
  signal: AbortSignal,
  work: (lease: Lease) => Promise<T>,
): Promise<T> {
  for (;;) {
    signal.throwIfAborted()
    try {
      return await ctx.leases.hold(id, () => undefined, work)
    } catch (error) {
      if (!hasCode(error, 'ERR_UPLOAD_LOCKED') && !hasCode(error, 'ERR_LEASE_LOST')) throw error
    }
    await new Promise<void>((resolve) => void ctx.clock.after(LOCKED_RETRY_MS, resolve))
  }
}

/**
 * Changes a queue. A process that blocked for seconds was expelled by the others and hears of it by a refused change;
 * it is a member again under another name at the next one, and what it has taken from a queue is still its own.
 */
async function asMember<T>(change: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await change()
    } catch (error) {
      if (tries === MEMBER_TRIES || !hasCode(error, 'ERR_LEASE_LOST')) throw error
    }
  }
}

/** An upload that was forgotten meanwhile needs nothing more. */
function trueIfMissing(error: unknown): true {
  if (hasCode(error, 'ERR_UPLOAD_NOT_FOUND')) return true
  throw error
}
