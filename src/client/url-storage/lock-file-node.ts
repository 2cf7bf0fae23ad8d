/*
 * A lock is a file that says who holds it. It appears with its content: written under another name, then linked,
 * which fails when the name is taken (as O_EXCL does, but never shows an empty file).
 *
 * Taking over from a dead holder. Two processes may see the same dead holder, and the slower one must not remove the
 * lock of the faster one. So whoever takes over first locks `<lock>.<token of the dead>.taking`, in the same way,
 * looks again, and only then renames its own file over the dead one: under that lock nobody else can, and the dead
 * one cannot. If it dies in between, the next one takes over its `.taking` first. Tokens are used once.
 */
import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import type { Clock } from '../../core/ports/clock.ts'
import { parseIdentity, type Processes, type ProcessIdentity } from './process-node.ts'
import { beating, keepTrying, Silence } from './waiting-node.ts'

export interface LockFileOptions {
  readonly clock: Clock
  readonly processes: Processes
  readonly pollMs: number
  /** Without a sign of life for as long, a holder that cannot be looked at counts as gone. */
  readonly silentMs: number
  readonly signal?: AbortSignal | undefined
  readonly onWait?: (() => void) | undefined
}

export interface HeldLock {
  /** Names this holding and no other. */
  readonly token: string
  /** Token of the dead holder it was taken from. */
  readonly takenFrom: string | undefined
  /** Idempotent. */
  release(): Promise<void>
}

/**
 * Waits for a lock and takes it. Its directory must be there.
 *
 * @throws `signal.reason` when aborted while waiting.
 */
export async function takeLockFile(path: string, options: LockFileOptions): Promise<HeldLock> {
  const contender = new Contender(options)
  await keepTrying(async () => ((await contender.try(path)) ? true : undefined), options)
  const { token, takenFrom } = contender
  const stopBeating = beating(options.clock, () => {
    const now = new Date(options.clock.nowMs())
    utimes(path, now, now).catch(() => undefined)
  })
  let released: Promise<void> | undefined
  return {
    token,
    takenFrom,
    release() {
      stopBeating()
      released ??= removeOwn(path, token)
      return released
    },
  }
}

interface Found {
  readonly token: string
  /** `undefined`: the content was lost with the power, or is being written where files cannot be linked. */
  readonly holder: ProcessIdentity | undefined
  readonly beat: string
}

const UNREADABLE = 'unreadable'

class Contender {
  readonly token: string = randomUUID()
  takenFrom: string | undefined
  readonly #text: string
  readonly #processes: Processes
  readonly #silence: Silence

  constructor({ processes, pollMs, silentMs }: LockFileOptions) {
    this.#processes = processes
    this.#silence = new Silence(silentMs, pollMs)
    this.#text = JSON.stringify({ token: this.token, ...processes.self })
  }

  async try(path: string): Promise<boolean> {
    const found = await look(path)
    if (found === undefined) return this.#create(path)
    return this.#isGone(path, found) && this.#takeOver(path, found)
  }

  #isGone(path: string, { token, holder, beat }: Found): boolean {
    const verdict = holder === undefined ? 'unknown' : this.#processes.judge(holder)
    if (verdict !== 'unknown') return verdict === 'dead'
    return this.#silence.hasLasted(path, `${token} ${beat}`)
  }

  async #create(path: string): Promise<boolean> {
    const claim = claimOf(path, this.token)
    try {
      await writeFile(claim, this.#text, { flag: 'wx', mode: 0o600 })
      await link(claim, path)
      return true
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false
      if (isWithoutLinks(error)) return await this.#createInPlace(path)
      throw error
    } finally {
      await rm(claim, { force: true })
    }
  }

  /** For file systems without links, such as exFAT. */
  async #createInPlace(path: string): Promise<boolean> {
    try {
      await writeFile(path, this.#text, { flag: 'wx', mode: 0o600 })
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false
      throw error
    }
    // Stopped before the content was written, this process may have been taken for dead.
    return (await look(path))?.token === this.token
  }

  async #takeOver(path: string, dead: Found): Promise<boolean> {
    const taking = `${path}.${dead.token}.taking`
    if (!(await this.try(taking))) return false
    const claim = claimOf(path, this.token)
    try {
      if ((await look(path))?.token !== dead.token) return false
      await writeFile(claim, this.#text, { mode: 0o600 })
      await rename(claim, path)
      this.takenFrom = dead.token
      await rm(claimOf(path, dead.token), { force: true })
      return true
    } finally {
      await rm(claim, { force: true })
      await removeOwn(taking, this.token)
    }
  }
}

function claimOf(path: string, token: string): string {
  return `${path}.${token}.claim`
}

/** A holder that was taken for dead must not remove the lock of its successor. */
async function removeOwn(path: string, token: string): Promise<void> {
  if ((await look(path))?.token === token) await rm(path, { force: true })
}

async function look(path: string): Promise<Found | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)])
    return { ...parseHolder(text), beat: String(mtimeMs) }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function parseHolder(text: string): Pick<Found, 'token' | 'holder'> {
  const unreadable = { token: UNREADABLE, holder: undefined }
  try {
    const value: unknown = JSON.parse(text)
    const token: unknown =
      typeof value === 'object' && value !== null && 'token' in value ? value.token : undefined
    // It becomes part of a file name.
    if (typeof token !== 'string' || !/^[0-9a-f-]{36}$/.test(token)) return unreadable
    return { token, holder: parseIdentity(value) }
  } catch {
    return unreadable
  }
}

function isWithoutLinks(error: unknown): boolean {
  return ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(codeOf(error) ?? '')
}

/** The code of an error of the system. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
