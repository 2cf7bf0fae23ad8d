import { randomUUID } from 'node:crypto'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Clock } from '../../core/ports/clock.ts'
import { systemClock } from '../../core/system-clock.ts'
import type { LockOptions, StoredUpload, UrlStorage } from '../ports/url-storage.ts'
import { type Kept, shown, sift, type Sifted } from './entry.ts'
import { parseIdentity, type Processes, systemProcesses } from './process-node.ts'
import { type Database, loadSqlite, rememberingStatements } from './sqlite-node.ts'
import { beating, keepTrying, Silence, SILENT_MS, waitingOf } from './waiting-node.ts'

export interface SqliteUrlStorageOptions {
  /** @default the system's clock */
  readonly clock?: Clock
  /** @default the processes of this machine */
  readonly processes?: Processes
}

const BUSY_TIMEOUT_MS = 5000
const POLL_MS = 200
/** Two processes that make the file at once: only one can switch it to a write-ahead log. */
const OPENING = { pollMs: 20, attempts: 250 }

/** A database that is collected while statements of it live crashes the process: none is before it was closed. */
const openDatabases = new Set<Database>()

const SCHEMA = `
CREATE TABLE IF NOT EXISTS uploads (key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, entry TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_fingerprint ON uploads (fingerprint);
CREATE TABLE IF NOT EXISTS rights (name TEXT PRIMARY KEY, token TEXT NOT NULL, holder TEXT NOT NULL, beat INTEGER NOT NULL);
`

/**
 * Remembers uploads in a SQLite database, which any number of processes may share: for thousands of entries, where
 * `fileUrlStorage` would write all of them again for each change.
 *
 * It is opened at the first call, and what cannot be opened rejects.
 *
 * @param path - Made when it is missing, its directory too, readable by the user alone.
 */
export function sqliteUrlStorage(path: string, options: SqliteUrlStorageOptions = {}): UrlStorage {
  return new SqliteUrlStorage(resolve(path), options)
}

class SqliteUrlStorage implements UrlStorage {
  readonly #path: string
  readonly #clock: Clock
  readonly #processes: Processes
  readonly #held = new Set<() => Promise<void>>()
  #opened: Promise<Database> | undefined
  #isClosed = false

  constructor(path: string, { clock = systemClock, processes = systemProcesses() }: SqliteUrlStorageOptions) {
    this.#path = path
    this.#clock = clock
    this.#processes = processes
  }

  async find(fingerprint: string): Promise<readonly StoredUpload[]> {
    const rows = (await this.#open())
      .prepare('SELECT entry FROM uploads WHERE fingerprint = ?')
      .all(exact(fingerprint))
    return shown(await this.#sift(rows), fingerprint)
  }

  async list(): Promise<readonly StoredUpload[]> {
    return shown(await this.#sift((await this.#open()).prepare('SELECT entry FROM uploads').all()))
  }

  async put(entry: StoredUpload): Promise<void> {
    const kept: Kept = { ...entry, usedAtMs: this.#clock.nowMs() }
    const text = JSON.stringify(kept)
    const database = await this.#open()
    database
      .prepare('REPLACE INTO uploads (key, fingerprint, entry) VALUES (?, ?, ?)')
      .run(exact(entry.key), exact(entry.fingerprint), text)
  }

  async remove(key: string): Promise<void> {
    const database = await this.#open()
    database.prepare('DELETE FROM uploads WHERE key = ?').run(exact(key))
  }

  async lock(name: string, options: LockOptions): Promise<() => Promise<void>> {
    options.signal.throwIfAborted()
    const database = await this.#open()
    const token = randomUUID()
    const silence = new Silence(SILENT_MS, POLL_MS)
    const waiting = { clock: this.#clock, pollMs: POLL_MS, ...waitingOf(options) }
    await keepTrying(
      () => (this.#take(database, { name: exact(name), token, silence }) ? true : undefined),
      waiting,
    )
    return this.#holding(database, exact(name), token)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const release of this.#held) await release()
    const opened = this.#opened
    this.#opened = undefined
    await opened?.then(close, () => undefined)
  }

  /** One attempt. The statements say themselves whose right it was: between them another process may have been faster. */
  #take(database: Database, { name, token, silence }: Claim): boolean {
    const holder = JSON.stringify(this.#processes.self)
    const created = database
      .prepare('INSERT INTO rights VALUES (?, ?, ?, 0) ON CONFLICT (name) DO NOTHING')
      .run(name, token, holder)
    if (isOne(created)) return true
    const [row] = database.prepare('SELECT token, holder, beat FROM rights WHERE name = ?').all(name)
    const { token: before, holder: who, beat } = (row ?? {}) as Record<string, unknown>
    if (typeof before !== 'string' || typeof beat !== 'number') return false
    const identity = parseIdentity(parse(who))
    const verdict = identity === undefined ? 'unknown' : this.#processes.judge(identity)
    const isGone = verdict === 'unknown' ? silence.hasLasted(name, `${before} ${beat}`) : verdict === 'dead'
    if (!isGone) return false
    const taken = database
      .prepare('UPDATE rights SET token = ?, holder = ?, beat = 0 WHERE name = ? AND token = ? AND beat = ?')
      .run(token, holder, name, before, beat)
    return isOne(taken)
  }

  #holding(database: Database, name: string, token: string): () => Promise<void> {
    const stopBeating = beating(this.#clock, () => {
      try {
        database.prepare('UPDATE rights SET beat = beat + 1 WHERE name = ? AND token = ?').run(name, token)
      } catch {
        // Busy for seconds: the next beat is soon enough.
      }
    })
    const release = async (): Promise<void> => {
      stopBeating()
      if (!this.#held.delete(release)) return
      database.prepare('DELETE FROM rights WHERE name = ? AND token = ?').run(name, token)
    }
    this.#held.add(release)
    return release
  }

  async #sift(rows: readonly unknown[]): Promise<Sifted> {
    const values = rows.map((row) => parse((row as { entry?: unknown }).entry))
    const all = sift(values, { nowMs: this.#clock.nowMs() })
    for (const key of all.dropped) await this.remove(key)
    return all
  }

  #open(): Promise<Database> {
    if (this.#isClosed) return Promise.reject(new Error(`the storage ${this.#path} is closed`))
    this.#opened ??= this.#connect().catch((error: unknown) => {
      // A full disk today, perhaps not tomorrow.
      this.#opened = undefined
      throw error
    })
    return this.#opened
  }

  async #connect(): Promise<Database> {
    const openDatabase = await loadSqlite()
    ensureFile(this.#path)
    let attempts = 0
    return keepTrying(
      () => {
        attempts += 1
        const database = rememberingStatements(openDatabase(this.#path))
        openDatabases.add(database)
        try {
          // NORMAL: a power cut may cost the last entries, never the file.
          database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
          database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
          database.exec(SCHEMA)
          return database
        } catch (error) {
          close(database)
          if (attempts < OPENING.attempts && String(error).includes('locked')) return undefined
          throw error
        }
      },
      { clock: this.#clock, pollMs: OPENING.pollMs },
    )
  }
}

interface Claim {
  readonly name: string
  readonly token: string
  readonly silence: Silence
}

function close(database: Database): void {
  openDatabases.delete(database)
  database.close()
}

/** Any string as one that SQLite keeps as it is: NUL and lone surrogates are escaped. */
function exact(text: string): string {
  return JSON.stringify(text)
}

function isOne({ changes }: { readonly changes: number | bigint }): boolean {
  return Number(changes) === 1
}

function parse(text: unknown): unknown {
  try {
    return JSON.parse(String(text))
  } catch {
    return undefined
  }
}

/** SQLite gives its log the permissions of the file. */
function ensureFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}
