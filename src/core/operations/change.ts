import type { Context } from '../context.ts'
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
export function activity(ctx: Context): Pick<UploadRecord, 'lastWriteAtMs' | 'expiresAtMs'> {
  const nowMs = ctx.clock.nowMs()
  const { expireAfterMs } = ctx.limits
  return {
    lastWriteAtMs: nowMs,
    expiresAtMs: expireAfterMs === undefined ? undefined : nowMs + expireAfterMs,
  }
}
