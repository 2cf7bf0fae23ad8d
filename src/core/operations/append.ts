import type { Context } from '../context.ts'
import { UploadError } from '../errors.ts'
import type { Lease } from '../leases.ts'
import type { Body } from '../ports/body.ts'
import type { Checksum } from '../ports/digest.ts'
import type { UploadRecord } from '../upload.ts'
import { isExpired, isGone } from '../upload.ts'
import type { UploadId } from '../upload-id.ts'
import { AppendSession, receiveNothing, Stopper } from './append-session.ts'
import { entomb } from './cancel.ts'
import type { CompletionRule } from './change.ts'
import { activity, endsUpload } from './change.ts'
import { verifiesChecksum } from './checksum.ts'
import type { Requester } from './decide.ts'
import { decideAppend, stopped } from './decide.ts'
import { completeFinishing, finish } from './finish.ts'
import { maxSizeOf, quotaChange, quotaLeft, roomFor } from './room.ts'

export interface AppendRequest {
  /** Bytes the client believes are stored. */
  readonly offset: number
  /** The length, where this request declares it. */
  readonly length?: number | undefined
  readonly body: Body
  readonly checksum?: Checksum | undefined
  /**
   * Reads the checksum from the trailers; set when the request has announced one.
   *
   * @throws {UploadError} when the trailers carry none, or a malformed one.
   */
  readonly trailerChecksum?: ((trailers: ReadonlyMap<string, string>) => Checksum) | undefined
  readonly completes: CompletionRule
  /** The content comes with the creation: content past the length then refuses the whole request. */
  readonly isCreation?: boolean
  /** Called when everything about the request is in order, right before the body is read (`100 Continue`). */
  readonly onAccepted?: (() => void) | undefined
  readonly by?: Requester | undefined
}

/**
 * Appends bytes to an upload and makes them durable before it resolves.
 *
 * A request that is running for the same upload is stopped first. When the body breaks off, what has arrived is
 * kept and recorded, unless a checksum was promised for it.
 *
 * @returns The record after the append.
 * @throws {UploadError} `ERR_MISMATCHED_OFFSET` (nothing written), `ERR_UPLOAD_STOPPED` when a newer request took
 *   over, `ERR_UPLOAD_INTERRUPTED` or `ERR_READ_TIMEOUT` when the body broke off, `ERR_UPLOAD_SIZE_EXCEEDED`,
 *   `ERR_CHECKSUM_MISMATCH` (nothing stored), `ERR_STORE_FULL`, `ERR_LEASE_LOST`, …
 * @see tus 1.0 §PATCH
 */
export async function append(ctx: Context, id: UploadId, request: AppendRequest): Promise<UploadRecord> {
  const stopper = new Stopper()
  return ctx.leases.hold(id, stopper.stop, async (lease) => {
    if (lease.record.status === 'finishing') await completeFinishing(ctx, lease, request.by)
    await admit(ctx, lease.record, request)
    if (lease.record.status === 'complete') return receiveNothing(ctx, lease.record, request, stopper)
    return receive(ctx, lease, request, stopper)
  })
}

/** Checks a request against the record, before a byte is read. The order decides which answer a client gets. */
async function admit(ctx: Context, record: UploadRecord, request: AppendRequest): Promise<void> {
  if (isGone(record) || isExpired(record, ctx.clock.nowMs())) throw new UploadError('ERR_UPLOAD_GONE')
  // tus 1.0 §Concatenation: 403 for every PATCH against a final upload, whatever its offset.
  if (record.concat?.kind === 'final') throw new UploadError('ERR_MODIFY_FINAL')
  const { offset, expiresAtMs } = record
  if (request.offset !== offset) throw new UploadError('ERR_MISMATCHED_OFFSET', { offset, expiresAtMs })
  const length = await admitLength(ctx, record, request.length)
  const content = request.body.contentLength
  if (content === undefined || content === 0) return
  const room = await roomFor(ctx, record, length)
  if (content > room.bytes) throw new UploadError(room.code, { offset, expiresAtMs })
}

/** The length that holds for this request: declared now, or before. */
async function admitLength(
  ctx: Context,
  record: UploadRecord,
  declared: number | undefined,
): Promise<number | undefined> {
  if (declared === undefined || declared === record.length) return record.length
  const { offset } = record
  if (record.length !== undefined) throw new UploadError('ERR_LENGTH_CHANGED', { offset })
  const maxSizeBytes = maxSizeOf(ctx, record)
  if (maxSizeBytes !== undefined && declared > maxSizeBytes)
    throw new UploadError('ERR_MAX_SIZE_EXCEEDED', { offset })
  if (declared < offset) {
    throw new UploadError('ERR_INVALID_UPLOAD_LENGTH', {
      offset,
      reason: 'The length is less than what is stored.',
    })
  }
  const quota = await quotaLeft(ctx, record)
  if (quota !== undefined && declared - record.quotaBytes > quota)
    throw new UploadError('ERR_QUOTA_EXCEEDED', { offset })
  return declared
}

/**
 * Receives the body of an admitted request into the store and records it.
 * Also serves a creation with content, for a record that may not be in the catalog yet.
 */
export async function receive(
  ctx: Context,
  lease: Lease,
  request: AppendRequest,
  stopper: Stopper,
): Promise<UploadRecord> {
  const length = request.length ?? lease.record.length
  if (request.body.contentLength === 0) return recordEmpty(ctx, lease, request, length)
  const { by = {}, body } = request
  const { id, offset } = lease.record
  const stopping = await decideAppend(ctx, lease.record, by, { offset, contentLength: body.contentLength })
  if (stopping !== undefined) {
    if (lease.isRecorded) await entomb(ctx, lease, 'cancelled', by)
    throw stopped(stopping)
  }
  const room = await roomFor(ctx, lease.record, length)
  const restBytes = length === undefined ? 0 : length - offset
  await ctx.reservations.reserve(id, body.contentLength ?? restBytes)
  try {
    const session = await AppendSession.open(ctx, lease, request, room)
    try {
      return await session.run(stopper)
    } finally {
      await session.close()
    }
  } finally {
    ctx.reservations.progress(id, stillToCome(lease.record))
  }
}

/**
 * A client that sends its upload in many requests keeps space between two of them, but no more than it has brought: one
 * byte must not hold the disk for ten minutes.
 */
function stillToCome({ status, length, offset }: UploadRecord): number {
  return status === 'receiving' && length !== undefined ? Math.min(length - offset, offset) : 0
}

/** An empty body stores nothing, but may declare the length, end the upload, and keeps it from expiring. */
async function recordEmpty(
  ctx: Context,
  lease: Lease,
  request: AppendRequest,
  length: number | undefined,
): Promise<UploadRecord> {
  request.onAccepted?.()
  const { record } = lease
  if (request.checksum !== undefined && !(await verifiesChecksum(ctx, request.checksum, []))) {
    throw new UploadError('ERR_CHECKSUM_MISMATCH', { offset: record.offset })
  }
  if (record.status === 'complete') return record
  const change = { length, ...activity(ctx, record), ...quotaChange(record, length, record.offset) }
  if (endsUpload(request.completes, record.offset, length)) return finish(ctx, lease, change, request.by)
  return lease.update(change)
}
