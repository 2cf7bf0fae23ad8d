import type { Engine } from '../core/engine.ts'
import type { Swept } from '../core/operations/expire.ts'

const SHORTEST_MS = 1000
const LONGEST_MS = 10 * 60 * 1000

interface ReaperOptions {
  readonly expireAfterMs?: number | undefined
  readonly completeAfterMs?: number | undefined
  readonly onSweep?: ((found: SweepReport) => void) | undefined
  readonly report: (error: unknown) => void
}

/** What was found, by its kind; a kind that was not found is not there. */
export type SweepReport = Readonly<
  Partial<Record<Swept['kind'], { readonly count: number; readonly sizeBytes: number }>>
>

/** Sweeps from time to time. */
export interface Reaper {
  /** All that was found so far. What stays as it is, a dead claim for instance, is found each time. */
  readonly found: SweepReport
  /** Ends it, and waits for a sweep under way. */
  stop(): Promise<void>
}

/**
 * Sweeps from time to time, as long as the process lives for other reasons. The shorter uploads live, the more often it
 * looks.
 */
export function startReaper(engine: Engine, options: ReaperOptions): Reaper {
  const { expireAfterMs, completeAfterMs, report } = options
  const shortestLifeMs = Math.min(expireAfterMs ?? Infinity, completeAfterMs ?? Infinity)
  const intervalMs = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, shortestLifeMs / 4))
  const stopping = new AbortController()
  let sweeping: Promise<void> | undefined
  let found: SweepReport = {}
  const sweep = async (): Promise<void> => {
    let now: SweepReport = {}
    await engine.sweep({
      signal: stopping.signal,
      completeAfterMs,
      onSwept: (swept) => (now = plus(now, swept.kind, 1, swept.sizeBytes)),
    })
    for (const [kind, { count, sizeBytes }] of entriesOf(now)) found = plus(found, kind, count, sizeBytes)
    if (entriesOf(now).length > 0) options.onSweep?.(now)
  }
  const timer = setInterval(() => {
    sweeping ??= sweep()
      .catch(report)
      .finally(() => (sweeping = undefined))
  }, intervalMs)
  timer.unref()
  return {
    get found() {
      return found
    },
    async stop() {
      clearInterval(timer)
      stopping.abort()
      await sweeping
    },
  }
}

function entriesOf(
  report: SweepReport,
): [Swept['kind'], { readonly count: number; readonly sizeBytes: number }][] {
  return Object.entries(report) as ReturnType<typeof entriesOf>
}

function plus(report: SweepReport, kind: Swept['kind'], count: number, sizeBytes: number): SweepReport {
  const before = report[kind] ?? { count: 0, sizeBytes: 0 }
  return {
    ...report,
    [kind]: { count: before.count + count, sizeBytes: before.sizeBytes + sizeBytes },
  }
}
