/*
 * Queues in one table. The state of an entry says where it would be found, so that nothing ever has to be skipped:
 *
 *   ready   can be taken; the oldest of its upload and queue
 *   later   was taken or given back, and is ready again when it is due; the oldest of its upload and queue
 *   behind  waits for an older one of its upload and queue
 *   dead    given up
 *
 * Triggers make the next one ready when the oldest is done or given up. `held` says that whoever took an entry has not
 * given it back; it stays when the time has passed, until somebody else takes the entry.
 */
import type { EventValues, QueueOperation } from './operations.ts'
import type { PreparedStatements } from './prepared-statements.ts'
import { QUEUE_COLUMNS, queueEntryOf } from './queue-row.ts'

/** Entries that become ready in one `take`: after an outage many are due, and others wait for the same transaction. */
const MAX_DUE_AT_ONCE = 1000

const IS_HELD = 'sequence = ? AND attempts = ? AND held'

/** What changes queues. */
export class QueueStatements {
  readonly #statements: PreparedStatements

  constructor(statements: PreparedStatements) {
    this.#statements = statements
  }

  tell(events: readonly EventValues[]): void {
    for (const event of events) this.#append(event)
  }

  apply(operation: QueueOperation): boolean | number | unknown[] {
    switch (operation[0]) {
      case 'take':
        return this.#take(operation[1], operation[2], operation[3], operation[4])
      case 'extend':
        return this.#statements.run(
          `UPDATE OR FAIL queue SET state = 'later', due_at = ? WHERE ${IS_HELD}`,
          operation[3],
          operation[1],
          operation[2],
        )
      case 'done':
        return this.#statements.run(`DELETE FROM queue WHERE ${IS_HELD}`, operation[1], operation[2])
      case 'give-back':
        return this.#statements.run(
          `UPDATE OR FAIL queue SET held = 0, state = ?, due_at = ?, last_error = coalesce(?, last_error) WHERE ${IS_HELD}`,
          operation[4],
          operation[3],
          operation[5],
          operation[1],
          operation[2],
        )
      case 'replay':
        return this.#replay(operation[1])
      case 'claims':
        return this.#enableClaims()
    }
  }

  #take(queue: string, limit: number, nowMs: number, dueAtMs: number): unknown[] {
    this.#statements.run(
      `UPDATE OR FAIL queue SET state = 'ready' WHERE sequence IN (
         SELECT sequence FROM queue WHERE queue = ? AND state = 'later' AND due_at <= ? ORDER BY due_at LIMIT ?)`,
      queue,
      nowMs,
      MAX_DUE_AT_ONCE,
    )
    return this.#statements.all(
      `UPDATE OR FAIL queue SET state = 'later', held = 1, attempts = attempts + 1, due_at = ? WHERE sequence IN (
         SELECT sequence FROM queue WHERE queue = ? AND state = 'ready' ORDER BY sequence LIMIT ?)
       RETURNING ${QUEUE_COLUMNS}`,
      dueAtMs,
      queue,
      limit,
    )
  }

  /** Under a new sequence: in its old place it could be taken beside a later one that is being dealt with. */
  #replay(sequences: readonly number[]): number {
    let count = 0
    for (const sequence of sequences) {
      const row = this.#statements.get(
        `DELETE FROM queue WHERE sequence = ? AND state = 'dead' RETURNING ${QUEUE_COLUMNS}`,
        sequence,
      )
      if (row === undefined) continue
      const { queue, uploadId, type, atMs, payload } = queueEntryOf(row)
      this.#append([queue, uploadId, type, atMs, payload])
      count += 1
    }
    return count
  }

  #append([queue, uploadId, type, at, payload]: EventValues): void {
    this.#statements.run(
      `INSERT INTO queue (queue, upload_id, type, at, due_at, payload, state) VALUES (?, ?, ?, ?, ?, ?, iif(
         EXISTS (SELECT 1 FROM queue WHERE upload_id = ? AND queue = ? AND state <> 'dead'), 'behind', 'ready'))`,
      queue,
      uploadId,
      type,
      at,
      at,
      payload,
      uploadId,
      queue,
    )
  }

  /** @returns How many claims there were to make up for. */
  #enableClaims(): number {
    if (!this.#statements.run("INSERT INTO meta VALUES ('claims', 1) ON CONFLICT DO NOTHING")) return 0
    const { changes } = this.#statements
      .statement(
        `INSERT INTO queue (queue, upload_id, type, at, due_at, payload, state)
         SELECT 'claims', id, 'claim', at, at, '{}', 'ready'
         FROM (SELECT number, id, coalesce(finished_at, last_write_at) AS at
           FROM uploads WHERE status = 'complete' AND NOT partial)
         ORDER BY at, number`,
      )
      .run()
    return Number(changes)
  }
}
