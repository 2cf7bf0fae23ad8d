import { PARTIAL_EXPIRY_FACTOR } from '../../core/operations/finish.ts'
import type { Chore, Concat, Durability, Placement, UploadRecord } from '../../core/upload.ts'
import { NO_APPLICATION } from '../../core/upload.ts'
import { metadataRecord } from '../../protocol/metadata.ts'
import { FIELD } from '../../protocol/tus1/headers.ts'
import type { ForeignUpload } from './foreign-upload.ts'
import type { DataFacts } from './understand.ts'

export interface RecordInput {
  readonly upload: ForeignUpload
  readonly facts: DataFacts
  readonly describedAtMs: number
  readonly placement: Placement
  readonly durability: Durability
  readonly nowMs: number
  readonly expireAfterMs: number | undefined
  /** Path of the creation URL, for what answers say of a final upload. */
  readonly basePath: string
}

/** The first record of an upload that was begun elsewhere. */
export function importedRecord(input: RecordInput): UploadRecord {
  const { upload, facts, nowMs } = input
  const { id, length, concat } = upload
  // Clocks of other machines may be ahead.
  const past = (atMs: number): number => Math.min(Math.max(0, atMs), nowMs)
  const lastWriteAtMs = past(facts.changedAtMs)
  const isComplete = isCompleteAt(upload, facts.sizeBytes)
  return {
    id,
    dialect: 'tus1',
    status: isComplete ? 'complete' : 'receiving',
    offset: facts.sizeBytes,
    length,
    metadata: metadataRecord(upload.metadata),
    echo: echoOf(concat, input.basePath),
    concat,
    ...NO_APPLICATION,
    placement: input.placement,
    durability: input.durability,
    epoch: 1,
    chore: undefined,
    createdAtMs: past(upload.createdAtMs ?? input.describedAtMs),
    lastWriteAtMs,
    expiresAtMs: expiryOf(input, isComplete),
    finishedAtMs: isComplete ? lastWriteAtMs : undefined,
  }
}

/** tus 1.0: an upload is complete when all bytes of its length are there. */
export function isCompleteAt({ length }: Pick<ForeignUpload, 'length'>, offset: number): boolean {
  return length === offset
}

/** What is left to do for a complete upload: its place among the finished files. */
export function choreOf(
  record: UploadRecord,
  finishing: 'none' | 'before-answer' | 'after-answer',
): Chore | undefined {
  const isLeft = record.status === 'complete' && record.concat?.kind !== 'partial' && finishing !== 'none'
  return isLeft ? 'settle' : undefined
}

function expiryOf({ upload, nowMs, expireAfterMs }: RecordInput, isComplete: boolean): number | undefined {
  if (expireAfterMs === undefined) return undefined
  if (!isComplete) return nowMs + expireAfterMs
  return upload.concat?.kind === 'partial' ? nowMs + PARTIAL_EXPIRY_FACTOR * expireAfterMs : undefined
}

/** What HEAD has to repeat (tus 1.0 §Upload-Concat). Metadata it writes from the record. */
function echoOf(concat: Concat | undefined, basePath: string): UploadRecord['echo'] {
  const field = concatField(concat, basePath)
  return field === undefined ? {} : { [FIELD.uploadConcat]: field }
}

function concatField(concat: Concat | undefined, basePath: string): string | undefined {
  if (concat === undefined || concat.kind === 'partial') return concat?.kind
  return `final;${concat.parts.map((id) => basePath + id).join(' ')}`
}
