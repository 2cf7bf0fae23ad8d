import {
  CLAIMS_QUEUE,
  type QueueEntry,
  type QueueQuery,
  type Queues,
  type TakenEntry,
  type UploadEvent,
} from '../../core/ports/catalog.ts'
import type { UploadRecord } from '../../core/upload.ts'
import type { UploadId } from '../../core/upload-id.ts'

export interface MemoryQueues extends Queues {
  append(events: readonly UploadEvent[]): void
  /** Sees every committed record, before and after the change; `undefined`: there is none. */
  changed(before: UploadRecord | undefined, after: UploadRecord | undefined): void
}

/** Queues in the order in which entries were appended. Sequences start at 1 and are never used twice. */
export function memoryQueues(assertOpen: () => void, records: () => Iterable<UploadRecord>): MemoryQueues {
  return new EntriesInOrder(assertOpen, records)
}

class EntriesInOrder implements MemoryQueues {
  readonly #assertOpen: () => void
  readonly #records: () => Iterable<UploadRecord>
  /** In the order of their sequences. */
  readonly #entries = new Map<number, QueueEntry>()
  /** Sequences of those that whoever took them has not given back; after their time too, until taken again. */
  readonly #taken = new Set<number>()
  #last = 0
  #hasClaims = false

  constructor(assertOpen: () => void, records: () => Iterable<UploadRecord>) {
    this.#assertOpen = assertOpen
    this.#records = records
  }

  append(events: readonly UploadEvent[]): void {
    for (const { queue, uploadId, type, atMs, payload } of events) {
      this.#last += 1
      this.#entries.set(this.#last, {
        queue,
        uploadId,
        type,
        atMs,
        payload,
        sequence: this.#last,
        attempts: 0,
        dueAtMs: atMs,
        isDead: false,
        lastError: undefined,
      })
    }
  }

  changed(before: UploadRecord | undefined, after: UploadRecord | undefined): void {
    if (!this.#hasClaims) return
    if (after !== undefined && isClaimable(after) && before?.status !== 'complete')
      this.append([claim(after)])
    if (after === undefined && before !== undefined) this.#dropClaims(before.id)
  }

  async enableClaims(): Promise<void> {
    this.#assertOpen()
    if (this.#hasClaims) return
    this.#hasClaims = true
    const complete = [...this.#records()]
      .filter((record) => isClaimable(record))
      .map((record) => claim(record))
    this.append(complete.sort((one, other) => one.atMs - other.atMs))
  }

  async take(
    queue: string,
    { limit, nowMs, leaseMs }: Parameters<Queues['take']>[1],
  ): Promise<readonly QueueEntry[]> {
    this.#assertOpen()
    const taken: QueueEntry[] = []
    for (const entry of this.#oldest(queue)) {
      if (taken.length >= limit) break
      if (isNew(entry) || entry.dueAtMs <= nowMs) taken.push(entry)
    }
    return taken.map((entry) => {
      this.#taken.add(entry.sequence)
      return this.#set({ ...entry, attempts: entry.attempts + 1, dueAtMs: nowMs + leaseMs })
    })
  }

  async extend(taken: TakenEntry, untilMs: number): Promise<boolean> {
    const entry = this.#held(taken)
    if (entry === undefined) return false
    this.#set({ ...entry, dueAtMs: untilMs })
    return true
  }

  async done(taken: TakenEntry): Promise<boolean> {
    if (this.#held(taken) === undefined) return false
    this.#remove(taken.sequence)
    return true
  }

  async release(taken: TakenEntry, outcome: Parameters<Queues['release']>[1]): Promise<boolean> {
    const entry = this.#held(taken)
    if (entry === undefined) return false
    const { dueAtMs, isDead, error = entry.lastError } = outcome
    this.#set({ ...entry, dueAtMs, isDead, lastError: error })
    this.#taken.delete(entry.sequence)
    return true
  }

  async replay(sequences: readonly number[]): Promise<number> {
    this.#assertOpen()
    let count = 0
    for (const sequence of [...sequences].sort((one, other) => one - other)) {
      const entry = this.#entries.get(sequence)
      if (entry?.isDead !== true) continue
      this.#entries.delete(sequence)
      this.append([entry])
      count += 1
    }
    return count
  }

  async list({ queue, uploadId, isDead, after = 0, limit }: QueueQuery): Promise<readonly QueueEntry[]> {
    this.#assertOpen()
    const page: QueueEntry[] = []
    for (const entry of this.#entries.values()) {
      if (page.length >= limit) break
      if (entry.sequence <= after) continue
      if (queue !== undefined && entry.queue !== queue) continue
      if (uploadId !== undefined && entry.uploadId !== uploadId) continue
      if (isDead !== undefined && entry.isDead !== isDead) continue
      page.push(entry)
    }
    return page
  }

  async nextDueMs(queue: string): Promise<number | undefined> {
    this.#assertOpen()
    let next: number | undefined
    for (const entry of this.#oldest(queue)) {
      // Not its own time: that is of a clock that may have been set back since.
      if (isNew(entry)) return 0
      next = Math.min(next ?? entry.dueAtMs, entry.dueAtMs)
    }
    return next
  }

  /** Of each upload the oldest entry that is not given up. */
  *#oldest(queue: string): Iterable<QueueEntry> {
    const seen = new Set<UploadId>()
    for (const entry of this.#entries.values()) {
      if (entry.queue !== queue || entry.isDead || seen.has(entry.uploadId)) continue
      seen.add(entry.uploadId)
      yield entry
    }
  }

  #held({ sequence, attempts }: TakenEntry): QueueEntry | undefined {
    this.#assertOpen()
    const entry = this.#entries.get(sequence)
    return this.#taken.has(sequence) && entry?.attempts === attempts ? entry : undefined
  }

  #set(entry: QueueEntry): QueueEntry {
    this.#entries.set(entry.sequence, entry)
    return entry
  }

  #remove(sequence: number): void {
    this.#entries.delete(sequence)
    this.#taken.delete(sequence)
  }

  #dropClaims(id: UploadId): void {
    for (const { queue, uploadId, sequence } of this.#entries.values()) {
      if (queue === CLAIMS_QUEUE && uploadId === id) this.#remove(sequence)
    }
  }
}

/** Never taken: it can be taken at once, whatever the clock says. */
function isNew(entry: QueueEntry): boolean {
  return entry.attempts === 0
}

function isClaimable({ status, concat }: UploadRecord): boolean {
  return status === 'complete' && concat?.kind !== 'partial'
}

function claim({ id, finishedAtMs, lastWriteAtMs }: UploadRecord): UploadEvent {
  const atMs = finishedAtMs ?? lastWriteAtMs
  return { queue: CLAIMS_QUEUE, uploadId: id, type: 'claim', atMs, payload: '{}' }
}
