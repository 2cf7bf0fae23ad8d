import type { Context } from '../context.ts'
import { hasCode, UploadError } from '../errors.ts'
import type { UploadRecord } from '../upload.ts'
import { isExpired, isGone } from '../upload.ts'
import type { UploadId } from '../upload-id.ts'
import { assembleIfReady } from './concatenate.ts'
import { completeFinishing } from './finish.ts'
import { hasHandler } from './handle.ts'

/**
 * Answers a client that is about to resume: a running append is stopped first, so that the offset is one that
 * the next append is accepted with (design: invariant 5).
 *
 * @throws {UploadError} `ERR_UPLOAD_NOT_FOUND`, `ERR_UPLOAD_GONE`, `ERR_UPLOAD_LOCKED` when a running append
 *   cannot be stopped within a second.
 */
export async function retrieve(ctx: Context, id: UploadId): Promise<UploadRecord> {
  const record = await look(ctx, id)
  if (record.status === 'finishing' && hasHandler(ctx, record)) return handled(ctx, id)
  if (record.status !== 'receiving') return record
  if (record.concat?.kind === 'final') return assembleIfReady(ctx, record)
  // Nobody had to be asked: the record cannot have changed since it was read.
  return (await ctx.leases.quiesce(id)) ? look(ctx, id) : record
}

const NOT_YET = { retryAfterSeconds: 5, reason: 'The upload is whole; its last step is not done yet.' }

/**
 * An upload that the application has not answered yet. Clients take an offset at the end for success, and some begin a new
 * upload after any other failure than 423.
 */
async function handled(ctx: Context, id: UploadId): Promise<UploadRecord> {
  try {
    return await ctx.leases.hold(
      id,
      () => undefined,
      async (lease) => (lease.record.status === 'finishing' ? completeFinishing(ctx, lease) : lease.record),
    )
  } catch (error) {
    if (!hasCode(error, 'ERR_UPLOAD_LOCKED')) ctx.report(error, id)
    throw new UploadError('ERR_UPLOAD_LOCKED', NOT_YET)
  }
}

/** The record as it is: takes no lease, stops nobody, waits for nobody. */
export async function look(ctx: Context, id: UploadId): Promise<UploadRecord> {
  const record = await ctx.catalog.get(id)
  if (record === undefined) throw new UploadError('ERR_UPLOAD_NOT_FOUND')
  // A running append is about to move the time of its upload. A chore does not: who was told that an upload has
  // gone must not see it again because the server is just clearing it away.
  const isOverdue = isExpired(record, ctx.clock.nowMs()) && !ctx.leases.isServing(id)
  if (isGone(record) || isOverdue) throw new UploadError('ERR_UPLOAD_GONE')
  return record
}
