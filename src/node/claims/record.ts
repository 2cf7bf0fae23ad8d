import { cleanFileName } from '../../core/safe-name.ts'
import type { UploadRecord } from '../../core/upload.ts'
import type { ClaimMetadata, ClaimRecord } from './types.ts'

/** The record as an application sees it. */
export function claimRecord(upload: UploadRecord): ClaimRecord {
  const { id, serverMetadata, owner, offset, createdAtMs, lastWriteAtMs } = upload
  const finishedAtMs = upload.finishedAtMs ?? lastWriteAtMs
  return {
    id,
    metadata: safeMetadata(upload),
    serverMetadata,
    owner,
    length: offset,
    createdAt: new Date(createdAtMs),
    lastWriteAt: new Date(lastWriteAtMs),
    finishedAt: new Date(finishedAtMs),
    durationMs: Math.max(0, finishedAtMs - createdAtMs),
  }
}

/**
 * Metadata whose `filename` can stand in a path. A client decides it, and whoever writes a worker puts it into a path
 * before anybody can look: `./dest/../../etc/passwd` is plain text by then.
 *
 * Where the client has sent none it is there all the same, but not enumerable: it is no metadata.
 */
function safeMetadata({ id, metadata }: UploadRecord): ClaimMetadata {
  const sent = own(metadata, 'filename')
  const filename = cleaned(sent) ?? cleaned(own(metadata, 'name')) ?? id
  const safe: Record<string, string> = { ...metadata }
  Object.defineProperty(safe, 'filename', { value: filename, enumerable: sent !== undefined })
  return safe as ClaimMetadata
}

function own(metadata: UploadRecord['metadata'], key: string): string | undefined {
  return Object.hasOwn(metadata, key) ? metadata[key] : undefined
}

function cleaned(name: string | undefined): string | undefined {
  return name === undefined ? undefined : cleanFileName(name)
}
