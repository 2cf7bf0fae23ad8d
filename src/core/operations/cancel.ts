import type { Context } from '../context.ts'
import { UploadError } from '../errors.ts'
import { handedOverFrom } from '../handed-over.ts'
import type { Lease } from '../leases.ts'
import type { UploadEventType } from '../ports/hooks.ts'
import type { UploadRecord, UploadStatus } from '../upload.ts'
import { isExpired, isGone } from '../upload.ts'
import type { UploadId } from '../upload-id.ts'
import { record } from './change.ts'
import type { Requester } from './decide.ts'
import { decideTermination } from './decide.ts'
import { completeFinishing } from './finish.ts'
import { quotaChange } from './room.ts'

/**
 * Ends an upload, finished or not, and frees what it holds. A running append is stopped first.
 *
 * @throws {UploadError} `ERR_UPLOAD_NOT_FOUND`, `ERR_UPLOAD_GONE`, `ERR_UPLOAD_LOCKED` while it is being brought
 *   to its final place, `ERR_UPLOAD_TERMINATION_REJECTED`.
 * @see tus 1.0 §Termination
 */
export async function cancel(ctx: Context, id: UploadId, by: Requester = {}): Promise<void> {
  await ctx.leases.hold(
    id,
    () => undefined,
    async (lease) => {
      const upload = lease.record
      if (isGone(upload) || isExpired(upload, ctx.clock.nowMs())) throw new UploadError('ERR_UPLOAD_GONE')
      await decideTermination(ctx, upload, by)
      // States move one way: what has begun to finish finishes first.
      if (lease.record.status === 'finishing') await completeFinishing(ctx, lease)
      await entomb(ctx, lease, 'cancelled', by)
    },
  )
}

const EVENT_OF: Readonly<Record<'cancelled' | 'expired' | 'failed', UploadEventType>> = {
  cancelled: 'post-terminate',
  expired: 'upload-expired',
  failed: 'upload-failed',
}

/**
 * Makes a tombstone of an upload, then frees its bytes. In this order: a crash in between leaves bytes without
 * use, never a record without bytes.
 */
export async function entomb(
  ctx: Context,
  lease: Lease,
  status: Extract<UploadStatus, 'cancelled' | 'expired' | 'failed'>,
  by: Requester = {},
): Promise<void> {
  const change = {
    status,
    chore: 'remove',
    lastWriteAtMs: ctx.clock.nowMs(),
    expiresAtMs: undefined,
    ...quotaChange(lease.record, 0, 0),
  } as const
  await record(ctx, lease, change, EVENT_OF[status], by.request)
  ctx.reservations.release(lease.record.id)
  try {
    await removeBytes(ctx, lease)
  } catch (error) {
    // The upload is gone for everybody; its bytes are freed at the next attempt.
    ctx.report(error, lease.record.id)
    ctx.settler.addLater(lease.record)
  }
}

/** Frees the bytes of a tombstone. */
export async function removeBytes(ctx: Context, lease: Lease): Promise<UploadRecord> {
  // What was handed over is the application's: the store has nothing left of it.
  if (handedOverFrom(lease.record) === undefined) await ctx.store.remove(lease.record)
  const { id, length } = lease.record
  return lease.update({ placement: ctx.store.place({ id, length }), chore: undefined })
}
