import type { ServerKind } from './servers.ts'
import type { Workload } from './workloads/workload.ts'

/** One measurement. What could not be measured is absent. */
export interface Sample {
  wallMs: number
  operations: number
  bytes: number
  cpuMs?: number | undefined
  peakMemoryBytes?: number | undefined
}

/** A server in a workload, in one of its variants if it has any. */
export interface Entrant {
  server: ServerKind
  variant?: string | undefined
}

export interface EntrantResult {
  entrant: Entrant
  samples: Sample[]
  /** `undefined`: not counted. */
  syncsPerOperation?: number | undefined
  /** What was stored was read back and is what was sent. */
  verified: boolean
  failure?: string | undefined
}

export interface WorkloadResult {
  workload: Workload
  entrants: EntrantResult[]
}
