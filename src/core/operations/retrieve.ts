import type { Context } from '../context.ts'
import { UploadError } from '../errors.ts'
import type { ByteRange } from '../ports/store.ts'
import type { UploadRecord } from '../upload.ts'
import { isExpired, isGone } from '../upload.ts'
import type { UploadId } from '../upload-id.ts'
import { assembleIfReady } from './concatenate.ts'

/**
 * Answers a client that is about to resume: a running append is stopped first, so that the offset is one that
 * the next append is accepted with (design: invariant 5).
 *
 * @throws {UploadError} `ERR_UPLOAD_NOT_FOUND`, `ERR_UPLOAD_GONE`, `ERR_UPLOAD_LOCKED` when a running append
 *   cannot be stopped within a second.
 */
export async function retrieve(ctx: Context, id: UploadId): Promise<UploadRecord> {
  const record = await look(ctx, id)
  if (record.status !== 'receiving') return record
  if (record.concat?.kind === 'final') return assembleIfReady(ctx, record)
  await ctx.leases.quiesce(id)
  return look(ctx, id)
}

/** The record as it is: takes no lease, stops nobody, waits for nobody. */
export async function look(ctx: Context, id: UploadId): Promise<UploadRecord> {
  const record = await ctx.catalog.get(id)
  if (record === undefined) throw new UploadError('ERR_UPLOAD_NOT_FOUND')
  // A running append is about to move the time of its upload.
  const isOverdue = isExpired(record, ctx.clock.nowMs()) && !ctx.leases.isBusy(id)
  if (isGone(record) || isOverdue) throw new UploadError('ERR_UPLOAD_GONE')
  return record
}

/** Reads recorded bytes. Takes no lease: what is recorded never changes. */
export function read(
  ctx: Context,
  record: UploadRecord,
  range: ByteRange,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const isInside = range.start >= 0 && range.start <= range.end && range.end <= record.offset
  if (!isInside) throw new RangeError('the range goes past the recorded bytes')
  return ctx.store.read(record, range, signal)
}
