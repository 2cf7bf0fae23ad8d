import type { Context } from '../context.ts'
import { isUploadError, UploadError } from '../errors.ts'
import type { Lease } from '../leases.ts'
import type { Body } from '../ports/body.ts'
import type { Checksum } from '../ports/digest.ts'
import type { Concat, Dialect, UploadRecord } from '../upload.ts'
import { receive } from './append.ts'
import { Stopper } from './append-session.ts'
import type { CompletionRule } from './change.ts'
import { activity, endsUpload } from './change.ts'
import { finish } from './finish.ts'

/** A creation whose body is not larger is recorded together with it, in one transaction. */
const RECORD_WITH_BODY_BYTES = 64 * 1024

/** What a client says of an upload when it creates it. */
export interface NewUpload {
  readonly dialect: Dialect
  /** `undefined`: declared later. */
  readonly length: number | undefined
  readonly metadata: Readonly<Record<string, string>>
  readonly echo: Readonly<Record<string, string>>
  readonly concat?: Concat | undefined
}

/** Content that comes with a creation (tus 1.0 §Creation With Upload). */
export interface FirstContent {
  readonly body: Body
  readonly checksum?: Checksum | undefined
  readonly trailerChecksum?: ((trailers: ReadonlyMap<string, string>) => Checksum) | undefined
  readonly onAccepted?: (() => void) | undefined
}

export interface CreateRequest {
  readonly upload: NewUpload
  readonly completes: CompletionRule
  /** Absent: the request has no body. */
  readonly content?: FirstContent | undefined
}

/**
 * Creates an upload, with the first bytes where the request brings some. Durable before it resolves.
 *
 * @throws {UploadError} `ERR_MAX_SIZE_EXCEEDED`, `ERR_UPLOAD_SIZE_EXCEEDED`, `ERR_STORE_FULL`,
 *   `ERR_CHECKSUM_MISMATCH`: nothing is left behind. When the body breaks off the upload exists with what arrived.
 */
export async function create(ctx: Context, request: CreateRequest): Promise<UploadRecord> {
  const record = newRecord(ctx, request.upload)
  const { content } = request
  await admit(ctx, record, content?.body.contentLength)
  const stopper = new Stopper()
  const events = ctx.events('post-create', record)
  return ctx.leases.holdNew(record, events, stopper.stop, async (lease) => {
    if (content === undefined) return createEmpty(ctx, lease, request.completes)
    if (!isRecordedWithBody(content)) await lease.update({})
    const append = { ...content, offset: 0, completes: request.completes, isCreation: true }
    try {
      return await receive(ctx, lease, append, stopper)
    } catch (error) {
      if (!lease.isRecorded || leavesNothing(error)) await discard(ctx, lease)
      throw error
    }
  })
}

/** The record of an upload without bytes. Recorded nowhere yet. */
export function newRecord(ctx: Context, upload: NewUpload): UploadRecord {
  const id = ctx.newId()
  const nowMs = ctx.clock.nowMs()
  return {
    id,
    dialect: upload.dialect,
    status: 'receiving',
    offset: 0,
    length: upload.length,
    metadata: upload.metadata,
    echo: upload.echo,
    concat: upload.concat,
    placement: ctx.store.place({ id, length: upload.length }),
    durability: ctx.catalog.durability,
    epoch: 1,
    chore: undefined,
    createdAtMs: nowMs,
    finishedAtMs: undefined,
    ...activity(ctx),
  }
}

async function admit(ctx: Context, record: UploadRecord, contentBytes: number | undefined): Promise<void> {
  const { maxSizeBytes } = ctx.limits
  const bytes = Math.max(record.length ?? 0, contentBytes ?? 0)
  if (maxSizeBytes !== undefined && bytes > maxSizeBytes) throw new UploadError('ERR_MAX_SIZE_EXCEEDED')
  if (record.length !== undefined && bytes > record.length) throw new UploadError('ERR_UPLOAD_SIZE_EXCEEDED')
  await ctx.reservations.check(record.id, bytes)
}

function createEmpty(ctx: Context, lease: Lease, completes: CompletionRule): Promise<UploadRecord> {
  // tus 1.0 §Creation: an upload of length 0 is complete at once.
  return endsUpload(completes, 0, lease.record.length) ? finish(ctx, lease, {}) : lease.update({})
}

/**
 * Small bodies and those under a checksum are recorded only once they are here: one transaction instead of two,
 * and nothing to take back when the checksum fails.
 */
function isRecordedWithBody(content: FirstContent): boolean {
  const { contentLength } = content.body
  const isSmall = contentLength !== undefined && contentLength <= RECORD_WITH_BODY_BYTES
  return isSmall || content.checksum !== undefined || content.trailerChecksum !== undefined
}

/** A refused creation leaves nothing; one that broke off leaves the upload with what arrived (tus 1.0 §PATCH). */
function leavesNothing(error: unknown): boolean {
  if (!isUploadError(error)) return true
  return ![
    'ERR_UPLOAD_INTERRUPTED',
    'ERR_READ_TIMEOUT',
    'ERR_UPLOAD_STOPPED',
    'ERR_SERVER_SHUTDOWN',
  ].includes(error.code)
}

/** Takes a creation back that the client will not hear of. */
export async function discard(ctx: Context, lease: Lease): Promise<void> {
  try {
    ctx.reservations.release(lease.record.id)
    await lease.forget()
    await ctx.store.remove(lease.record)
  } catch (error) {
    ctx.report(error, lease.record.id)
  }
}
