/*
 * Who takes part, and how leases pass from one process to another.
 *
 * Each process has one row in `processes`, under a writer name used once. While it is alone its row says `solo`
 * and its leases live in memory: acquiring writes nothing. With others around everybody is `shared`: a lease is a
 * row in `leases`, and taking one raises the upload's epoch.
 *
 * Joining. A newcomer deletes rows of processes that are proven dead, adds its own, and if another row says
 * `solo` it waits. The solo process looks at `PRAGMA data_version` ten times a second, sees the row, writes its
 * leases and `shared` in one transaction, and only then the newcomer may take a lease.
 *
 * Frozen processes. Whoever shares beats once a second. Each process counts, by its own timer and not by
 * anybody's clock, how often it has looked and found a beat unchanged. Three times without a beat, or no answer
 * to a newcomer for as long: the row is marked as expelled and its leases go. Every transaction starts with a look
 * at the writer's own row, so an expelled process changes nothing any more, whatever it does when it wakes up.
 *
 * An expelled row counts as company: while it stays, leases are rows and each raises the epoch.
 *
 * Files. A frozen process may wake up inside a write to a file. It can know only files that were begun before its
 * expulsion, so these are not extended until it is dead. Expulsions are counted, a writer's public name ends in the
 * count it knows, and `mayExtend` compares: a file begun after the last expulsion is safe, one from before is not.
 *
 * Waking up. An expelled process registers under a new name with all its leases lost. Its old row goes once core
 * has released them all, which is after their files were closed: then nothing of the old self can write.
 *
 * A process that is frozen while it holds SQLite's write lock (inside a transaction) stops all others until it
 * wakes or dies; they answer ERR_STORE_UNAVAILABLE after the busy timeout.
 */
import { hasCode, UploadError } from '../../core/errors.ts'
import type { Acquired } from '../../core/ports/catalog.ts'
import type { UploadRecord } from '../../core/upload.ts'
import { parseUploadId, type UploadId } from '../../core/upload-id.ts'
import { RESULT, resultCode } from './driver.ts'
import { Heartbeats } from './heartbeats.ts'
import type { Operation, Outcome } from './operations.ts'
import { join, type JoiningParts } from './joining.ts'
import type { ProcessRow } from './reader.ts'
import { recordOf } from './record-row.ts'

const WATCH_ALONE_MS = 100
/** With others around: they may ask for something that is being written here. */
const WATCH_SHARED_MS = 40
const BEAT_MS = 1000
/** Far less than the 3 s after which others take a silent process for frozen. */
const TRUST_MEMORY_MS = 500

interface Held {
  /** A row in `leases` stands for it. */
  stored: boolean
  /** Its holder was told that somebody else wants it. */
  told: boolean
}

/** This process among those that share the database: its name, its leases, and what it knows of the others. */
export class Membership {
  readonly #parts: JoiningParts
  readonly #heartbeats: Heartbeats
  readonly #held = new Map<UploadId, Held>()
  readonly #lost = new Set<UploadId>()
  /** Names under which this process was expelled, until nothing of them can write any more. */
  #formerNames: string[] = []
  #name = ''
  #mode: 'joining' | 'solo' | 'shared' | 'closed' = 'joining'
  #acknowledged = true
  #rows: readonly ProcessRow[] = []
  #expulsions = 0
  #leaving = false
  #seenVersion = -1
  #lookedAtMs = -Infinity
  #joined: Promise<void> = Promise.resolve()
  readonly #wantedListeners: ((id: UploadId) => void)[] = []
  readonly #timers = new Set<() => void>()

  constructor(parts: JoiningParts) {
    this.#parts = parts
    this.#heartbeats = new Heartbeats(parts.processes)
  }

  /** The name that stores write down; see "Files" above. */
  get writer(): string {
    return `${this.#name}.${this.#expulsions}`
  }

  /** Leases live in memory here, because nobody else takes part. */
  get isAlone(): boolean {
    return this.#mode === 'solo'
  }

  /**
   * Whether every change to a record has come through this process: it is alone, and has looked lately enough that
   * it cannot have been frozen and replaced since.
   */
  get knowsAll(): boolean {
    if (this.#mode !== 'solo') return false
    const sinceMs = this.#parts.clock.nowMs() - this.#lookedAtMs
    return sinceMs >= 0 && sinceMs < TRUST_MEMORY_MS
  }

  onWanted(listener: (id: UploadId) => void): void {
    this.#wantedListeners.push(listener)
  }

  /** Takes part from now on. Resolves when leases may be taken. */
  async start(): Promise<void> {
    await this.#join()
    this.#watch()
    this.#beat()
  }

  /** Runs an operation in this process's name. */
  commit(operation: Operation): Promise<Outcome> {
    if (this.#mode !== 'joining') return this.#parts.queue.submit(this.#name, operation)
    return this.#joined.then(() => this.#parts.queue.submit(this.#name, operation))
  }

  /** @throws {UploadError} `ERR_LEASE_LOST` for an upload whose lease went with an expulsion. */
  assertNotLost(id: UploadId): void {
    if (this.#lost.has(id)) throw new UploadError('ERR_LEASE_LOST')
  }

  async acquire(id: UploadId): Promise<Acquired> {
    for (;;) {
      await this.#joined
      const acquired = this.#mode === 'solo' ? this.#acquireAlone(id) : await this.#acquireShared(id)
      if (acquired !== 'again') return acquired
    }
  }

  async release(id: UploadId): Promise<void> {
    const held = this.#held.get(id)
    this.#held.delete(id)
    if (this.#lost.delete(id)) await this.#buryFormerSelves()
    if (held === undefined || (this.#mode === 'solo' && !held.stored)) return
    await unlessLost(this.commit(['release', id]))
  }

  async heldElsewhere(id: UploadId, preempt: boolean): Promise<boolean> {
    for (;;) {
      await this.#joined
      if (this.#mode === 'solo') return false
      const holder = this.#parts.reader.holder(id)
      if (holder === undefined || holder === this.#name) return false
      if (await this.#buryIfDead(holder)) continue
      if (preempt) await unlessLost(this.commit(['want', id]))
      return true
    }
  }

  mayExtend(writer: string): boolean {
    const lastExpulsion = Math.max(0, ...this.#rows.map((row) => row.expulsion ?? 0))
    return knownExpulsions(writer) >= lastExpulsion
  }

  /** Called when an operation under `name` was refused because its process was expelled. */
  expelled(name: string): void {
    if (name !== this.#name || !this.#isIn()) return
    this.#leaveSolitude('joining')
    this.#formerNames.push(name)
    for (const id of this.#held.keys()) this.#lost.add(id)
    this.#held.clear()
    this.#joined = this.#joinUntilDone()
    this.#joined.catch(() => undefined)
    // Their writers work for nothing: core stops them and releases.
    for (const id of this.#lost) this.#tellWanted(id)
  }

  async close(): Promise<void> {
    if (this.#mode === 'closed') return
    await this.#joined.catch(() => undefined)
    this.#mode = 'closed'
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
    const names = [this.#name, ...this.#formerNames]
    // A store that does not answer must not keep the process from ending: the next one finds us dead.
    await this.#parts.queue.submit(this.#name, ['bury', names]).catch(() => undefined)
  }

  #acquireAlone(id: UploadId): Acquired | 'again' {
    const { reader, cache } = this.#parts
    const known = this.knowsAll ? cache.get(id) : undefined
    const record = known ?? reader.getInGoodStanding(id, this.#name)
    if (record === 'expelled') {
      this.expelled(this.#name)
      return 'again'
    }
    if (known === undefined && record !== undefined) cache.put(record)
    return record === undefined ? { kind: 'missing' } : this.#hold(record, false)
  }

  async #acquireShared(id: UploadId): Promise<Acquired | 'again'> {
    const name = this.#name
    const outcome = await this.commit(['acquire', id]).catch((error: unknown) => {
      if (hasCode(error, 'ERR_LEASE_LOST')) return 'again' as const
      throw error
    })
    if (outcome === 'again') return 'again'
    if (typeof outcome === 'string') return (await this.#buryIfDead(outcome)) ? 'again' : { kind: 'busy' }
    if (outcome === null || typeof outcome === 'boolean') return { kind: 'missing' }
    // What is known of expulsions must be at least as new as the lease, or `mayExtend` would be wrong for it.
    this.#look()
    return name === this.#name && this.#isIn() ? this.#hold(recordOf(outcome), true) : 'again'
  }

  #hold(record: UploadRecord, stored: boolean): Acquired {
    this.#held.set(record.id, { stored, told: false })
    return { kind: 'held', record }
  }

  async #buryIfDead(name: string): Promise<boolean> {
    const row = this.#parts.reader.processes().find(({ writer }) => writer === name)
    if (row === undefined) return true
    if (!this.#heartbeats.isProvenDead(row)) return false
    await unlessLost(this.commit(['bury', [name]]))
    return true
  }

  async #buryFormerSelves(): Promise<void> {
    if (this.#lost.size > 0 || this.#formerNames.length === 0) return
    const names = this.#formerNames
    this.#formerNames = []
    await unlessLost(this.commit(['bury', names]))
  }

  async #join(): Promise<void> {
    const { mode, name } = await join(this.#parts)
    this.#name = name
    this.#acknowledged = true
    this.#rows = this.#parts.reader.processes()
    this.#expulsions = this.#parts.reader.expulsions()
    this.#heartbeats.reset()
    this.#seenVersion = -1
    this.#mode = mode
  }

  /** Coming back may fail for a while (a full disk); until then every operation waits. */
  async #joinUntilDone(): Promise<void> {
    for (;;) {
      try {
        await this.#join()
        void this.#buryFormerSelves().catch(() => undefined)
        return
      } catch (error) {
        if (this.#parts.queue.refuses) throw error
        await new Promise<void>((resolve) => void this.#parts.clock.after(BEAT_MS, resolve))
      }
    }
  }

  #isIn(): boolean {
    return this.#mode === 'solo' || this.#mode === 'shared'
  }

  #watch(): void {
    this.#after(this.#mode === 'shared' ? WATCH_SHARED_MS : WATCH_ALONE_MS, () => {
      if (this.#isIn()) this.#tryToLook()
      this.#watch()
    })
  }

  #tryToLook(): void {
    try {
      this.#look()
    } catch (error) {
      const code = resultCode(error)
      if (code !== RESULT.busy && code !== RESULT.locked) this.#parts.queue.fail(String(error))
    }
  }

  /** Sees what others have changed and answers to it. */
  #look(): void {
    const nowMs = this.#parts.clock.nowMs()
    const version = this.#parts.reader.dataVersion()
    if (version !== this.#seenVersion || !this.#acknowledged) this.#lookAtProcesses(version)
    if (this.#mode === 'solo') this.#lookedAtMs = nowMs
  }

  #lookAtProcesses(version: number): void {
    this.#seenVersion = version
    this.#rows = this.#parts.reader.processes()
    if (!this.#rows.some((row) => row.writer === this.#name && row.expulsion === undefined)) {
      this.expelled(this.#name)
      return
    }
    // Only in good standing: an expelled process must not name files as if it knew of its expulsion.
    this.#expulsions = this.#parts.reader.expulsions()
    if (this.#rows.length > 1) this.#share()
    else if (this.#mode === 'shared' && this.#acknowledged) this.#beAlone()
    if (this.#mode === 'shared') this.#answerWanted()
  }

  /** What is remembered of records may be wrong as soon as others write too. */
  #leaveSolitude(mode: 'shared' | 'joining'): void {
    this.#mode = mode
    this.#lookedAtMs = -Infinity
    this.#parts.cache.clear()
  }

  /** From this moment on every lease is taken in the table; those taken before are written there. */
  #share(): void {
    if (this.#mode === 'shared' && this.#acknowledged) return
    this.#leaveSolitude('shared')
    this.#acknowledged = false
    const ids = [...this.#held.keys()]
    for (const held of this.#held.values()) held.stored = true
    this.commit(['share', ids]).then(
      () => {
        this.#acknowledged = true
      },
      // Tried again at the next look; the newcomer waits.
      () => undefined,
    )
  }

  #beAlone(): void {
    if (this.#leaving) return
    this.#leaving = true
    const name = this.#name
    void unlessLost(this.commit(['alone'])).then(
      (alone) => {
        this.#leaving = false
        if (alone !== true || name !== this.#name || this.#mode !== 'shared') return
        this.#mode = 'solo'
        // Somebody may have come in between and was seen while this was still shared.
        this.#seenVersion = -1
      },
      () => {
        this.#leaving = false
      },
    )
  }

  #answerWanted(): void {
    for (const text of this.#parts.reader.wanted(this.#name)) {
      const id = parseUploadId(text)
      if (id === undefined) continue
      const held = this.#held.get(id)
      if (held === undefined) void unlessLost(this.commit(['release', id])).catch(() => undefined)
      else if (!held.told) {
        held.told = true
        this.#tellWanted(id)
      }
    }
  }

  #tellWanted(id: UploadId): void {
    for (const listener of this.#wantedListeners) listener(id)
  }

  #beat(): void {
    this.#after(BEAT_MS, () => {
      const judged = this.#isIn() && this.#rows.length > 1 ? this.#judgeOthers() : Promise.resolve()
      // The next look is a second after this one has ended: a disk that stalls all must not look like missed beats.
      void judged.catch(() => undefined).then(() => this.#beat())
    })
  }

  async #judgeOthers(): Promise<void> {
    if (this.#mode === 'shared') await this.commit(['beat'])
    const { dead, frozen } = this.#heartbeats.judge(this.#parts.reader.processes(), this.#name)
    if (dead.length > 0) await this.commit(['bury', dead])
    for (const row of frozen) await this.commit(['expel', row.writer, row.beat])
  }

  #after(delayMs: number, callback: () => void): void {
    if (this.#mode === 'closed') return
    const cancel = this.#parts.clock.after(delayMs, () => {
      this.#timers.delete(cancel)
      callback()
    })
    this.#timers.add(cancel)
  }
}

/** The count in a writer's public name; 0 for a name that has none. */
function knownExpulsions(writer: string): number {
  const text = writer.slice(writer.lastIndexOf('.') + 1)
  return /^\d{1,15}$/.test(text) ? Number(text) : 0
}

/** What a process wanted to change about its leases does not matter once they are gone. */
async function unlessLost(change: Promise<Outcome>): Promise<Outcome> {
  try {
    return await change
  } catch (error) {
    if (hasCode(error, 'ERR_LEASE_LOST')) return false
    throw error
  }
}
