import type { Database } from './driver.ts'
import { sameBoot } from './processes.ts'
import { RowReader } from './row-reader.ts'

/**
 * After a reboot, gives up what was written with durability `process` and is not complete: its bytes were never
 * synced, so the record may speak of bytes that are not there. Complete uploads stay.
 */
export function giveUpUnsynced(database: Database, boot: string, nowMs: number): void {
  if (isCurrent(database, boot)) return
  database.exec('BEGIN IMMEDIATE')
  try {
    // Another process of this boot may have been here in between.
    if (!isCurrent(database, boot)) {
      database
        .prepare(
          `UPDATE uploads SET status = 'failed', chore = 'remove', expires_at = NULL, quota = 0, last_write_at = ?
           WHERE status IN ('receiving', 'finishing') AND durability = 'process'`,
        )
        .run(nowMs)
      database.prepare("REPLACE INTO meta VALUES ('boot', ?)").run(boot)
    }
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}

function isCurrent(database: Database, boot: string): boolean {
  const row = database.prepare("SELECT value FROM meta WHERE name = 'boot'").get()
  return row !== undefined && sameBoot(new RowReader(row).text('value'), boot)
}
