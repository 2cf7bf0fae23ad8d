import type { ListQuery, OutboxEntry } from '../../core/ports/catalog.ts'
import type { UploadRecord } from '../../core/upload.ts'
import type { UploadId } from '../../core/upload-id.ts'
import type { Database, SqlValue, Statement } from './driver.ts'
import { outboxEntryOf, recordOf, RowReader, SELECT_COLUMNS } from './record-row.ts'

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
  readonly #database: Database
  readonly #prepared = new Map<string, Statement>()
  // The two that run per request are kept at hand.
  readonly #record: Statement
  readonly #recordAndStanding: Statement
  readonly #dataVersion: Statement

  constructor(database: Database) {
    database.exec('PRAGMA query_only = 1')
    this.#database = database
    this.#record = database.prepare(`SELECT ${SELECT_COLUMNS} FROM uploads WHERE id = ?`)
    this.#recordAndStanding = database.prepare(
      `SELECT p.writer, u.* FROM processes p
       LEFT JOIN (SELECT ${SELECT_COLUMNS} FROM uploads WHERE id = ?) u ON TRUE
       WHERE p.writer = ? AND p.expulsion IS NULL`,
    )
    this.#dataVersion = database.prepare('PRAGMA data_version')
  }

  close(): void {
    this.#prepared.clear()
    this.#database.close()
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
    return this.#statement(sql)
      .all(...values)
      .map((row) => recordOf(row))
  }

  events(afterSequence: number, limit: number): OutboxEntry[] {
    return this.#statement('SELECT * FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?')
      .all(afterSequence, limit)
      .map((row) => outboxEntryOf(row))
  }

  /** Changes when anybody has committed anything. */
  dataVersion(): number {
    return new RowReader(this.#dataVersion.get()).integer('data_version')
  }

  processes(): ProcessRow[] {
    return this.#statement('SELECT * FROM processes')
      .all()
      .map((row) => {
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
    const row = this.#statement("SELECT value FROM meta WHERE name = 'expulsions'").get()
    return new RowReader(row).integer('value')
  }

  /** Uploads of `writer` that another process asks for. */
  wanted(writer: string): string[] {
    return this.#statement('SELECT upload_id FROM leases WHERE writer = ? AND wanted')
      .all(writer)
      .map((row) => new RowReader(row).text('upload_id'))
  }

  /** Who in good standing holds the lease. */
  holder(id: UploadId): string | undefined {
    const row = this.#statement(
      `SELECT l.writer FROM leases l JOIN processes p ON p.writer = l.writer AND p.expulsion IS NULL
       WHERE l.upload_id = ?`,
    ).get(id)
    return row === undefined ? undefined : new RowReader(row).text('writer')
  }

  #statement(sql: string): Statement {
    const known = this.#prepared.get(sql)
    if (known !== undefined) return known
    const statement = this.#database.prepare(sql)
    this.#prepared.set(sql, statement)
    return statement
  }
}

const UNFINISHED = "status IN ('receiving', 'finishing')"
const GONE = "status IN ('cancelled', 'expired', 'failed')"

/**
 * A page of a listing. It must not read every complete upload, so it repeats the conditions of a partial index word
 * by word, and hides `id` behind a plus: SQLite would otherwise walk through all ids to save the sorting.
 */
export function listStatement(query: ListQuery): { sql: string; values: SqlValue[] } {
  const { status, expiresBeforeMs, lastWriteBeforeMs, withChore, after } = query
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
  if (withChore === true) where('chore IS NOT NULL')
  const few = unfinished || expiresBeforeMs !== undefined || lastWriteBeforeMs !== undefined
  const id = few && withChore !== true ? '+id' : 'id'
  if (after !== undefined) where(`${id} > ?`, after)
  const condition = terms.length === 0 ? '' : `WHERE ${terms.join(' AND ')}`
  values.push(query.limit)
  return { sql: `SELECT ${SELECT_COLUMNS} FROM uploads ${condition} ORDER BY ${id} LIMIT ?`, values }
}
