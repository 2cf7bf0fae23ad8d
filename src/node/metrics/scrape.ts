import { CLAIMS_QUEUE } from '../../core/ports/catalog.ts'
import type { Queues } from '../../core/ports/catalog.ts'
import type { Clock } from '../../core/ports/clock.ts'
import type { MetricsLibrary, MetricsRegistry } from './library.ts'
import { MetricMaker } from './maker.ts'
import { ownNames } from './own-names.ts'
import { queueGauges } from './queue-gauges.ts'
import type { Recorder } from './recorder.ts'
import { together } from './recorder.ts'
import { tusdNames } from './tusd-names.ts'

/** Bytes that running uploads hold in memory, and may hold. */
interface MemoryUse {
  readonly usedBytes: number
  readonly totalBytes: number
}

export interface MetricsOptions {
  /** `import * as promClient from 'prom-client'`. */
  readonly library: MetricsLibrary
  /** @default '/metrics' */
  readonly path?: string | undefined
  /** `tusd`: the names of tusd beside our own. @default 'own' */
  readonly names?: 'own' | 'tusd' | undefined
  /** An application's own registry. @default a new one, with the process's metrics: event-loop lag, memory, … */
  readonly registry?: MetricsRegistry | undefined
  /** Names of queues to tell the lengths of: that of the claims, and one of each sink. @default ['claims'] */
  readonly queues?: readonly string[] | undefined
  /** What the memory budget of uploads is at. @default not told */
  readonly memory?: (() => MemoryUse) | undefined
}

export interface Parts {
  readonly queues: Queues
  readonly clock: Clock
  readonly report: (error: unknown) => void
}

/** Metrics and the text of a scrape. */
export interface Scrape {
  readonly recorder: Recorder
  readonly contentType: string
  /** Whoever scrapes while a scrape is made gets the same one. */
  text(): Promise<string>
  close(): void
}

export function scrape(options: MetricsOptions, { queues, clock, report }: Parts): Scrape {
  const { library } = options
  const registry = options.registry ?? new library.Registry()
  const make = new MetricMaker(library, registry)
  const { recorder, refresh } = made(make, options, { queues, clock, report })
  // An application that has a registry has these in it already, and prom-client refuses the second time.
  if (options.registry === undefined) library.collectDefaultMetrics({ register: registry })
  let making: Promise<string> | undefined
  return {
    recorder,
    contentType: registry.contentType,
    text() {
      making ??= gathered().finally(() => (making = undefined))
      return making
    },
    close: () => make.removeAll(),
  }

  async function gathered(): Promise<string> {
    await refresh()
    return registry.metrics()
  }
}

interface Made {
  readonly recorder: Recorder
  /** Brings up to date what is only looked up for a scrape. */
  readonly refresh: () => Promise<void>
}

function made(make: MetricMaker, options: MetricsOptions, parts: Parts): Made {
  try {
    const recorder = together([ownNames(make), ...(options.names === 'tusd' ? [tusdNames(make)] : [])])
    const names = [...new Set(options.queues ?? [CLAIMS_QUEUE])]
    const refreshQueues = queueGauges(make, { ...parts, names })
    const refreshMemory = memoryGauges(make, options.memory)
    return {
      recorder,
      refresh() {
        refreshMemory()
        return refreshQueues()
      },
    }
  } catch (error) {
    // A name is taken in the application's registry: it keeps nothing of ours.
    make.removeAll()
    throw error
  }
}

function memoryGauges(make: MetricMaker, memory: (() => MemoryUse) | undefined): () => void {
  if (memory === undefined) return () => undefined
  const used = make.gauge('carryon_memory_used_bytes', 'Bytes that running uploads hold in memory.')
  const total = make.gauge('carryon_memory_budget_bytes', 'Bytes that they may hold together.')
  return () => {
    const { usedBytes, totalBytes } = memory()
    used.set(usedBytes)
    total.set(totalBytes)
  }
}
