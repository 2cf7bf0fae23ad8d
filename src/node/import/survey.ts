import type { UploadId } from '../../core/upload-id.ts'
import { inParallel } from './in-parallel.ts'
import type { Candidate } from './scan.ts'
import { understand } from './understand.ts'
import type { DataFacts } from './understand.ts'

/** What has to be known of all uploads before the first one is taken over. */
export interface Survey {
  /** Whether a data file is not this upload's alone, by what the descriptions say. */
  isShared(dataPath: string, id: UploadId): boolean
  /** Whether a final upload was put together of this one. */
  isJoined(id: UploadId): boolean
  /** Whether somebody has written to a data file since. */
  hasChanged(candidate: Candidate, facts: DataFacts | undefined): boolean
}

/** Looks at everything once, and changes nothing. */
export async function survey(candidates: readonly Candidate[], from: string): Promise<Survey> {
  const names = new Set(candidates.map(({ name }) => name))
  const claims = new Map<string, number>()
  const joined = new Set<UploadId>()
  const seen = new Map<string, DataFacts | undefined>()
  await inParallel(candidates, async (candidate) => {
    const understood = await understand(candidate, from)
    if (understood === undefined || !understood.ok) return
    const { upload, data } = understood.value
    seen.set(candidate.path, data.facts)
    if (upload.dataPath !== upload.id) claims.set(upload.dataPath, (claims.get(upload.dataPath) ?? 0) + 1)
    if (upload.concat?.kind === 'final') for (const part of upload.concat.parts) joined.add(part)
  })
  return {
    isShared: (dataPath, id) => dataPath !== id && (names.has(dataPath) || (claims.get(dataPath) ?? 0) > 1),
    isJoined: (id) => joined.has(id),
    hasChanged: ({ path }, facts) => !isSameFile(seen.get(path), facts),
  }
}

/** Whether two looks saw the same file with the same size. */
export function isSameFile(one: DataFacts | undefined, other: DataFacts | undefined): boolean {
  return one?.device === other?.device && one?.inode === other?.inode && one?.sizeBytes === other?.sizeBytes
}
