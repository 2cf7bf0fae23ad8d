import type { Context } from '../context.ts'
import { isUploadError, UploadError } from '../errors.ts'
import type { Birth, Lease } from '../leases.ts'
import type { Body } from '../ports/body.ts'
import type { Checksum } from '../ports/digest.ts'
import type { Concat, Dialect, UploadRecord } from '../upload.ts'
import { NO_APPLICATION } from '../upload.ts'
import { receive } from './append.ts'
import { Stopper } from './append-session.ts'
import { entomb } from './cancel.ts'
import type { CompletionRule } from './change.ts'
import { activity, endsUpload } from './change.ts'
import type { Requester } from './decide.ts'
import { decideCreation, keptRequest } from './decide.ts'
import { finish } from './finish.ts'
import { boundsOf, maxSizeOf, quotaChange } from './room.ts'

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
  readonly by?: Requester | undefined
}

/**
 * Creates an upload, with the first bytes where the request brings some. Durable before it resolves.
 *
 * @throws {UploadError} `ERR_UPLOAD_REJECTED`, `ERR_MAX_SIZE_EXCEEDED`, `ERR_UPLOAD_SIZE_EXCEEDED`,
 *   `ERR_QUOTA_EXCEEDED`, `ERR_STORE_FULL`, `ERR_CHECKSUM_MISMATCH`, …: nothing is left behind. When the body breaks off the upload exists with what arrived.
 */
export async function create(ctx: Context, request: CreateRequest): Promise<UploadRecord> {
  const { content, by = {} } = request
  const draft = newRecord(ctx, request.upload, by)
  const record = await decidedRecord(ctx, draft, by)
  await admit(ctx, record, content?.body.contentLength)
  const stopper = new Stopper()
  return ctx.leases.holdNew(record, birthOf(ctx, record, by), stopper.stop, async (lease) => {
    // An id of the application's choice may be taken: the bytes of that upload must not be touched.
    if (record.id !== draft.id || (content !== undefined && !isRecordedWithBody(content)))
      await lease.update({})
    if (content === undefined) return createEmpty(ctx, lease, request)
    const append = { ...content, offset: 0, completes: request.completes, isCreation: true, by }
    try {
      return await receive(ctx, lease, append, stopper)
    } catch (error) {
      if (!lease.isRecorded || leavesNothing(error)) await discard(ctx, lease)
      throw error
    }
  })
}

/** The record that the application lets a creation have, with all that follows from its limits and its owner. */
export async function decidedRecord(ctx: Context, draft: UploadRecord, by: Requester): Promise<UploadRecord> {
  const record = await decideCreation(ctx, draft, by)
  return { ...record, ...activity(ctx, record), ...quotaChange(record, record.length, 0) }
}

/** The record of an upload without bytes. Recorded nowhere yet. */
export function newRecord(ctx: Context, upload: NewUpload, by: Requester): UploadRecord {
  const id = ctx.newId()
  return {
    id,
    dialect: upload.dialect,
    status: 'receiving',
    offset: 0,
    length: upload.length,
    metadata: upload.metadata,
    echo: upload.echo,
    concat: upload.concat,
    ...NO_APPLICATION,
    owner: by.owner,
    request: keptRequest(ctx, by.request),
    placement: ctx.store.place({ id, length: upload.length }),
    durability: ctx.catalog.durability,
    epoch: 1,
    chore: undefined,
    createdAtMs: ctx.clock.nowMs(),
    finishedAtMs: undefined,
    ...activity(ctx, NO_APPLICATION),
  }
}

/** What is recorded together with a new upload. */
export function birthOf(ctx: Context, record: UploadRecord, by: Requester): Birth {
  return {
    events: ctx.events('post-create', record, by.request),
    bounds: boundsOf(ctx, record),
    told: (upload) => ctx.happen({ type: 'post-create', upload }),
  }
}

async function admit(ctx: Context, record: UploadRecord, contentBytes: number | undefined): Promise<void> {
  const maxSizeBytes = maxSizeOf(ctx, record)
  const bytes = Math.max(record.length ?? 0, contentBytes ?? 0)
  if (maxSizeBytes !== undefined && bytes > maxSizeBytes) throw new UploadError('ERR_MAX_SIZE_EXCEEDED')
  if (record.length !== undefined && bytes > record.length) throw new UploadError('ERR_UPLOAD_SIZE_EXCEEDED')
  await ctx.reservations.check(record.id, bytes)
}

function createEmpty(ctx: Context, lease: Lease, { completes, by }: CreateRequest): Promise<UploadRecord> {
  // tus 1.0 §Creation: an upload of length 0 is complete at once.
  return endsUpload(completes, 0, lease.record.length) ? finish(ctx, lease, {}, by) : lease.update({})
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
    // Somebody may have heard of it already.
    if (lease.isRecorded && ctx.events('upload-failed', lease.record).length > 0) {
      return await entomb(ctx, lease, 'failed')
    }
    await lease.forget()
    await ctx.store.remove(lease.record)
  } catch (error) {
    ctx.report(error, lease.record.id)
  }
}
