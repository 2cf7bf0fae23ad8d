import type { Durability } from '../../core/upload.ts'
import type { Database, OpenDatabase } from './driver.ts'

/** How long SQLite itself waits for another process before a statement gives up. */
const BUSY_TIMEOUT_MS = 5000
/** What a WAL file keeps of its size after it has started over. */
const JOURNAL_SIZE_BYTES = 64 * 1024 * 1024

/**
 * Opens a connection that keeps the promise of `durability`, or fails.
 *
 * The driver's WAL default is `synchronous = NORMAL`, which loses commits on power loss, so the level is set
 * on every connection and read back.
 */
export function openConnection(open: OpenDatabase, path: string, durability: Durability): Database {
  const database = open(path)
  try {
    configure(database, durability)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function configure(database: Database, durability: Durability): void {
  database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
  const mode = pragma(database, 'journal_mode = WAL', 'journal_mode')
  if (mode !== 'wal') throw new Error('SQLite cannot use a write-ahead log here (a network file system?).')
  const level = durability === 'power' ? 2 : 1
  database.exec(`PRAGMA synchronous = ${level}`)
  const actual = pragma(database, 'synchronous', 'synchronous')
  if (actual !== level)
    throw new Error(`SQLite refused synchronous = ${level} and runs with ${String(actual)}.`)
  // Checkpoints happen between commits, never inside one.
  database.exec('PRAGMA wal_autocheckpoint = 0')
  database.exec(`PRAGMA journal_size_limit = ${JOURNAL_SIZE_BYTES}`)
}

/** The value of a pragma. */
export function pragma(database: Database, sql: string, column: string): unknown {
  const row = database.prepare(`PRAGMA ${sql}`).get()
  return typeof row === 'object' && row !== null ? Reflect.get(row, column) : undefined
}
