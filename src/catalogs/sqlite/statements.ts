import type { Database, SqlValue, Statement } from './driver.ts'
import { INSERT_COLUMNS, RowReader, SELECT_COLUMNS } from './record-row.ts'
import type { EventValues, GuardValues, Operation, Outcome } from './operations.ts'

const MATCHES_GUARD = 'id = ? AND epoch = ? AND offset = ? AND status = ?'
const IN_GOOD_STANDING = 'expulsion IS NULL'

/**
 * Every statement that writes, with the database it belongs to: a database that is collected while its
 * statements live crashes the process, so one object holds both.
 */
export class WriteStatements {
  readonly #database: Database
  readonly #prepared = new Map<string, Statement>()

  constructor(database: Database) {
    this.#database = database
  }

  exec(sql: string): void {
    this.#database.exec(sql)
  }

  close(): void {
    this.#prepared.clear()
    this.#database.close()
  }

  /** Frames in the write-ahead log that are not yet in the database file, after moving what can be moved. */
  checkpoint(): number {
    const read = new RowReader(this.#get('PRAGMA wal_checkpoint(PASSIVE)'))
    return read.integer('log') - read.integer('checkpointed')
  }

  isInGoodStanding(writer: string): boolean {
    return this.#get(`SELECT 1 FROM processes WHERE writer = ? AND ${IN_GOOD_STANDING}`, writer) !== undefined
  }

  /** Runs one operation inside the open transaction. */
  apply(writer: string, operation: Operation): Outcome {
    switch (operation[0]) {
      case 'insert':
        return this.#insert(operation[1], operation[2], operation[3])
      case 'update':
        return this.#update(operation[1], operation[2], operation[3], operation[4], operation[5])
      case 'forget':
        return this.#run(`DELETE FROM uploads WHERE ${MATCHES_GUARD}`, ...operation[1])
      case 'delivered':
        return this.#run('DELETE FROM outbox WHERE sequence <= ?', operation[1])
      case 'acquire':
        return this.#acquire(writer, operation[1])
      case 'release':
        return this.#run('DELETE FROM leases WHERE upload_id = ? AND writer = ?', operation[1], writer)
      case 'want':
        return this.#run(
          'UPDATE leases SET wanted = 1 WHERE upload_id = ? AND writer <> ?',
          operation[1],
          writer,
        )
      case 'register':
        return this.#register(operation[1], operation[2], operation[3])
      case 'share':
        return this.#share(writer, operation[1])
      case 'alone':
        return this.#alone(writer)
      case 'beat':
        return this.#run('UPDATE processes SET beat = beat + 1 WHERE writer = ?', writer)
      case 'expel':
        return this.#expel(operation[1], operation[2])
      case 'bury':
        return this.#bury(operation[1])
    }
  }

  #insert(values: readonly SqlValue[], bytes: Uint8Array | null, events: readonly EventValues[]): boolean {
    const { changes, lastInsertRowid } = this.#statement(
      `INSERT INTO uploads (${INSERT_COLUMNS}) VALUES (${values.map(() => '?').join(', ')}) ON CONFLICT DO NOTHING`,
    ).run(...values)
    if (Number(changes) === 0) return false
    if (bytes !== null) {
      this.#run('INSERT INTO inline_bytes (upload, bytes) VALUES (?, ?)', Number(lastInsertRowid), bytes)
    }
    this.#tell(events)
    return true
  }

  #update(
    guard: GuardValues,
    columns: string,
    values: readonly SqlValue[],
    bytes: Uint8Array | null,
    events: readonly EventValues[],
  ): boolean {
    if (!this.#run(`UPDATE uploads SET ${columns} WHERE ${MATCHES_GUARD}`, ...values, ...guard)) return false
    if (bytes !== null) {
      this.#run('REPLACE INTO inline_bytes SELECT number, ? FROM uploads WHERE id = ?', bytes, guard[0])
    }
    this.#tell(events)
    return true
  }

  #tell(events: readonly EventValues[]): void {
    for (const event of events) {
      this.#run('INSERT INTO outbox (upload_id, type, at, payload) VALUES (?, ?, ?, ?)', ...event)
    }
  }

  #acquire(writer: string, id: string): Outcome {
    const lease = this.#get(
      `SELECT l.writer FROM leases l JOIN processes p ON p.writer = l.writer AND p.${IN_GOOD_STANDING}
       WHERE l.upload_id = ? AND l.writer <> ?`,
      id,
      writer,
    )
    if (lease !== undefined) {
      this.#run('UPDATE leases SET wanted = 1 WHERE upload_id = ?', id)
      return new RowReader(lease).text('writer')
    }
    if (!this.#run('UPDATE uploads SET epoch = epoch + 1 WHERE id = ?', id)) return null
    this.#run('REPLACE INTO leases (upload_id, writer) VALUES (?, ?)', id, writer)
    const row: unknown = this.#get(`SELECT ${SELECT_COLUMNS} FROM uploads WHERE id = ?`, id)
    return typeof row === 'object' ? row : null
  }

  #register(writer: string, identity: string, dead: readonly string[]): boolean {
    this.#bury(dead)
    const others = this.#get('SELECT 1 FROM processes') !== undefined
    const mode = others ? 'shared' : 'solo'
    return this.#run(
      'INSERT INTO processes (writer, identity, mode) VALUES (?, ?, ?)',
      writer,
      identity,
      mode,
    )
  }

  #share(writer: string, ids: readonly string[]): boolean {
    for (const id of ids) this.#run('REPLACE INTO leases (upload_id, writer) VALUES (?, ?)', id, writer)
    return this.#run("UPDATE processes SET mode = 'shared' WHERE writer = ?", writer)
  }

  #alone(writer: string): boolean {
    const other = this.#get('SELECT 1 FROM processes WHERE writer <> ?', writer)
    if (other !== undefined) return false
    this.#run('DELETE FROM leases WHERE writer = ?', writer)
    return this.#run("UPDATE processes SET mode = 'solo' WHERE writer = ?", writer)
  }

  #expel(writer: string, beat: number): boolean {
    // The beat is compared so that a process that has just woken up is left alone.
    const expelled = this.#run(
      `UPDATE processes SET expulsion = (SELECT value + 1 FROM meta WHERE name = 'expulsions')
       WHERE writer = ? AND beat = ? AND ${IN_GOOD_STANDING}`,
      writer,
      beat,
    )
    if (!expelled) return false
    this.#run("UPDATE meta SET value = value + 1 WHERE name = 'expulsions'")
    this.#run('DELETE FROM leases WHERE writer = ?', writer)
    return true
  }

  #bury(writers: readonly string[]): boolean {
    let buried = false
    for (const writer of writers) {
      buried = this.#run('DELETE FROM processes WHERE writer = ?', writer) || buried
      this.#run('DELETE FROM leases WHERE writer = ?', writer)
    }
    return buried
  }

  #run(sql: string, ...parameters: SqlValue[]): boolean {
    return Number(this.#statement(sql).run(...parameters).changes) > 0
  }

  #get(sql: string, ...parameters: SqlValue[]): unknown {
    return this.#statement(sql).get(...parameters)
  }

  #statement(sql: string): Statement {
    const known = this.#prepared.get(sql)
    if (known !== undefined) return known
    const statement = this.#database.prepare(sql)
    this.#prepared.set(sql, statement)
    return statement
  }
}
