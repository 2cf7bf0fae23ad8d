import type { Engine } from '../../core/engine.ts'
import { hasCode } from '../../core/errors.ts'
import type { Durability } from '../../core/upload.ts'
import { Bell } from './bell.ts'
import { HeldClaim } from './claim.ts'
import { Folders } from './files.ts'
import { KeepAlive } from './keep-alive.ts'
import { ClaimLease } from './lease.ts'
import { clearLeftover } from './save.ts'
import type { Claim, ClaimsOptions, DeadClaim } from './types.ts'

const SHORTEST_LEASE_MS = 100

export interface ClaimQueueOptions {
  readonly durability: Durability
  readonly report: (error: unknown) => void
}

interface Terms {
  readonly leaseMs: number
  readonly maxAttempts: number
  readonly autoExtend: boolean
  readonly pollMs: number
}

/** Hands complete uploads to whoever asks in this process, and waits for more. */
export class ClaimQueue {
  readonly #engine: Engine
  readonly #options: ClaimQueueOptions
  readonly #bell: Bell
  readonly #folders: Folders
  readonly #alive = new KeepAlive()
  readonly #open = new Set<HeldClaim>()
  /** Those who are waiting, or about to get one. */
  readonly #asking = new Set<Promise<HeldClaim | undefined>>()
  #enabled: Promise<void> | undefined
  #closing = false

  constructor(engine: Engine, options: ClaimQueueOptions) {
    this.#engine = engine
    this.#options = options
    this.#folders = new Folders(options.durability === 'power')
    this.#bell = new Bell(engine.claims.clock, (ring) =>
      engine.observe(({ type }) => {
        if (type === 'post-finish') ring()
      }),
    )
  }

  /** @returns `undefined` when the waiting ended before there was one. */
  async claim(options: ClaimsOptions): Promise<Claim | undefined> {
    return this.#next(checked(options), options)
  }

  async *claims(options: ClaimsOptions): AsyncGenerator<Claim, void, undefined> {
    const terms = checked(options)
    for (;;) {
      const claim = await this.#next(terms, options)
      if (claim === undefined) return
      try {
        yield claim
      } finally {
        // Here it is not to be seen whether the loop goes on, was left, or failed.
        await claim.leave('The loop went on, or ended, without done() or release().')
      }
    }
  }

  async deadClaims(limit: number): Promise<readonly DeadClaim[]> {
    const { claims } = this.#engine
    const entries = await claims.listDead(limit, undefined)
    return entries.map(({ uploadId, attempts, lastError, sequence }) => ({
      id: uploadId,
      attempts,
      lastError,
      replay: async () => void (await claims.replay([sequence])),
    }))
  }

  /** Hands out nothing more, waits for the claims that are open, then gives back what still is. */
  async close(waitMs: number): Promise<void> {
    this.#closing = true
    this.#bell.ring()
    await Promise.allSettled(this.#asking)
    const deadlineMs = this.#nowMs() + waitMs
    while (this.#open.size > 0 && this.#nowMs() < deadlineMs) {
      const heard = this.#bell.count
      await this.#bell.wait({ heard, untilMs: deadlineMs, signal: undefined })
    }
    await Promise.all([...this.#open].map((claim) => claim.giveBack()))
  }

  async #next(terms: Terms, options: ClaimsOptions): Promise<HeldClaim | undefined> {
    const asking = this.#alive.during(() => this.#ask(terms, options))
    this.#asking.add(asking)
    try {
      return await asking
    } finally {
      this.#asking.delete(asking)
    }
  }

  #ask(terms: Terms, { timeoutMs, signal }: ClaimsOptions): Promise<HeldClaim | undefined> {
    const deadlineMs = timeoutMs === undefined ? Infinity : this.#nowMs() + timeoutMs
    return this.#bell.listening(async () => {
      if (!this.#closing) await this.#enable()
      for (;;) {
        const heard = this.#bell.count
        if (this.#closing || signal?.aborted === true) return undefined
        const dueMs = (await this.#engine.claims.nextDueMs()) ?? Infinity
        const claim = dueMs <= this.#nowMs() ? await this.#take(terms) : undefined
        if (claim !== undefined) return claim
        if (this.#nowMs() >= deadlineMs) return undefined
        const pollMs = this.#nowMs() + terms.pollMs
        // One that is due by now was taken by somebody else.
        const untilMs = Math.min(deadlineMs, pollMs, dueMs > this.#nowMs() ? dueMs : pollMs)
        await this.#bell.wait({ heard, untilMs, signal })
      }
    })
  }

  #enable(): Promise<void> {
    this.#enabled ??= this.#engine.claims.enable().catch((error: unknown) => {
      this.#enabled = undefined
      throw error
    })
    return this.#enabled
  }

  async #take(terms: Terms): Promise<HeldClaim | undefined> {
    const desk = this.#engine.claims
    const { leaseMs, maxAttempts } = terms
    const [taken] = await desk.take({
      limit: 1,
      leaseMs,
      maxAttempts,
      clear: async ({ id }, leftovers) => {
        for (const path of leftovers) await clearLeftover(id, path)
      },
    })
    if (taken === undefined) return undefined
    const { report } = this.#options
    const onEnd = (): void => {
      this.#open.delete(claim)
      if (this.#closing) this.#bell.ring()
    }
    const lease = new ClaimLease({ desk, ...terms, report, onEnd }, taken)
    const claim = new HeldClaim(taken.record, {
      engine: this.#engine,
      lease,
      alive: this.#alive,
      folders: this.#folders,
      ...this.#options,
      ...terms,
    })
    this.#open.add(claim)
    return (await isStillHeld(lease)) ? claim : undefined
  }

  #nowMs(): number {
    return this.#engine.claims.clock.nowMs()
  }
}

/** A busy disk can keep a change waiting for so long that most of the lease has passed when it is known. */
async function isStillHeld(lease: ClaimLease): Promise<boolean> {
  try {
    await lease.assure()
    return true
  } catch (error) {
    if (lease.isOpen) await lease.giveBack().catch(() => undefined)
    if (hasCode(error, 'ERR_LEASE_LOST')) return false
    throw error
  }
}

/** @throws {RangeError} for a number that makes no sense. */
function checked({
  leaseMs = 60_000,
  maxAttempts = 5,
  autoExtend = true,
  pollMs = 200,
  timeoutMs = 0,
}: ClaimsOptions): Terms {
  if (!(Number.isFinite(leaseMs) && leaseMs >= SHORTEST_LEASE_MS))
    throw new RangeError(`leaseMs must be at least ${SHORTEST_LEASE_MS}`)
  if (!(Number.isSafeInteger(maxAttempts) && maxAttempts > 0))
    throw new RangeError('maxAttempts must be a positive integer')
  if (!(Number.isFinite(pollMs) && pollMs > 0)) throw new RangeError('pollMs must be a positive number')
  if (!(timeoutMs >= 0)) throw new RangeError('timeoutMs must not be negative')
  return { leaseMs, maxAttempts, autoExtend, pollMs }
}
