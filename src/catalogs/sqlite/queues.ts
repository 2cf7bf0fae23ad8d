import type { Queues, TakenEntry } from '../../core/ports/catalog.ts'
import type { Membership } from './membership.ts'
import { queueEntryOf } from './queue-row.ts'
import type { Reader } from './reader.ts'

interface QueuesParts {
  readonly membership: Membership
  readonly reader: Reader
  /** @throws {UploadError} `ERR_STORE_UNAVAILABLE` once the catalog is closed. */
  readonly assertOpen: () => void
}

/** Queues in the table that the thread which writes changes; looking reads here. */
export function sqliteQueues({ membership, reader, assertOpen }: QueuesParts): Queues {
  return {
    async enableClaims() {
      await membership.commit(['claims'])
    },
    async take(queue, { limit, nowMs, leaseMs }) {
      const rows = await membership.commit(['take', queue, limit, nowMs, wholeMs(nowMs + leaseMs)])
      const entries = Array.isArray(rows) ? rows.map((row: unknown) => queueEntryOf(row)) : []
      // SQLite returns what an update has changed in any order.
      return entries.sort((one, other) => one.sequence - other.sequence)
    },
    async extend({ sequence, attempts }: TakenEntry, untilMs) {
      return (await membership.commit(['extend', sequence, attempts, wholeMs(untilMs)])) === true
    },
    async done({ sequence, attempts }: TakenEntry) {
      return (await membership.commit(['done', sequence, attempts])) === true
    },
    async release({ sequence, attempts }: TakenEntry, { dueAtMs, isDead, error }) {
      const state = isDead ? 'dead' : 'later'
      const released = ['give-back', sequence, attempts, wholeMs(dueAtMs), state, error ?? null] as const
      return (await membership.commit(released)) === true
    },
    async replay(sequences) {
      const inOrder = [...sequences].sort((one, other) => one - other)
      return Number(await membership.commit(['replay', inOrder]))
    },
    async list(query) {
      assertOpen()
      return reader.queueEntries(query)
    },
    async nextDueMs(queue) {
      assertOpen()
      return reader.nextDueMs(queue)
    },
  }
}

/** A time as the column takes it: a delay that was computed may have a fraction, or no end. */
function wholeMs(timeMs: number): number {
  return Math.min(Math.ceil(timeMs), Number.MAX_SAFE_INTEGER)
}
