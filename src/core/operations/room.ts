import type { Context } from '../context.ts'
import type { ErrorCode } from '../errors.ts'
import type { OwnerBounds, UploadRecord } from '../upload.ts'

/** How many bytes one request may still bring, and what is said when it brings more. */
export interface Room {
  readonly bytes: number
  readonly code: ErrorCode
}

/** The largest size of an upload; `undefined`: no limit. */
export function maxSizeOf(ctx: Context, { limits }: Pick<UploadRecord, 'limits'>): number | undefined {
  return limits.maxSizeBytes ?? ctx.limits.maxSizeBytes
}

/** What the owner of an upload may have at most. */
export function boundsOf(
  ctx: Context,
  { owner, limits }: Pick<UploadRecord, 'owner' | 'limits'>,
): OwnerBounds | undefined {
  return owner === undefined ? undefined : (limits.ownerBounds ?? ctx.limits.ownerBounds)
}

/**
 * The narrowest of all bounds for the content of a request.
 *
 * @param length - The length that holds for the request; it was paid from the owner's quota when it was declared.
 */
export async function roomFor(ctx: Context, record: UploadRecord, length: number | undefined): Promise<Room> {
  const { offset, limits } = record
  const rooms: Room[] = []
  if (length === undefined) {
    const maxBytes = maxSizeOf(ctx, record) ?? Number.MAX_SAFE_INTEGER
    rooms.push({ bytes: maxBytes - offset, code: 'ERR_MAX_SIZE_EXCEEDED' })
    const quota = await quotaLeft(ctx, record)
    if (quota !== undefined) rooms.push({ bytes: quota, code: 'ERR_QUOTA_EXCEEDED' })
  } else {
    rooms.push({ bytes: length - offset, code: 'ERR_UPLOAD_SIZE_EXCEEDED' })
  }
  const maxAppendBytes = limits.maxAppendBytes ?? ctx.limits.maxAppendBytes
  if (maxAppendBytes !== undefined) rooms.push({ bytes: maxAppendBytes, code: 'ERR_APPEND_TOO_LARGE' })
  return rooms.reduce((narrowest, room) => (room.bytes < narrowest.bytes ? room : narrowest))
}

/** Bytes that the owner may still have beside what this upload counts; `undefined`: no limit. */
export async function quotaLeft(ctx: Context, record: UploadRecord): Promise<number | undefined> {
  const maxBytes = boundsOf(ctx, record)?.maxBytes
  if (record.owner === undefined || maxBytes === undefined) return undefined
  const { bytes } = await ctx.catalog.usage(record.owner)
  return Math.max(0, maxBytes - bytes)
}

/** What a record with this length and offset counts for its owner. */
export function quotaChange(
  { owner }: Pick<UploadRecord, 'owner'>,
  length: number | undefined,
  offset: number,
): Partial<Pick<UploadRecord, 'quotaBytes'>> {
  return owner === undefined ? {} : { quotaBytes: length ?? offset }
}
