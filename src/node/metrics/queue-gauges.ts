import type { Queues } from '../../core/ports/catalog.ts'
import type { Clock } from '../../core/ports/clock.ts'
import { fresh } from './fresh.ts'
import { LATE, within } from './deadline.ts'
import type { MetricMaker } from './maker.ts'

/** Entries that are counted at most: the count reads them. */
const MAX_COUNTED = 1000
const MAX_AGE_MS = 5000
const TIMEOUT_MS = 2000

export interface QueueGaugesOptions {
  readonly queues: Pick<Queues, 'list' | 'nextDueMs'>
  /** Names of queues; the operator's, never a client's. */
  readonly names: readonly string[]
  readonly clock: Clock
  readonly report: (error: unknown) => void
}

interface Found {
  readonly queue: string
  readonly waiting: number
  readonly dead: number
  readonly lagSeconds: number
}

/**
 * Gauges of what waits in queues, which are looked up when somebody scrapes, at most every 5 seconds.
 *
 * @returns Brings them up to date. Never rejects: a scrape is worth most when something does not work, so what cannot be
 *   looked up is absent from it.
 */
export function queueGauges(make: MetricMaker, options: QueueGaugesOptions): () => Promise<void> {
  const { clock, report, names, queues } = options
  const entries = make.gauge(
    'carryon_queue_entries',
    `Entries of a queue that wait for delivery, or were given up; ${MAX_COUNTED} means that many or more.`,
    ['queue', 'state'],
  )
  const lag = make.gauge(
    'carryon_queue_lag_seconds',
    'How long the entry of a queue that is due first has been due.',
    ['queue'],
  )
  // Beyond the time limit too: what hangs must not be asked a second time by the next scrape.
  const look = fresh(clock, MAX_AGE_MS, () => lookUp(queues, names, clock))
  return async () => {
    try {
      const found = await within(clock, TIMEOUT_MS, look())
      entries.reset()
      lag.reset()
      if (found === LATE) return
      for (const { queue, waiting, dead, lagSeconds } of found) {
        entries.set({ queue, state: 'waiting' }, waiting)
        entries.set({ queue, state: 'dead' }, dead)
        lag.set({ queue }, lagSeconds)
      }
    } catch (error) {
      entries.reset()
      lag.reset()
      report(error)
    }
  }
}

async function lookUp(
  queues: Pick<Queues, 'list' | 'nextDueMs'>,
  names: readonly string[],
  clock: Clock,
): Promise<readonly Found[]> {
  const found: Found[] = []
  // One after the other: each look runs on the thread that serves requests, which go in between.
  for (const queue of names) {
    const waiting = await queues.list({ queue, isDead: false, limit: MAX_COUNTED })
    const dead = await queues.list({ queue, isDead: true, limit: MAX_COUNTED })
    const dueMs = await queues.nextDueMs(queue)
    const lagSeconds = dueMs === undefined ? 0 : Math.max(0, clock.nowMs() - dueMs) / 1000
    found.push({ queue, waiting: waiting.length, dead: dead.length, lagSeconds })
  }
  return found
}
