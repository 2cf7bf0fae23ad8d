import type { Context } from '../context.ts'
import type { ErrorCode } from '../errors.ts'
import { isUploadError, UploadError } from '../errors.ts'
import type { Lease } from '../leases.ts'
import type { Store } from '../ports/store.ts'
import type { UploadRecord } from '../upload.ts'
import { isExpired, isGone } from '../upload.ts'
import type { UploadId } from '../upload-id.ts'
import { entomb } from './cancel.ts'
import type { NewUpload } from './create.ts'
import { birthOf, decidedRecord, discard, newRecord } from './create.ts'
import type { Requester } from './decide.ts'
import { finish } from './finish.ts'
import { maxSizeOf, quotaChange } from './room.ts'

type Concatenate = NonNullable<Store['concatenate']>

/** Why a final can never be put together; any other failure may pass. */
const PART_IS_LOST: ReadonlySet<ErrorCode> = new Set(['ERR_UPLOAD_NOT_FOUND', 'ERR_NOT_PARTIAL'])

export interface ConcatenateRequest {
  readonly upload: Omit<NewUpload, 'length' | 'concat'>
  /** Partial uploads in the order of their content; the same one may stand in it several times. */
  readonly parts: readonly UploadId[]
  readonly by?: Requester | undefined
}

/**
 * Creates a final upload out of partial ones, without copying. Parts that are still being uploaded make it wait:
 * it is assembled when the last of them completes.
 *
 * @throws {UploadError} `ERR_CONCATENATION_UNSUPPORTED`, `ERR_UPLOAD_NOT_FOUND` or `ERR_NOT_PARTIAL` for a part,
 *   `ERR_MAX_SIZE_EXCEEDED`: nothing is created.
 * @see tus 1.0 §Concatenation
 */
export async function concatenate(ctx: Context, request: ConcatenateRequest): Promise<UploadRecord> {
  const join = concatenationOf(ctx)
  const { by = {} } = request
  const parts = await partsOf(ctx, request.parts)
  // Whoever names somebody else's upload must not even learn that it is there.
  if (parts.some((part) => part.owner !== by.owner && part.owner !== undefined && by.owner !== undefined))
    throw partNotFound()
  const length = totalLength(parts)
  const concat = { kind: 'final', parts: request.parts } as const
  const draft = newRecord(ctx, { ...request.upload, length, concat }, by)
  const record = { ...(await decidedRecord(ctx, draft, by)), quotaBytes: 0 }
  const birth = birthOf(ctx, record, by)
  const maxSizeBytes = maxSizeOf(ctx, record)
  if (maxSizeBytes !== undefined && (length ?? 0) > maxSizeBytes)
    throw new UploadError('ERR_MAX_SIZE_EXCEEDED')
  // Joined without copying, but a plain file of it will have to fit.
  await ctx.reservations.check(record.id, length ?? 0)
  return ctx.leases.holdNew(
    record,
    // The parts have paid for the bytes; the final takes that over when it is assembled.
    { ...birth, bounds: { maxUploads: birth.bounds?.maxUploads } },
    () => undefined,
    async (lease) => {
      if (!parts.every((part) => part.status === 'complete')) {
        const waiting = await lease.update({ chore: 'settle' })
        ctx.settler.addLater(waiting)
        return waiting
      }
      // An id of the application's choice may be taken: the bytes of that upload must not be touched.
      if (record.id !== draft.id) await lease.update({})
      try {
        return await assemble(ctx, lease, join, parts, by)
      } catch (error) {
        await discard(ctx, lease)
        throw error
      }
    },
  )
}

/** Assembles a waiting final whose parts are complete by now; otherwise returns it as it stands. */
export async function assembleIfReady(ctx: Context, record: UploadRecord): Promise<UploadRecord> {
  let now = record
  await ctx.leases.tryHoldAll([record.id], async ([lease]) => {
    if (lease !== undefined) now = await tryAssemble(ctx, lease)
  })
  if (isGone(now)) throw new UploadError('ERR_UPLOAD_GONE')
  return now
}

/** Brings a waiting final as far as it goes: assembled, failed because a part is gone, or still waiting. */
export async function tryAssemble(ctx: Context, lease: Lease): Promise<UploadRecord> {
  const { record } = lease
  if (record.concat?.kind !== 'final' || record.status !== 'receiving') return record
  // Whoever asked was told that it is gone: it must not come back.
  if (isExpired(record, ctx.clock.nowMs())) {
    await entomb(ctx, lease, 'expired')
    return lease.record
  }
  const parts = await partsOf(ctx, record.concat.parts).catch((error: unknown) => {
    if (isUploadError(error) && PART_IS_LOST.has(error.code)) return undefined
    throw error
  })
  if (parts === undefined) {
    await entomb(ctx, lease, 'failed')
    return lease.record
  }
  if (parts.every((part) => part.status === 'complete')) {
    return assemble(ctx, lease, concatenationOf(ctx), parts)
  }
  // tus 1.0 §Concatenation: the length is told as soon as it can be calculated.
  const length = totalLength(parts)
  const expiresAtMs = latestExpiry(record, parts)
  if (length === record.length && expiresAtMs === record.expiresAtMs) return record
  return lease.update({ length, expiresAtMs })
}

/** A final that waits lives as long as the longest of its parts. */
function latestExpiry(record: UploadRecord, parts: readonly UploadRecord[]): number | undefined {
  if (record.expiresAtMs === undefined) return undefined
  const latestMs = Math.max(...parts.map((part) => part.expiresAtMs ?? 0))
  // Written at most once a minute: it moves with every append to a part.
  return latestMs - record.expiresAtMs > 60_000 ? latestMs : record.expiresAtMs
}

async function assemble(
  ctx: Context,
  lease: Lease,
  join: Concatenate,
  parts: readonly UploadRecord[],
  by: Requester = {},
): Promise<UploadRecord> {
  const placement = await join(parts, lease.record)
  const offset = parts.reduce((sum, part) => sum + part.offset, 0)
  const quota = quotaChange(lease.record, offset, offset)
  const record = await finish(ctx, lease, { offset, placement, chore: undefined, ...quota }, by)
  if (record.owner !== undefined) await relieve(ctx, parts)
  return record
}

/** The bytes of parts count for their owner once: by now the final does. One that is in use just keeps counting. */
async function relieve(ctx: Context, parts: readonly UploadRecord[]): Promise<void> {
  const ids = [...new Set(parts.filter(({ quotaBytes }) => quotaBytes > 0).map(({ id }) => id))]
  const relieving = ctx.leases.tryHoldAll(ids, async (leases) => {
    await Promise.all(leases.map((lease) => lease.update({ quotaBytes: 0 })))
  })
  await relieving.catch((error: unknown) => ctx.report(error))
}

function partNotFound(): UploadError {
  return new UploadError('ERR_UPLOAD_NOT_FOUND', {
    reason: 'A partial upload in the list does not exist.',
  })
}

function concatenationOf(ctx: Context): Concatenate {
  const { store } = ctx
  if (store.concatenate === undefined) throw new UploadError('ERR_CONCATENATION_UNSUPPORTED')
  return (parts, into) =>
    store.concatenate?.(parts, into) ?? Promise.reject(new UploadError('ERR_CONCATENATION_UNSUPPORTED'))
}

async function partsOf(ctx: Context, ids: readonly UploadId[]): Promise<readonly UploadRecord[]> {
  const parts: UploadRecord[] = []
  for (const id of ids) {
    const record = await ctx.catalog.get(id)
    if (record === undefined || isGone(record) || isExpired(record, ctx.clock.nowMs())) {
      throw partNotFound()
    }
    if (record.concat?.kind !== 'partial') throw new UploadError('ERR_NOT_PARTIAL')
    parts.push(record)
  }
  return parts
}

function totalLength(parts: readonly UploadRecord[]): number | undefined {
  let total = 0
  for (const { length } of parts) {
    if (length === undefined) return undefined
    total += length
  }
  return total
}
