import type { Context } from '../context.ts'
import { UploadError } from '../errors.ts'
import { handedOverFrom } from '../handed-over.ts'
import type { ByteRange } from '../ports/store.ts'
import type { UploadRecord } from '../upload.ts'
import { isGone } from '../upload.ts'

/**
 * Reads recorded bytes. Takes no lease: what is recorded never changes, though it may be brought to another place
 * while somebody reads it.
 *
 * @throws {RangeError} if the range goes past what is recorded.
 * @throws {UploadError} `ERR_UPLOAD_GONE` if an application has taken the bytes.
 */
export function read(
  ctx: Context,
  record: UploadRecord,
  range: ByteRange,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const isInside = range.start >= 0 && range.start <= range.end && range.end <= record.offset
  if (!isInside) throw new RangeError('the range goes past the recorded bytes')
  if (handedOverFrom(record) !== undefined) throw takenAway()
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
      if (handedOverFrom(now) !== undefined) throw takenAway()
      known = now
    }
  }
}

function isSamePlace(one: UploadRecord, other: UploadRecord): boolean {
  return JSON.stringify(one.placement.where) === JSON.stringify(other.placement.where)
}

function takenAway(): UploadError {
  return new UploadError('ERR_UPLOAD_GONE', {
    reason: 'The application has taken the content of this upload.',
  })
}
