import { unlink } from 'node:fs/promises'
import { hasCode } from '../../core/errors.ts'
import type { Durability, Placement, UploadRecord } from '../../core/upload.ts'
import { isGone } from '../../core/upload.ts'
import { metadataRecord } from '../../protocol/metadata.ts'
import type { ForeignUpload } from './foreign-upload.ts'
import type { Failed, ImportEvent } from './events.ts'
import { failed, skipped } from './events.ts'
import { choreOf, importedRecord, isCompleteAt } from './record.ts'
import type { Candidate } from './scan.ts'
import { settle } from './settle.ts'
import type { Survey } from './survey.ts'
import { isSameFile } from './survey.ts'
import type { Target } from './target.ts'
import type { DataFacts, Understood } from './understand.ts'
import { dataFacts, understand } from './understand.ts'

/** What all uploads of one import share. */
export interface ImportContext {
  /** The old directory, as a real path. */
  readonly from: string
  readonly survey: Survey
  /** In a dry run without files, and absent where there are no records. */
  readonly target: Target | undefined
  readonly how: 'link' | 'copy' | 'move'
  readonly onlyUnfinished: boolean
  readonly expireAfterMs: number | undefined
  readonly basePath: string
  readonly nowMs: () => number
}

/** An upload that has data, and a right to be taken over. */
interface Sound extends Understood {
  readonly facts: DataFacts
}

const UNSETTLED = 'it was taken over, but is not among the finished files: start the server, it sees to that'
const LEFT = 'it was taken over, but stays in the old directory'
const CHANGED = 'its data file has changed meanwhile: stop the old server first'

/**
 * Takes one upload over, or says why not. May be cut at any step and run again: bytes and their name are durable
 * before the record, and what the old server has is removed after it, if at all.
 *
 * @returns `undefined` for a file that describes no upload.
 * @throws what is no fault of this upload.
 */
export async function takeOver(ctx: ImportContext, candidate: Candidate): Promise<ImportEvent | undefined> {
  const { name } = candidate
  const understood = await understand(candidate, ctx.from)
  if (understood === undefined) return undefined
  if (!understood.ok) return failed(name, understood.reason)
  const { upload, data } = understood.value
  const { facts } = data
  const reason = reasonAgainst(ctx, candidate, understood.value)
  if (reason !== undefined) return failed(name, reason)
  const there = await ctx.target?.catalog.get(upload.id)
  if (there !== undefined) return alreadyThere(ctx, candidate, understood.value, there)
  if (facts === undefined)
    return skipped(name, 'gone', 'its data is gone, and the old server does not know it either')
  if (ctx.onlyUnfinished && !isInFlight(ctx, upload, facts))
    return skipped(name, 'complete', 'it is complete')
  return bringOver(ctx, candidate, { ...understood.value, facts })
}

function reasonAgainst(ctx: ImportContext, candidate: Candidate, understood: Understood): string | undefined {
  const { upload, data } = understood
  const { facts } = data
  if (ctx.survey.isShared(upload.dataPath, upload.id)) return 'its data file is that of another upload, too'
  if (ctx.survey.hasChanged(candidate, facts)) return CHANGED
  if (facts === undefined) return undefined
  const { length } = upload
  if (length !== undefined && facts.sizeBytes > length) {
    return `its data file has ${facts.sizeBytes} bytes, and its length is ${length}`
  }
  if (upload.concat?.kind === 'final' && !isCompleteAt(upload, facts.sizeBytes)) {
    return 'this final upload was not put together to its end: let its client create it again'
  }
  return undefined
}

/** A complete part of what has not been put together yet belongs to something unfinished. */
function isInFlight({ survey }: ImportContext, upload: ForeignUpload, { sizeBytes }: DataFacts): boolean {
  if (!isCompleteAt(upload, sizeBytes)) return true
  return upload.concat?.kind === 'partial' && !survey.isJoined(upload.id)
}

async function bringOver(ctx: ImportContext, candidate: Candidate, sound: Sound): Promise<ImportEvent> {
  const { upload, facts } = sound
  const { id, length } = upload
  const { target } = ctx
  const isComplete = isCompleteAt(upload, facts.sizeBytes)
  const outcome = { kind: 'imported', name: id, offset: facts.sizeBytes, length, isComplete } as const
  const wanted = ctx.how === 'copy' ? 'copy' : 'link'
  if (target?.files === undefined) return { ...outcome, how: facts.sizeBytes === 0 ? 'nothing' : wanted }
  const { catalog, files } = target
  const { sizeBytes } = facts
  const request = { id, path: sound.data.path, sizeBytes, how: wanted, writer: catalog.writer } as const
  const adoption = await files.adopter.adopt(request)
  if (adoption.kind === 'refused') {
    return failed(id, adoption.why === 'changed' ? CHANGED : 'its data file is no plain file')
  }
  await files.adopter.sync()
  const record = draftOf(ctx, sound, adoption.placement, catalog.durability)
  try {
    await catalog.insert({ ...record, chore: choreOf(record, files.store.finishing(record)) })
  } catch (error) {
    const there = isTaken(error) ? await catalog.get(id) : undefined
    // After any other failure the record may be there all the same: what it does not need is an orphan to the reaper.
    if (there === undefined) throw error
    await adoption.release()
    return alreadyThere(ctx, candidate, sound, there)
  }
  return (await conclude(ctx, candidate, sound, true)) ?? { ...outcome, how: adoption.how }
}

function draftOf(
  ctx: ImportContext,
  sound: Sound,
  placement: Placement,
  durability: Durability,
): UploadRecord {
  const { upload, facts, describedAtMs } = sound
  const { basePath, expireAfterMs } = ctx
  const nowMs = ctx.nowMs()
  return importedRecord({
    upload,
    facts,
    describedAtMs,
    placement,
    durability,
    nowMs,
    expireAfterMs,
    basePath,
  })
}

function isTaken(error: unknown): boolean {
  return hasCode(error, 'ERR_UPLOAD_EXISTS')
}

/** What follows the record. @returns What went wrong, although the upload is safe. */
async function conclude(
  ctx: ImportContext,
  candidate: Candidate,
  understood: Understood,
  isRemovable: boolean,
): Promise<Failed | undefined> {
  const { id } = understood.upload
  const { target } = ctx
  if (target?.files === undefined) return undefined
  try {
    await settle(target.catalog, target.files.store, id)
  } catch (error) {
    return failed(id, UNSETTLED, error)
  }
  if (ctx.how !== 'move' || !isRemovable) return undefined
  try {
    return (await removeSource(candidate, understood)) ? undefined : failed(id, `${LEFT}: ${CHANGED}`)
  } catch (error) {
    return failed(id, LEFT, error)
  }
}

/** An earlier run has taken it over, or another process is doing so. */
async function alreadyThere(
  ctx: ImportContext,
  candidate: Candidate,
  understood: Understood,
  there: UploadRecord,
): Promise<ImportEvent> {
  const { id, length } = understood.upload
  if (length !== undefined && length !== there.length) {
    const other = there.length === undefined ? 'without a length' : `of ${there.length} bytes`
    return failed(id, `another upload ${other} is there under its id already`)
  }
  if (isGone(there)) return skipped(id, 'there', `it was taken over before, and is ${there.status} by now`)
  const sizeBytes = understood.data.facts?.sizeBytes ?? 0
  const isBehind = there.offset < sizeBytes
  const isRemovable = !isBehind && hasSameMetadata(understood.upload, there)
  const failure = await conclude(ctx, candidate, understood, isRemovable)
  if (failure !== undefined) return failure
  const detail = isBehind ? `, with ${there.offset} of ${sizeBytes} bytes: its client goes on from there` : ''
  return skipped(id, 'there', `it is there already${detail}`)
}

function hasSameMetadata({ metadata }: ForeignUpload, there: UploadRecord): boolean {
  return JSON.stringify(metadataRecord(metadata)) === JSON.stringify(there.metadata)
}

/**
 * Removes data and description from the old directory. Data first: a description without data is found again.
 *
 * @returns False if somebody has written to the data since; then both stay.
 */
async function removeSource({ path }: Candidate, { data }: Understood): Promise<boolean> {
  const now = await dataFacts(data.path)
  if (now === 'no-plain-file' || !isSameFile(now, data.facts)) return false
  if (now !== undefined) await unlink(data.path)
  await unlink(path)
  return true
}
