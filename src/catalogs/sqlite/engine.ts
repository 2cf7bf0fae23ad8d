import { type Database, RESULT, resultCode } from './driver.ts'
import type { Batch, Failure, Operation, Outcome, Reply } from './operations.ts'
import { WriteStatements } from './statements.ts'

/** Attempts to get the write lock; each lasts as long as SQLite's own busy timeout. */
const BUSY_ATTEMPTS = 6
/** Pages in the log after which moving them into the database is worth its syncs: 4 MiB. */
const CHECKPOINT_AFTER_PAGES = 1000
/** Pages after which it cannot wait for a quiet moment any more, so that the log stays small: 32 MiB. */
const CHECKPOINT_AT_LATEST_PAGES = 8000
/** What a transaction adds to the log, as measured: a few pages it always touches and one or two per change. */
const PAGES_PER_TRANSACTION = 6
const PAGES_PER_CHANGE = 1.5
const PAGE_BYTES = 4096

const FULL: Failure = { code: 'ERR_STORE_FULL', reason: 'There is no space left for the records of uploads.' }
const LOCKED: Failure = {
  code: 'ERR_STORE_UNAVAILABLE',
  reason: 'Another process does not let go of the database.',
}
const LEASE_LOST: Failure = { code: 'ERR_LEASE_LOST', reason: 'This process was taken for dead.' }

/** After these nothing that was written may be trusted: the kernel may have dropped the pages. */
const FATAL: ReadonlySet<number | undefined> = new Set([
  RESULT.ioError,
  RESULT.corrupt,
  RESULT.cantOpen,
  RESULT.notADatabase,
  RESULT.readOnly,
])

/**
 * Runs what waits in one transaction with one sync. Each operation has its own outcome.
 *
 * Used by the worker thread, or on the main thread where there is no worker.
 */
export class Engine {
  readonly #statements: WriteStatements
  #pagesInLog = 0
  /** Why nothing may be written any more. */
  #fatal: string | undefined

  constructor(database: Database) {
    this.#statements = new WriteStatements(database)
  }

  run(batches: readonly Batch[]): Reply {
    for (let attempt = 1; ; attempt += 1) {
      if (this.#fatal !== undefined) return { outcomes: [], failures: new Map(), fatal: this.#fatal }
      try {
        return this.#transaction(batches)
      } catch (error) {
        this.#rollBack()
        const code = resultCode(error)
        const busy = code === RESULT.busy || code === RESULT.locked
        if (busy && attempt < BUSY_ATTEMPTS) continue
        if (busy) return refused(batches, LOCKED)
        // Once moved, the log starts over in the space it has: deleting must work on a full disk.
        if (code === RESULT.full && attempt === 1 && this.checkpoint() === undefined) continue
        // Nothing of the group was recorded and the next one may fit: a full disk is not a lie about durability.
        if (code === RESULT.full) return refused(batches, FULL)
        if (!FATAL.has(code)) return this.#oneByOne(batches, error)
        this.#fatal = messageOf(error)
      }
    }
  }

  /** Whether the log has grown so that it should be moved now, or at the next quiet moment. */
  checkpointDue(): 'now' | 'when-quiet' | 'no' {
    if (this.#pagesInLog >= CHECKPOINT_AT_LATEST_PAGES) return 'now'
    return this.#pagesInLog >= CHECKPOINT_AFTER_PAGES ? 'when-quiet' : 'no'
  }

  /**
   * Moves the log into the database file without stopping readers or writers.
   *
   * @returns What went wrong for good; `undefined` normally. No space or a busy file only means: later.
   */
  checkpoint(): string | undefined {
    this.#pagesInLog = 0
    try {
      this.#statements.checkpoint()
      return undefined
    } catch (error) {
      if (FATAL.has(resultCode(error))) this.#fatal = messageOf(error)
      return this.#fatal
    }
  }

  close(): void {
    if (this.#fatal === undefined) this.checkpoint()
    this.#statements.close()
  }

  #transaction(batches: readonly Batch[]): Reply {
    const outcomes: Outcome[] = []
    const failures = new Map<number, Failure>()
    this.#statements.exec('BEGIN IMMEDIATE')
    const standing = new Map<string, boolean>()
    for (const { writer, operations } of batches) {
      for (const operation of operations) {
        const allowed = !needsStanding(operation) || this.#inGoodStanding(writer, standing)
        if (!allowed) failures.set(outcomes.length, LEASE_LOST)
        outcomes.push(allowed ? this.#statements.apply(writer, operation) : null)
      }
    }
    this.#statements.exec('COMMIT')
    this.#pagesInLog +=
      PAGES_PER_TRANSACTION + PAGES_PER_CHANGE * changes(batches, outcomes) + inlinePages(batches)
    return { outcomes, failures, fatal: undefined }
  }

  /** Within one transaction a writer's standing changes only by its own operations. */
  #inGoodStanding(writer: string, known: Map<string, boolean>): boolean {
    const before = known.get(writer)
    if (before !== undefined) return before
    const standing = this.#statements.isInGoodStanding(writer)
    known.set(writer, standing)
    return standing
  }

  /** One operation cannot be carried out: found by running each alone, so that it fails and no other. */
  #oneByOne(batches: readonly Batch[], error: unknown): Reply {
    const single = batches.flatMap(({ writer, operations }) =>
      operations.map((operation) => ({ writer, operations: [operation] })),
    )
    if (single.length <= 1) {
      return refused(batches, { code: 'ERR_INTERNAL_SERVER_ERROR', reason: messageOf(error) })
    }
    const outcomes: Outcome[] = []
    const failures = new Map<number, Failure>()
    for (const batch of single) {
      const reply = this.run([batch])
      if (reply.fatal !== undefined) return reply
      const failure = reply.failures.get(0)
      if (failure !== undefined) failures.set(outcomes.length, failure)
      outcomes.push(reply.outcomes[0] ?? null)
    }
    return { outcomes, failures, fatal: undefined }
  }

  #rollBack(): void {
    try {
      this.#statements.exec('ROLLBACK')
    } catch {
      // SQLite has rolled back by itself (it does on a full disk), or there was no transaction yet.
    }
  }
}

/** Rows that a group has changed, roughly: an operation may take many entries or tell of many events. */
function changes(batches: readonly Batch[], outcomes: readonly Outcome[]): number {
  let count = outcomes.length
  for (const outcome of outcomes) {
    if (typeof outcome === 'number') count += outcome
    else if (Array.isArray(outcome)) count += outcome.length
  }
  for (const { operations } of batches) {
    for (const operation of operations) {
      if (operation[0] === 'insert') count += operation[3].length
      else if (operation[0] === 'update') count += operation[5].length
    }
  }
  return count
}

function inlinePages(batches: readonly Batch[]): number {
  let bytes = 0
  for (const { operations } of batches) {
    for (const operation of operations) {
      if (operation[0] === 'insert') bytes += operation[2]?.length ?? 0
      else if (operation[0] === 'update') bytes += operation[4]?.length ?? 0
    }
  }
  return bytes / PAGE_BYTES
}

/** Changes of uploads need it; who takes part is told by processes that are not, or no longer, in. */
function needsStanding(operation: Operation): boolean {
  return operation[0] !== 'register' && operation[0] !== 'bury'
}

function refused(batches: readonly Batch[], failure: Failure): Reply {
  const outcomes: Outcome[] = batches.flatMap(({ operations }) => operations.map(() => null))
  return { outcomes, failures: new Map(outcomes.map((_, index) => [index, failure])), fatal: undefined }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
