import type { Database, SqlValue } from './driver.ts'
import type { BoundValues, EventValues, GuardValues, Operation, Outcome } from './operations.ts'
import { PreparedStatements } from './prepared-statements.ts'
import { QueueStatements } from './queue-statements.ts'
import { INSERT_COLUMNS, OWNER_COLUMNS, SELECT_COLUMNS } from './record-row.ts'
import { RowReader } from './row-reader.ts'

const MATCHES_GUARD = 'id = ? AND epoch = ? AND offset = ? AND status = ?'
const IN_GOOD_STANDING = 'expulsion IS NULL'
/* OR FAIL here and elsewhere: SQLite need not prepare for undoing one statement, since the engine undoes them all. */
const INSERT = `INSERT OR FAIL INTO uploads (${INSERT_COLUMNS}) VALUES (${INSERT_COLUMNS.replaceAll(/\w+/g, '?')}) ON CONFLICT DO NOTHING`

/** Every statement that writes. */
export class WriteStatements {
  readonly #statements: PreparedStatements
  readonly #queues: QueueStatements

  constructor(database: Database) {
    this.#statements = new PreparedStatements(database)
    this.#queues = new QueueStatements(this.#statements)
  }

  exec(sql: string): void {
    this.#statements.exec(sql)
  }

  close(): void {
    this.#statements.close()
  }

  /** Frames in the write-ahead log that are not yet in the database file, after moving what can be moved. */
  checkpoint(): number {
    const read = new RowReader(this.#statements.get('PRAGMA wal_checkpoint(PASSIVE)'))
    return read.integer('log') - read.integer('checkpointed')
  }

  isInGoodStanding(writer: string): boolean {
    return (
      this.#statements.get(`SELECT 1 FROM processes WHERE writer = ? AND ${IN_GOOD_STANDING}`, writer) !==
      undefined
    )
  }

  /** Runs one operation inside the open transaction. */
  apply(writer: string, operation: Operation): Outcome {
    switch (operation[0]) {
      case 'insert':
        return this.#insert(operation[1], operation[2], operation[3], operation[4])
      case 'update':
        return this.#update(operation[1], operation[2], operation[3], operation[4], operation[5])
      case 'forget':
        return this.#statements.run(`DELETE FROM uploads WHERE ${MATCHES_GUARD}`, ...operation[1])
      case 'acquire':
        return this.#acquire(writer, operation[1])
      case 'release':
        return this.#statements.run(
          'DELETE FROM leases WHERE upload_id = ? AND writer = ?',
          operation[1],
          writer,
        )
      case 'want':
        return this.#statements.run(
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
        return this.#statements.run('UPDATE processes SET beat = beat + 1 WHERE writer = ?', writer)
      case 'expel':
        return this.#expel(operation[1], operation[2])
      case 'bury':
        return this.#bury(operation[1])
      default:
        return this.#queues.apply(operation)
    }
  }

  #insert(
    values: readonly SqlValue[],
    bytes: Uint8Array | null,
    events: readonly EventValues[],
    bounds: BoundValues | null,
  ): Outcome {
    const refusal = bounds === null ? undefined : this.#refusal(bounds)
    if (refusal !== undefined) {
      const isTaken =
        this.#statements.get('SELECT 1 FROM uploads WHERE id = ?', values[0] ?? null) !== undefined
      return isTaken ? false : refusal
    }
    const { changes, lastInsertRowid } = this.#statements.statement(INSERT).run(...values)
    if (Number(changes) === 0) return false
    if (bytes !== null) {
      this.#statements.run(
        'INSERT INTO inline_bytes (upload, bytes) VALUES (?, ?)',
        Number(lastInsertRowid),
        bytes,
      )
    }
    this.#queues.tell(events)
    return true
  }

  /** Why an owner may not have that much more. What adds nothing is never refused. */
  #refusal([owner, bytes, uploads, maxBytes, maxUploads]: BoundValues): Outcome | undefined {
    const row = this.#statements.get(`SELECT ${OWNER_COLUMNS} FROM owners WHERE owner = ?`, owner)
    const read = row === undefined ? undefined : new RowReader(row)
    if (maxBytes !== null && bytes > 0 && (read?.integer('bytes') ?? 0) + bytes > maxBytes) {
      return 'ERR_QUOTA_EXCEEDED'
    }
    if (maxUploads !== null && uploads > 0 && (read?.integer('uploads') ?? 0) + uploads > maxUploads) {
      return 'ERR_TOO_MANY_UPLOADS'
    }
    return undefined
  }

  #update(
    guard: GuardValues,
    columns: string,
    values: readonly SqlValue[],
    bytes: Uint8Array | null,
    events: readonly EventValues[],
  ): boolean {
    if (
      !this.#statements.run(
        `UPDATE OR FAIL uploads SET ${columns} WHERE ${MATCHES_GUARD}`,
        ...values,
        ...guard,
      )
    )
      return false
    if (bytes !== null) {
      this.#statements.run(
        'REPLACE INTO inline_bytes SELECT number, ? FROM uploads WHERE id = ?',
        bytes,
        guard[0],
      )
    }
    this.#queues.tell(events)
    return true
  }

  #acquire(writer: string, id: string): Outcome {
    const lease = this.#statements.get(
      `SELECT l.writer FROM leases l JOIN processes p ON p.writer = l.writer AND p.${IN_GOOD_STANDING}
       WHERE l.upload_id = ? AND l.writer <> ?`,
      id,
      writer,
    )
    if (lease !== undefined) {
      this.#statements.run('UPDATE leases SET wanted = 1 WHERE upload_id = ?', id)
      return new RowReader(lease).text('writer')
    }
    if (!this.#statements.run('UPDATE uploads SET epoch = epoch + 1 WHERE id = ?', id)) return null
    this.#statements.run('REPLACE INTO leases (upload_id, writer) VALUES (?, ?)', id, writer)
    const row: unknown = this.#statements.get(`SELECT ${SELECT_COLUMNS} FROM uploads WHERE id = ?`, id)
    return typeof row === 'object' ? row : null
  }

  #register(writer: string, identity: string, dead: readonly string[]): boolean {
    this.#bury(dead)
    const others = this.#statements.get('SELECT 1 FROM processes') !== undefined
    const mode = others ? 'shared' : 'solo'
    return this.#statements.run(
      'INSERT INTO processes (writer, identity, mode) VALUES (?, ?, ?)',
      writer,
      identity,
      mode,
    )
  }

  #share(writer: string, ids: readonly string[]): boolean {
    for (const id of ids)
      this.#statements.run('REPLACE INTO leases (upload_id, writer) VALUES (?, ?)', id, writer)
    return this.#statements.run("UPDATE processes SET mode = 'shared' WHERE writer = ?", writer)
  }

  #alone(writer: string): boolean {
    const other = this.#statements.get('SELECT 1 FROM processes WHERE writer <> ?', writer)
    if (other !== undefined) return false
    this.#statements.run('DELETE FROM leases WHERE writer = ?', writer)
    return this.#statements.run("UPDATE processes SET mode = 'solo' WHERE writer = ?", writer)
  }

  #expel(writer: string, beat: number): boolean {
    // The beat is compared so that a process that has just woken up is left alone.
    const expelled = this.#statements.run(
      `UPDATE processes SET expulsion = (SELECT value + 1 FROM meta WHERE name = 'expulsions')
       WHERE writer = ? AND beat = ? AND ${IN_GOOD_STANDING}`,
      writer,
      beat,
    )
    if (!expelled) return false
    this.#statements.run("UPDATE meta SET value = value + 1 WHERE name = 'expulsions'")
    this.#statements.run('DELETE FROM leases WHERE writer = ?', writer)
    return true
  }

  #bury(writers: readonly string[]): boolean {
    let buried = false
    for (const writer of writers) {
      buried = this.#statements.run('DELETE FROM processes WHERE writer = ?', writer) || buried
      this.#statements.run('DELETE FROM leases WHERE writer = ?', writer)
    }
    return buried
  }
}
