import { UploadError } from '../../core/errors.ts'
import type { OwnerBounds, OwnerUsage } from '../../core/ports/catalog.ts'
import type { UploadRecord } from '../../core/upload.ts'
import { ownerShare } from '../owner-share.ts'

/** What each owner has, kept up with every change. */
export class Owners {
  /** Bytes as a bigint: a sum that went past what a number can hold must come back to nothing. */
  readonly #owners = new Map<string, { readonly bytes: bigint; readonly uploads: number }>()

  usage(owner: string): OwnerUsage {
    const { bytes = 0n, uploads = 0 } = this.#owners.get(owner) ?? {}
    return { bytes: Math.min(Number(bytes), Number.MAX_SAFE_INTEGER), uploads }
  }

  /**
   * What adds nothing is never refused.
   *
   * @throws {UploadError} `ERR_QUOTA_EXCEEDED`, `ERR_TOO_MANY_UPLOADS`
   */
  check(record: UploadRecord, { maxBytes = Infinity, maxUploads = Infinity }: OwnerBounds = {}): void {
    if (record.owner === undefined) return
    const [share, usage] = [ownerShare(record), this.usage(record.owner)]
    if (share.bytes > 0 && usage.bytes + share.bytes > maxBytes) throw new UploadError('ERR_QUOTA_EXCEEDED')
    if (share.uploads > 0 && usage.uploads + share.uploads > maxUploads) {
      throw new UploadError('ERR_TOO_MANY_UPLOADS')
    }
  }

  /** Sees every record before and after its change; `undefined`: there is none. */
  changed(before: UploadRecord | undefined, after: UploadRecord | undefined): void {
    if (before?.owner !== undefined) this.#add(before.owner, -1, ownerShare(before))
    if (after?.owner !== undefined) this.#add(after.owner, 1, ownerShare(after))
  }

  #add(owner: string, times: 1 | -1, share: OwnerUsage): void {
    const had = this.#owners.get(owner) ?? { bytes: 0n, uploads: 0 }
    const bytes = had.bytes + BigInt(times * share.bytes)
    const uploads = had.uploads + times * share.uploads
    if (bytes === 0n && uploads === 0) this.#owners.delete(owner)
    else this.#owners.set(owner, { bytes, uploads })
  }
}
