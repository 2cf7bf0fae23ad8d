import type { Context } from '../context.ts'
import type { Lease } from '../leases.ts'
import type { RecordChange } from '../ports/catalog.ts'
import type { RequestFacts, UploadEventType } from '../ports/hooks.ts'
import type { UploadRecord } from '../upload.ts'

/**
 * What ends an upload: reaching its length (tus 1.0), the end of this request (`Upload-Complete: ?1` of the
 * IETF draft), or nothing in this request.
 */
export type CompletionRule = 'at-length' | 'at-end' | 'never'

/** Whether the upload is over once `offset` bytes are stored and the request was fully received. */
export function endsUpload(rule: CompletionRule, offset: number, length: number | undefined): boolean {
  return rule === 'at-end' || (rule === 'at-length' && offset === length)
}

/** Activity moves the expiry (design decision 9). */
export function activity(
  ctx: Context,
  { limits }: Pick<UploadRecord, 'limits'>,
): Pick<UploadRecord, 'lastWriteAtMs' | 'expiresAtMs'> {
  const nowMs = ctx.clock.nowMs()
  const expireAfterMs = limits.expireAfterMs ?? ctx.limits.expireAfterMs
  return {
    lastWriteAtMs: nowMs,
    expiresAtMs: expireAfterMs === undefined ? undefined : nowMs + expireAfterMs,
  }
}

/** Records a change of state with the events that tell of it in one transaction, then tells the process. */
export async function record(
  ctx: Context,
  lease: Lease,
  change: RecordChange,
  type: UploadEventType,
  request?: RequestFacts,
): Promise<UploadRecord> {
  const events = ctx.events(type, { ...lease.record, ...change }, request)
  const upload = await lease.update(change, events)
  ctx.happen({ type, upload })
  return upload
}
