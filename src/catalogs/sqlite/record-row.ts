import { UploadError } from '../../core/errors.ts'
import type { OutboxEntry, RecordChange, UploadEvent } from '../../core/ports/catalog.ts'
import type { Json, Placement, UploadRecord } from '../../core/upload.ts'
import { parseUploadId } from '../../core/upload-id.ts'
import type { SqlValue } from './driver.ts'
import type { EventValues } from './operations.ts'

/** The order of `insertValues`. */
export const INSERT_COLUMNS =
  'id, status, offset, length, epoch, chore, durability, created_at, last_write_at, expires_at, finished_at, place, inlined, cold'

/** One statement reads record and inline bytes, so both are of the same moment. */
export const SELECT_COLUMNS: string = `${INSERT_COLUMNS},
  CASE WHEN inlined THEN (SELECT bytes FROM inline_bytes WHERE upload = uploads.number) END AS bytes`

export function insertValues(record: UploadRecord): SqlValue[] {
  const { dialect, metadata, echo, concat } = record
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
    JSON.stringify({ dialect, metadata, echo, concat }),
  ]
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
  return { columns: columns === '' ? 'epoch = epoch' : columns, values }
}

/**
 * The inline bytes alone in a buffer of their own: cloning a view into a large buffer for the other thread would
 * clone all of it, and the caller may reuse it.
 */
export function inlineBytes(placement: Placement | undefined): Uint8Array | null {
  return placement?.inline === undefined ? null : new Uint8Array(placement.inline)
}

export function eventValues(events: readonly UploadEvent[] | undefined): readonly EventValues[] {
  if (events === undefined || events.length === 0) return NO_EVENTS
  return events.map((event) => [event.uploadId, event.type, event.atMs, event.payload])
}

const NO_EVENTS: readonly EventValues[] = []

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

export function outboxEntryOf(row: unknown): OutboxEntry {
  const read = new RowReader(row)
  return {
    sequence: read.integer('sequence'),
    uploadId: read.id('upload_id'),
    type: read.text('type'),
    atMs: read.integer('at'),
    payload: read.text('payload'),
  }
}

/** Reads columns of a row with their types checked. */
export class RowReader {
  readonly #row: object

  constructor(row: unknown) {
    if (typeof row !== 'object' || row === null) throw corrupt('row')
    this.#row = row
  }

  value(column: string): unknown {
    return Reflect.get(this.#row, column)
  }

  text(column: string): string {
    const value = this.value(column)
    if (typeof value !== 'string') throw corrupt(column)
    return value
  }

  integer(column: string): number {
    const value = this.value(column)
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw corrupt(column)
    return value
  }

  maybeInteger(column: string): number | undefined {
    return this.value(column) === null ? undefined : this.integer(column)
  }

  object(column: string): object {
    const value = this.value(column)
    if (typeof value !== 'object' || value === null) throw corrupt(column)
    return value
  }

  maybeObject(column: string): object | undefined {
    return this.value(column) === undefined ? undefined : this.object(column)
  }

  id(column: string): UploadRecord['id'] {
    const id = parseUploadId(this.value(column))
    if (id === undefined) throw corrupt(column)
    return id
  }

  oneOf<const T extends string>(column: string, values: readonly T[]): T {
    const value = this.value(column)
    const found = values.find((candidate) => candidate === value)
    if (found === undefined) throw corrupt(column)
    return found
  }
}

function corrupt(column: string): UploadError {
  return new UploadError('ERR_CORRUPT_RECORD', {}, { cause: new Error(`column ${column} is malformed`) })
}
