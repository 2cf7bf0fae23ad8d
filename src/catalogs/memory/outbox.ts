import type { Outbox, OutboxEntry, UploadEvent } from '../../core/ports/catalog.ts'

export interface MemoryOutbox extends Outbox {
  append(events: readonly UploadEvent[]): void
}

/** Events in the order they were appended. Sequences start at 1 and are never used twice. */
export function memoryOutbox(assertOpen: () => void): MemoryOutbox {
  let entries: OutboxEntry[] = []
  let last = 0
  return {
    append(events) {
      for (const event of events) {
        last += 1
        entries.push({ ...event, sequence: last })
      }
    },
    async read(afterSequence, limit) {
      assertOpen()
      // Sequences in `entries` have no gaps: only a prefix is ever dropped.
      const first = entries[0]?.sequence ?? 0
      const start = Math.max(0, afterSequence + 1 - first)
      return entries.slice(start, start + limit)
    },
    async acknowledge(sequence) {
      assertOpen()
      entries = entries.filter((entry) => entry.sequence > sequence)
    },
  }
}
