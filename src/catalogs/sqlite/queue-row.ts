import type { QueueEntry, QueueQuery } from '../../core/ports/catalog.ts'
import type { SqlValue } from './driver.ts'
import { RowReader } from './row-reader.ts'

export const QUEUE_COLUMNS =
  'sequence, queue, upload_id, type, at, payload, attempts, due_at, state, last_error'

/** @throws {UploadError} `ERR_CORRUPT_RECORD` for a row that no version of this code has written. */
export function queueEntryOf(row: unknown): QueueEntry {
  const read = new RowReader(row)
  return {
    sequence: read.integer('sequence'),
    queue: read.text('queue'),
    uploadId: read.id('upload_id'),
    type: read.text('type'),
    atMs: read.integer('at'),
    payload: read.text('payload'),
    attempts: read.integer('attempts'),
    dueAtMs: read.integer('due_at'),
    isDead: read.oneOf('state', ['ready', 'later', 'behind', 'dead']) === 'dead',
    lastError: read.maybeText('last_error'),
  }
}

/** A page of entries in the order of their sequences. */
export function queueListStatement(query: QueueQuery): { sql: string; values: SqlValue[] } {
  const { queue, uploadId, isDead, after } = query
  const terms = ['TRUE']
  const values: SqlValue[] = []
  if (queue !== undefined) {
    terms.push('queue = ?')
    values.push(queue)
  }
  if (uploadId !== undefined) {
    terms.push('upload_id = ?')
    values.push(uploadId)
  }
  if (isDead !== undefined) terms.push(`state ${isDead ? '=' : '<>'} 'dead'`)
  if (after !== undefined) {
    terms.push('sequence > ?')
    values.push(after)
  }
  values.push(query.limit)
  const condition = terms.join(' AND ')
  return { sql: `SELECT ${QUEUE_COLUMNS} FROM queue WHERE ${condition} ORDER BY sequence LIMIT ?`, values }
}

/** Ready: at 0, whatever the clock says. What waits behind another one is not looked at: it is never due before it. */
export const NEXT_DUE = `SELECT min(due_at) AS due_at FROM (
  SELECT 0 AS due_at WHERE EXISTS (SELECT 1 FROM queue WHERE queue = ? AND state = 'ready')
  UNION ALL SELECT min(due_at) FROM queue WHERE queue = ? AND state = 'later')`
