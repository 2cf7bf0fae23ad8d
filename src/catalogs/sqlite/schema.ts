import { pragma } from './connection.ts'
import type { Database } from './driver.ts'
import { SCHEMA_STEPS } from './schema-steps.ts'

/** The schema this code writes. */
export const SCHEMA_VERSION: number = SCHEMA_STEPS.length

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
export function migrate(database: Database, steps: readonly string[] = SCHEMA_STEPS): void {
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
