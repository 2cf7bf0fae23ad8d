import type { OwnerUsage } from '../core/ports/catalog.ts'
import { isGone, type UploadRecord } from '../core/upload.ts'

/** What one record adds to what its owner has. */
export function ownerShare(record: UploadRecord): OwnerUsage {
  const { status, quotaBytes } = record
  const isUnfinished = status === 'receiving' || status === 'finishing'
  return { bytes: isGone(record) ? 0 : quotaBytes, uploads: isUnfinished ? 1 : 0 }
}
