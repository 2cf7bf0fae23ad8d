import type { Durability } from './servers.ts'

export type Metric = 'throughput' | 'cpu' | 'wall' | 'memoryMiB' | 'startMs'

/**
 * A goal of the house. `throughput`, `cpu` and `wall` are ratios against the baseline of the same run; the others are
 * absolute.
 */
export interface Goal {
  workload: string
  metric: Metric
  /** For one durability only; without it, for both. */
  durability?: Durability
  bound: 'at-least' | 'at-most'
  value: number
}

function faster(workload: string, value: number, durability?: Durability): Goal {
  const goal = { workload, metric: 'throughput', bound: 'at-least', value } as const
  return durability === undefined ? goal : { ...goal, durability }
}

function atMost(workload: string, metric: Metric, value: number, durability?: Durability): Goal {
  const goal = { workload, metric, bound: 'at-most', value } as const
  return durability === undefined ? goal : { ...goal, durability }
}

/** What the server is to reach against @tus/server, which never syncs. */
export const goals: readonly Goal[] = [
  faster('patch-1gib', 1.5, 'power'),
  faster('patch-1gib', 1.8, 'process'),
  atMost('patch-1gib', 'cpu', 0.6, 'power'),
  faster('patch-1mib', 2.3, 'power'),
  faster('patch-1mib', 4, 'process'),
  atMost('patch-1mib', 'cpu', 0.3, 'power'),
  faster('small-post-patch', 2, 'power'),
  faster('small-post-patch', 3, 'process'),
  atMost('small-post-patch', 'cpu', 0.55, 'power'),
  faster('creates', 1.8, 'power'),
  faster('creates', 2.5, 'process'),
  faster('head-1', 5),
  faster('head-32', 5),
  faster('concurrent', 2, 'power'),
  atMost('slow', 'memoryMiB', 150),
  atMost('sha256', 'wall', 1.75),
  faster('get', 2),
  atMost('start', 'startMs', 250),
]
