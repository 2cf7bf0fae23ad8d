import type { OwnerBounds, RecordChange, UploadEvent } from '../../core/ports/catalog.ts'
import type { Json, Placement, UploadRecord } from '../../core/upload.ts'
import { ownerShare } from '../owner-share.ts'
import type { SqlValue } from './driver.ts'
import { handlingOf, handlingText } from './handling-text.ts'
import type { BoundValues, EventValues } from './operations.ts'
import { RowReader } from './row-reader.ts'

const RECORD_COLUMNS =
  'id, status, offset, length, epoch, chore, durability, created_at, last_write_at, expires_at, finished_at, place, inlined, cold, owner, quota, handling'

/** The order of `insertValues`. */
export const INSERT_COLUMNS: string = `${RECORD_COLUMNS}, partial`

/** One statement reads record and inline bytes, so both are of the same moment. */
export const SELECT_COLUMNS: string = `${RECORD_COLUMNS},
  CASE WHEN inlined THEN (SELECT bytes FROM inline_bytes WHERE upload = uploads.number) END AS bytes`

/**
 * An owner as a column: JSON, because two names that differ must stay two, and SQLite's text ends at a NUL and cannot
 * hold half of a surrogate pair.
 */
export function ownerText(owner: string): string {
  return JSON.stringify(owner)
}

function ownerOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : String(JSON.parse(text))
}

/** What of an owner is read. A sum that no number of ours can be exact about is still a large one. */
export const OWNER_COLUMNS: string = `min(bytes, ${Number.MAX_SAFE_INTEGER}) AS bytes, uploads`

export function insertValues(record: UploadRecord): SqlValue[] {
  return [
    record.id,
    record.status,
    record.offset,
    record.length ?? null,
    record.epoch,
    record.chore ?? null,
    record.durability,
    record.createdAtMs,
    record.lastWriteAtMs,
    record.expiresAtMs ?? null,
    record.finishedAtMs ?? null,
    JSON.stringify(record.placement.where),
    record.placement.inline === undefined ? 0 : 1,
    coldText(record),
    record.owner === undefined ? null : ownerText(record.owner),
    record.quotaBytes,
    handlingText(record.handling),
    record.concat?.kind === 'partial' ? 1 : 0,
  ]
}

/** What never changes. Most records have nothing from the application, so that takes no space. */
function coldText(record: UploadRecord): string {
  const { dialect, metadata, echo, concat, request } = record
  const serverMetadata = unlessEmpty(record.serverMetadata)
  const limits = unlessEmpty(record.limits)
  return JSON.stringify({ dialect, metadata, echo, concat, serverMetadata, limits, request })
}

function unlessEmpty<T extends object>(value: T): T | undefined {
  return Object.keys(value).length === 0 ? undefined : value
}

const PLAIN_COLUMNS = [
  ['status', 'status'],
  ['offset', 'offset'],
  ['length', 'length'],
  ['chore', 'chore'],
  ['durability', 'durability'],
  ['lastWriteAtMs', 'last_write_at'],
  ['expiresAtMs', 'expires_at'],
  ['finishedAtMs', 'finished_at'],
  ['quotaBytes', 'quota'],
] as const satisfies readonly (readonly [keyof RecordChange, string])[]

/** A change as assignments: `status = ?, offset = ?` and the values in that order. */
export function changeValues(change: RecordChange): { columns: string; values: SqlValue[] } {
  const values: SqlValue[] = []
  let columns = ''
  for (const [key, column] of PLAIN_COLUMNS) {
    if (!(key in change)) continue
    columns += `${columns === '' ? '' : ', '}${column} = ?`
    values.push(change[key] ?? null)
  }
  if (change.placement !== undefined) {
    columns += `${columns === '' ? '' : ', '}place = ?, inlined = ?`
    values.push(JSON.stringify(change.placement.where), change.placement.inline === undefined ? 0 : 1)
  }
  if ('handling' in change) {
    columns += `${columns === '' ? '' : ', '}handling = ?`
    values.push(handlingText(change.handling))
  }
  return { columns: columns === '' ? 'epoch = epoch' : columns, values }
}

export function eventValues(events: readonly UploadEvent[] | undefined): readonly EventValues[] {
  if (events === undefined || events.length === 0) return NO_EVENTS
  return events.map((event) => [event.queue, event.uploadId, event.type, event.atMs, event.payload])
}

const NO_EVENTS: readonly EventValues[] = []

/** What has to be checked before an insert; `null`: nothing. */
export function boundValues(record: UploadRecord, bounds: OwnerBounds | undefined): BoundValues | null {
  const { owner } = record
  const { maxBytes, maxUploads } = bounds ?? {}
  if (owner === undefined || (maxBytes === undefined && maxUploads === undefined)) return null
  const { bytes, uploads } = ownerShare(record)
  return [ownerText(owner), bytes, uploads, maxBytes ?? null, maxUploads ?? null]
}

const NOTHING = Object.freeze({})

/** @throws {UploadError} `ERR_CORRUPT_RECORD` for a row that no version of this code has written. */
export function recordOf(row: unknown): UploadRecord {
  const read = new RowReader(row)
  const cold = new RowReader(JSON.parse(read.text('cold')))
  return {
    id: read.id('id'),
    dialect: cold.oneOf('dialect', ['tus1', 'ietf']),
    status: read.oneOf('status', ['receiving', 'finishing', 'complete', 'cancelled', 'expired', 'failed']),
    offset: read.integer('offset'),
    length: read.maybeInteger('length'),
    metadata: cold.object('metadata') as UploadRecord['metadata'],
    echo: cold.object('echo') as UploadRecord['echo'],
    concat: cold.maybeObject('concat') as UploadRecord['concat'],
    owner: ownerOf(read.maybeText('owner')),
    serverMetadata: (cold.maybeObject('serverMetadata') ?? NOTHING) as UploadRecord['serverMetadata'],
    limits: cold.maybeObject('limits') ?? NOTHING,
    request: cold.maybeObject('request') as UploadRecord['request'],
    handling: handlingOf(read.maybeText('handling')),
    quotaBytes: read.integer('quota'),
    placement: placementOf(read),
    durability: read.oneOf('durability', ['power', 'process']),
    epoch: read.integer('epoch'),
    chore: read.value('chore') === null ? undefined : read.oneOf('chore', ['settle', 'remove']),
    createdAtMs: read.integer('created_at'),
    lastWriteAtMs: read.integer('last_write_at'),
    expiresAtMs: read.maybeInteger('expires_at'),
    finishedAtMs: read.maybeInteger('finished_at'),
  }
}

function placementOf(read: RowReader): Placement {
  const where = JSON.parse(read.text('place')) as Json
  if (read.integer('inlined') === 0) return { where }
  const bytes = read.value('bytes')
  // Some drivers bind zero bytes as NULL.
  return { where, inline: bytes instanceof Uint8Array ? bytes : new Uint8Array(0) }
}
