import { performance } from 'node:perf_hooks'
import type { Capability } from '../servers.ts'

export const KiB = 1024
export const MiB: number = 1024 * KiB
export const GiB: number = 1024 * MiB

/** How large a run is: measured in full, a quick look, before the measurement (0: nothing), under a tracer. */
type Size = 'full' | 'quick' | 'warm' | 'traced'

export interface Context {
  target: { port: number; path: string }
  /** Bytes or a count; each workload says which. */
  amount: number
  variant: string | undefined
}

export interface Load {
  operations: number
  bytes: number
  wallMs: number
}

/** A prepared workload: `run` holds the timed part, `verify` checks afterwards what the server stored. */
export interface Session {
  run(): Promise<Load>
  verify(): Promise<void>
}

interface WorkloadBase {
  readonly name: string
  readonly title: string
  readonly needs: readonly Capability[]
}

export interface LoadWorkload extends WorkloadBase {
  readonly kind: 'load'
  /** What throughput counts. */
  readonly unit: 'bytes' | 'operations'
  /** What the count of syncs is divided by. */
  readonly operation: string
  readonly amounts: Readonly<Record<Size, number>>
  /** Bytes that will lie in the page cache, at most. */
  readonly bytes: (amount: number) => number
  /** Measured against each other on each server that can; the first one is the baseline. */
  readonly variants?: readonly [string, string]
  readonly prepare: (context: Context) => Promise<Session>
}

/** Start to first answer: needs no load. */
interface StartWorkload extends WorkloadBase {
  readonly kind: 'start'
}

export type Workload = LoadWorkload | StartWorkload

/** Times `task`, and nothing that went before it. */
export async function timed(
  count: { operations: number; bytes: number },
  task: () => Promise<void>,
): Promise<Load> {
  const started = performance.now()
  await task()
  return { ...count, wallMs: performance.now() - started }
}

/** Up to `most` indices below `count`, evenly spread, the last one included. */
export function someOf(count: number, most: number): number[] {
  const step = Math.max(1, Math.floor(count / most))
  const chosen = Array.from({ length: Math.min(most, count) }, (_, index) => index * step)
  return chosen.includes(count - 1) ? chosen : [...chosen, count - 1]
}
