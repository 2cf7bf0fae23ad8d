import type { ListQuery, OwnerUsage, QueueEntry, QueueQuery } from '../../core/ports/catalog.ts'
import type { UploadRecord } from '../../core/upload.ts'
import type { UploadId } from '../../core/upload-id.ts'
import type { Database, SqlValue, Statement } from './driver.ts'
import { PreparedStatements } from './prepared-statements.ts'
import { NEXT_DUE, queueEntryOf, queueListStatement } from './queue-row.ts'
import { OWNER_COLUMNS, ownerText, recordOf, SELECT_COLUMNS } from './record-row.ts'
import { RowReader } from './row-reader.ts'

/** A process that takes part, as the others see it. */
export interface ProcessRow {
  readonly writer: string
  /** JSON text of its `ProcessIdentity`. */
  readonly identity: string
  readonly mode: 'solo' | 'shared'
  readonly beat: number
  /** The number of its expulsion; `undefined` while it is in good standing. */
  readonly expulsion: number | undefined
}

/**
 * Reads on the main thread: single rows and bounded pages, never an iterator, because one that is left open
 * across an await keeps the log from starting over.
 */
export class Reader {
  readonly #statements: PreparedStatements
  // The two that run per request are kept at hand.
  readonly #record: Statement
  readonly #recordAndStanding: Statement
  readonly #dataVersion: Statement

  constructor(database: Database) {
    database.exec('PRAGMA query_only = 1')
    this.#statements = new PreparedStatements(database)
    this.#record = database.prepare(`SELECT ${SELECT_COLUMNS} FROM uploads WHERE id = ?`)
    this.#recordAndStanding = database.prepare(
      `SELECT p.writer, u.* FROM processes p
       LEFT JOIN (SELECT ${SELECT_COLUMNS} FROM uploads WHERE id = ?) u ON TRUE
       WHERE p.writer = ? AND p.expulsion IS NULL`,
    )
    this.#dataVersion = database.prepare('PRAGMA data_version')
  }

  close(): void {
    this.#statements.close()
  }

  get(id: UploadId): UploadRecord | undefined {
    const row = this.#record.get(id)
    return row === undefined ? undefined : recordOf(row)
  }

  /**
   * The record, and in the same moment whether `writer` is in good standing: a process that was frozen must not
   * take an upload by looking at a record that is somebody else's by now.
   */
  getInGoodStanding(id: UploadId, writer: string): UploadRecord | undefined | 'expelled' {
    const row = this.#recordAndStanding.get(id, writer)
    if (row === undefined) return 'expelled'
    return new RowReader(row).value('id') === null ? undefined : recordOf(row)
  }

  list(query: ListQuery): UploadRecord[] {
    const { sql, values } = listStatement(query)
    return this.#statements.all(sql, ...values).map((row) => recordOf(row))
  }

  usage(owner: string): OwnerUsage {
    const row = this.#statements.get(`SELECT ${OWNER_COLUMNS} FROM owners WHERE owner = ?`, ownerText(owner))
    if (row === undefined) return { bytes: 0, uploads: 0 }
    const read = new RowReader(row)
    return { bytes: read.integer('bytes'), uploads: read.integer('uploads') }
  }

  queueEntries(query: QueueQuery): QueueEntry[] {
    const { sql, values } = queueListStatement(query)
    return this.#statements.all(sql, ...values).map((row) => queueEntryOf(row))
  }

  nextDueMs(queue: string): number | undefined {
    return new RowReader(this.#statements.get(NEXT_DUE, queue, queue)).maybeInteger('due_at')
  }

  /** Changes when anybody has committed anything. */
  dataVersion(): number {
    return new RowReader(this.#dataVersion.get()).integer('data_version')
  }

  processes(): ProcessRow[] {
    return this.#statements.all('SELECT * FROM processes').map((row) => {
      const read = new RowReader(row)
      return {
        writer: read.text('writer'),
        identity: read.text('identity'),
        mode: read.oneOf('mode', ['solo', 'shared']),
        beat: read.integer('beat'),
        expulsion: read.maybeInteger('expulsion'),
      }
    })
  }

  /** How many processes were ever expelled. */
  expulsions(): number {
    const row = this.#statements.get("SELECT value FROM meta WHERE name = 'expulsions'")
    return new RowReader(row).integer('value')
  }

  /** Uploads of `writer` that another process asks for. */
  wanted(writer: string): string[] {
    return this.#statements
      .all('SELECT upload_id FROM leases WHERE writer = ? AND wanted', writer)
      .map((row) => new RowReader(row).text('upload_id'))
  }

  /** Who in good standing holds the lease. */
  holder(id: UploadId): string | undefined {
    const row = this.#statements.get(
      `SELECT l.writer FROM leases l JOIN processes p ON p.writer = l.writer AND p.expulsion IS NULL
       WHERE l.upload_id = ?`,
      id,
    )
    return row === undefined ? undefined : new RowReader(row).text('writer')
  }
}

const UNFINISHED = "status IN ('receiving', 'finishing')"
const GONE = "status IN ('cancelled', 'expired', 'failed')"

/**
 * A page of a listing. It must not read every complete upload, so it repeats the conditions of a partial index word
 * by word, and hides `id` behind a plus: SQLite would otherwise walk through all ids to save the sorting.
 */
export function listStatement(query: ListQuery): { sql: string; values: SqlValue[] } {
  const { status, expiresBeforeMs, lastWriteBeforeMs, finishedBeforeMs, withChore, after } = query
  const unfinished = status?.every((one) => one === 'receiving' || one === 'finishing') === true
  const terms: string[] = []
  const values: SqlValue[] = []
  const where = (term: string, ...bound: SqlValue[]): void => {
    terms.push(term)
    values.push(...bound)
  }
  if (unfinished) where(UNFINISHED)
  if (status !== undefined) where(`status IN (${status.map(() => '?').join(', ')})`, ...status)
  if (expiresBeforeMs !== undefined) where('expires_at < ?', expiresBeforeMs)
  if (lastWriteBeforeMs !== undefined) where(`${GONE} AND last_write_at < ?`, lastWriteBeforeMs)
  if (finishedBeforeMs !== undefined) where("status = 'complete' AND finished_at < ?", finishedBeforeMs)
  if (withChore === true) where('chore IS NOT NULL')
  const few =
    unfinished || [expiresBeforeMs, lastWriteBeforeMs, finishedBeforeMs].some((time) => time !== undefined)
  const id = few && withChore !== true ? '+id' : 'id'
  if (after !== undefined) where(`${id} > ?`, after)
  const condition = terms.length === 0 ? '' : `WHERE ${terms.join(' AND ')}`
  values.push(query.limit)
  return { sql: `SELECT ${SELECT_COLUMNS} FROM uploads ${condition} ORDER BY ${id} LIMIT ?`, values }
}
