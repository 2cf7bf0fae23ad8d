import type { Clock } from '../core/ports/clock.ts'
import type { QueueEntry, Queues } from '../core/ports/catalog.ts'
import { systemClock } from '../core/system-clock.ts'
import type { UploadId } from '../core/upload-id.ts'
import { Delivery } from './delivery.ts'
import type { Outcome } from './delivery.ts'
import { queueOf } from './event-sink.ts'
import { backoff, checkTime } from './tries.ts'
import type { HookTransport } from './ports/transport.ts'

export interface DelivererOptions {
  readonly queues: Queues
  readonly transport: HookTransport
  /** @default the queue of `eventSinkOf(transport)` */
  readonly queue?: string | undefined
  /**
   * Deliveries at once, each of another upload.
   *
   * @default 8
   */
  readonly concurrency?: number | undefined
  /**
   * Deliveries of an event before it is given up and waits for somebody to replay it.
   *
   * @default 12
   */
  readonly maxAttempts?: number | undefined
  /**
   * Pause behind the first failure; doubled for each that follows, up to `maxBackoffMs`, and shortened by up to a half
   * at random.
   *
   * @default 1000
   */
  readonly backoffMs?: number | undefined
  /** @default 600_000 */
  readonly maxBackoffMs?: number | undefined
  /**
   * Time for one delivery, for a transport that does not bound it itself.
   *
   * @default 300_000
   */
  readonly timeoutMs?: number | undefined
  /**
   * How long an event stays ours without a word from us. Renewed while its delivery goes on: this is the time after
   * which another process tries when this one was killed.
   *
   * @default 30_000
   */
  readonly leaseMs?: number | undefined
  /**
   * How often the queue is looked at for what other processes have put there.
   *
   * @default 500
   */
  readonly idleMs?: number | undefined
  /** @default the clock of the machine */
  readonly clock?: Clock | undefined
  /** A number from 0 up to 1. @default Math.random */
  readonly random?: (() => number) | undefined
  /** Hears of every failed delivery, and of every trouble with the queue. */
  readonly report?: ((error: unknown, id?: UploadId) => void) | undefined
}

type Settings = Required<{ [K in keyof DelivererOptions]: NonNullable<DelivererOptions[K]> }>

const DEFAULT_GRACE_MS = 10_000

/**
 * Delivers the events of a queue, each at least once and those of one upload in their order, whoever has written them
 * and however often processes end in between.
 *
 * An event is done when the transport says so. After a failure it comes again, later and later; after `maxAttempts`, or
 * when the receiver has said that it is gone for good, it is given up: it stays in the queue until it is replayed, and
 * what came after it is delivered. Its id and its sequence are the same in each attempt.
 *
 * @throws {RangeError} for a number that makes no sense.
 */
export function startDelivery(options: DelivererOptions): Deliverer {
  return new Deliverer(options)
}

/** Delivers until it is closed. Made by {@link startDelivery}. */
export class Deliverer {
  readonly #settings: Settings
  readonly #running = new Map<Delivery, Promise<void>>()
  #isLooking = false
  #looksAgain = false
  #cancelLook = (): void => undefined
  #look: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(options: DelivererOptions) {
    this.#settings = settingsOf(options)
    this.wake()
  }

  /** Looks at the queue now: this process has put something there. Costs nothing when it does so already. */
  wake(): void {
    if (this.#closing !== undefined) return
    if (this.#isLooking) {
      this.#looksAgain = true
      return
    }
    this.#cancelLook()
    this.#isLooking = true
    this.#look = this.#lookAround()
  }

  /**
   * Takes nothing more and waits for what is under way. What has not ended in time goes back to the queue for anybody to
   * take at once; its receiver may have got it.
   *
   * @param options.graceMs - How long to wait, 10 s where nothing is said.
   */
  close(options: { readonly graceMs?: number | undefined } = {}): Promise<void> {
    this.#closing ??= this.#close(options.graceMs ?? DEFAULT_GRACE_MS)
    return this.#closing
  }

  async #lookAround(): Promise<void> {
    let waitMs: number
    do {
      this.#looksAgain = false
      waitMs = await this.#takeDue()
    } while ((this.#looksAgain || waitMs === 0) && this.#closing === undefined)
    this.#isLooking = false
    if (this.#closing === undefined) {
      this.#cancelLook = this.#settings.clock.after(waitMs, () => this.wake())
    }
  }

  /** @returns When to look again; 0: at once. */
  async #takeDue(): Promise<number> {
    const { queues, queue, clock, concurrency, leaseMs, idleMs, report } = this.#settings
    const limit = concurrency - this.#running.size
    if (limit <= 0) return idleMs
    try {
      // A look is cheap, taking writes.
      const dueMs = await queues.nextDueMs(queue)
      const nowMs = clock.nowMs()
      if (this.#closing !== undefined || dueMs === undefined) return idleMs
      if (dueMs > nowMs) return Math.min(dueMs - nowMs, idleMs)
      const entries = await queues.take(queue, { limit, nowMs, leaseMs })
      for (const entry of entries) this.#start(entry)
      // Nothing: somebody was faster, or what is due waits for one of ours.
      return entries.length === 0 ? idleMs : 0
    } catch (error) {
      report(error)
      return idleMs
    }
  }

  #start(entry: QueueEntry): void {
    const { queues, transport, clock, leaseMs, timeoutMs, report } = this.#settings
    const delivery = new Delivery({ queues, transport, clock, leaseMs, timeoutMs, report }, entry)
    const running = this.#deliver(delivery, entry)
      .catch((error: unknown) => report(error, entry.uploadId))
      .finally(() => {
        this.#running.delete(delivery)
        // Its upload may have another one waiting.
        this.wake()
      })
    this.#running.set(delivery, running)
  }

  async #deliver(delivery: Delivery, entry: QueueEntry): Promise<void> {
    const { queues, clock, report } = this.#settings
    const outcome = await delivery.run()
    switch (outcome.kind) {
      case 'delivered':
        // False: somebody else has it, and delivers it again.
        await queues.done(entry)
        return
      case 'failed':
        return this.#giveBack(entry, outcome)
      case 'interrupted':
        await queues.release(entry, {
          dueAtMs: clock.nowMs(),
          isDead: false,
          error: 'interrupted by a shutdown',
        })
        return
      case 'lost':
        report(new Error(`${nameOf(entry)} was taken by another process during its delivery`), entry.uploadId)
        return
    }
  }

  async #giveBack(entry: QueueEntry, { error }: Extract<Outcome, { kind: 'failed' }>): Promise<void> {
    const { queues, clock, report, maxAttempts, backoffMs, maxBackoffMs, random } = this.#settings
    const isDead = entry.attempts >= maxAttempts || error.retry === 'never'
    const ownMs = backoff(entry.attempts, backoffMs, maxBackoffMs, random)
    const pauseMs = Math.max(ownMs, Math.min(error.retryAfterMs ?? 0, maxBackoffMs))
    const dueAtMs = clock.nowMs() + pauseMs
    const isOurs = await queues.release(entry, { dueAtMs, isDead, error: error.message })
    if (!isOurs) return
    const next = isDead ? 'it is given up until it is replayed' : `again in ${Math.ceil(pauseMs / 1000)} s`
    const count = `attempt ${entry.attempts} of ${maxAttempts}`
    report(
      new Error(`${nameOf(entry)} was not delivered (${count}): ${next}`, { cause: error }),
      entry.uploadId,
    )
  }

  async #close(graceMs: number): Promise<void> {
    this.#cancelLook()
    let cancel = (): void => undefined
    const late = new Promise<void>((resolve) => {
      cancel = this.#settings.clock.after(graceMs, resolve)
    })
    // What is being taken now is ours too.
    const ended = this.#look.then(() => Promise.all(this.#running.values()))
    await Promise.race([ended, late])
    cancel()
    for (const delivery of this.#running.keys()) delivery.interrupt()
    await ended
  }
}

function nameOf({ type, uploadId, sequence }: QueueEntry): string {
  return `The event ${type} of ${uploadId} (number ${sequence})`
}

function settingsOf(options: DelivererOptions): Settings {
  const settings = {
    queues: options.queues,
    transport: options.transport,
    queue: options.queue ?? queueOf(options.transport),
    concurrency: options.concurrency ?? 8,
    maxAttempts: options.maxAttempts ?? 12,
    backoffMs: options.backoffMs ?? 1000,
    maxBackoffMs: options.maxBackoffMs ?? 600_000,
    timeoutMs: options.timeoutMs ?? 300_000,
    leaseMs: options.leaseMs ?? 30_000,
    idleMs: options.idleMs ?? 500,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    report: options.report ?? (() => undefined),
  }
  for (const name of ['concurrency', 'maxAttempts'] as const) {
    if (!Number.isSafeInteger(settings[name]) || settings[name] < 1) {
      throw new RangeError(`${name} must be 1 or more`)
    }
  }
  for (const name of ['backoffMs', 'maxBackoffMs', 'timeoutMs', 'leaseMs', 'idleMs'] as const) {
    checkTime(name, settings[name], 1)
  }
  return settings
}
