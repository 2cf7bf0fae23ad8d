import { pragma } from './connection.ts'
import type { Database } from './driver.ts'

/**
 * Steps forward, oldest first. A step that has been released is never edited; a change is a new step.
 * The number of steps taken is the database's `user_version`.
 */
const STEPS: readonly string[] = [
  `
  CREATE TABLE uploads (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER,
    epoch INTEGER NOT NULL,
    chore TEXT,
    durability TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_write_at INTEGER NOT NULL,
    expires_at INTEGER,
    finished_at INTEGER,
    place TEXT NOT NULL,
    inlined INTEGER NOT NULL,
    cold TEXT NOT NULL
  ) STRICT;

  -- Partial, and none on a column that every append changes: a complete upload is in none of them.
  CREATE INDEX uploads_chore ON uploads (id) WHERE chore IS NOT NULL;
  CREATE INDEX uploads_expiry ON uploads (expires_at) WHERE expires_at IS NOT NULL;
  CREATE INDEX uploads_unfinished ON uploads (number) WHERE status IN ('receiving', 'finishing');
  CREATE INDEX uploads_gone ON uploads (last_write_at) WHERE status IN ('cancelled', 'expired', 'failed');

  -- Apart from the record, so that a change of status does not write the bytes again.
  CREATE TABLE inline_bytes (upload INTEGER PRIMARY KEY, bytes BLOB) STRICT;
  CREATE TRIGGER inline_moved AFTER UPDATE OF inlined ON uploads WHEN old.inlined AND NOT new.inlined
    BEGIN DELETE FROM inline_bytes WHERE upload = old.number; END;
  CREATE TRIGGER inline_forgotten AFTER DELETE ON uploads WHEN old.inlined
    BEGIN DELETE FROM inline_bytes WHERE upload = old.number; END;

  -- AUTOINCREMENT: a sequence that was acknowledged and deleted must never be given out again.
  CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    upload_id TEXT NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    payload TEXT NOT NULL
  ) STRICT;

  CREATE TABLE leases (
    upload_id TEXT PRIMARY KEY,
    writer TEXT NOT NULL,
    wanted INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE processes (
    writer TEXT PRIMARY KEY,
    identity TEXT NOT NULL,
    mode TEXT NOT NULL,
    beat INTEGER NOT NULL DEFAULT 0,
    expulsion INTEGER
  ) STRICT;

  CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO meta VALUES ('expulsions', 0);
  `,
]

/** The schema this code writes. */
export const SCHEMA_VERSION: number = STEPS.length

/**
 * Refuses a database of a newer version. Reads only, so that a refused directory stays as it was.
 *
 * @throws {Error} with one sentence for people.
 */
export function assertKnownSchema(database: Database): void {
  const version = schemaVersion(database)
  if (version <= SCHEMA_VERSION) return
  throw new Error(
    `the directory was written by a newer version of Carryon (schema ${version}, this one knows ${SCHEMA_VERSION})`,
  )
}

/** Brings the schema up to date, step by step, each in a transaction of its own. */
export function migrate(database: Database, steps: readonly string[] = STEPS): void {
  while (schemaVersion(database) < steps.length) {
    database.exec('BEGIN IMMEDIATE')
    try {
      // Read again inside: another process may have taken this step meanwhile.
      const version = schemaVersion(database)
      const step = steps[version]
      if (step !== undefined) {
        database.exec(step)
        database.exec(`PRAGMA user_version = ${version + 1}`)
      }
      database.exec('COMMIT')
    } catch (error) {
      database.exec('ROLLBACK')
      throw error
    }
  }
}

function schemaVersion(database: Database): number {
  return Number(pragma(database, 'user_version', 'user_version'))
}
