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
  // Nobody had to be asked: the record cannot have changed since it was read.
  return (await ctx.leases.quiesce(id)) ? look(ctx, id) : record
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

/**
 * Reads recorded bytes. Takes no lease: what is recorded never changes, though it may be brought to another place
 * while somebody reads it.
 *
 * @throws {RangeError} if the range goes past what is recorded.
 */
export function read(
  ctx: Context,
  record: UploadRecord,
  range: ByteRange,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const isInside = range.start >= 0 && range.start <= range.end && range.end <= record.offset
  if (!isInside) throw new RangeError('the range goes past the recorded bytes')
  return follow(ctx, record, range, signal)
}

async function* follow(
  ctx: Context,
  record: UploadRecord,
  range: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let start = range.start
  for (let known = record; ;) {
    try {
      for await (const chunk of ctx.store.read(known, { start, end: range.end }, signal)) {
        start += chunk.length
        yield chunk
      }
      return
    } catch (error) {
      const now = signal.aborted ? undefined : await ctx.catalog.get(record.id)
      if (now === undefined || isGone(now) || isSamePlace(known, now)) throw error
      known = now
    }
  }
}

function isSamePlace(one: UploadRecord, other: UploadRecord): boolean {
  return JSON.stringify(one.placement.where) === JSON.stringify(other.placement.where)
}
