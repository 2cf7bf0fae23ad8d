import { join } from 'node:path'
import type { Workspace } from './disk.ts'
import type { Generator } from './generator/client.ts'
import { launch } from './launch.ts'
import { cpuTimeMs, memoryBytes, peakMemoryBytes, resetPeakMemory } from './measure.ts'
import type { Entrant, EntrantResult, Sample, WorkloadResult } from './sample.ts'
import type { ServerKind } from './servers.ts'
import { countSyncs, syncTracer } from './syncs.ts'
import type { LoadWorkload, Workload } from './workloads/workload.ts'

export interface Runner {
  workspace: Workspace
  generator: Generator
  rounds: number
  quick: boolean
  countSyncs: boolean
  log: (line: string) => void
}

interface LoadTask {
  workload: LoadWorkload
  entrant: Entrant
  verify: boolean
}

function shuffled<T>(items: readonly T[]): T[] {
  const keyed = items.map((item) => ({ item, key: Math.random() }))
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item)
}

function entrantsOf(workload: Workload, servers: readonly ServerKind[]): Entrant[] {
  const able = servers.filter((each) => workload.needs.every((need) => each.capabilities.includes(need)))
  const variants = workload.kind === 'load' ? workload.variants : undefined
  if (variants === undefined) return able.map((server) => ({ server }))
  return able.flatMap((server) => variants.map((variant) => ({ server, variant })))
}

/** Name of an entrant in logs and reports. */
export function entrantName({ server, variant }: Entrant): string {
  return variant === undefined ? server.name : `${server.name} (${variant})`
}

async function measureStart(runner: Runner, { server: kind }: Entrant): Promise<Sample> {
  const directory = runner.workspace.fresh(kind.name)
  const server = await launch({ kind, directory, log: join(directory, 'log') })
  try {
    await server.settle()
    const cpuMs = cpuTimeMs(server.pid)
    return {
      wallMs: server.startMs,
      operations: 1,
      bytes: 0,
      cpuMs,
      peakMemoryBytes: memoryBytes(server.pid),
    }
  } finally {
    await server.stop()
  }
}

async function measureLoad(runner: Runner, { workload, entrant, verify }: LoadTask): Promise<Sample> {
  const { workspace, generator } = runner
  const { server: kind, variant } = entrant
  const amount = workload.amounts[runner.quick ? 'quick' : 'full']
  const directory = workspace.fresh(`${workload.name}-${kind.name}`)
  const server = await launch({ kind, directory, log: join(directory, 'log') })
  const base = { workload: workload.name, variant, port: server.port }
  try {
    // The same load, smaller: a new process would otherwise be measured while it compiles.
    if (workload.amounts.warm > 0) {
      await generator.prepare({ ...base, amount: workload.amounts.warm })
      await generator.run()
    }
    workspace.warmPageCache(workload.bytes(amount))
    await generator.prepare({ ...base, amount })
    await server.settle()
    const peakIsReset = resetPeakMemory(server.pid)
    const cpuBefore = cpuTimeMs(server.pid)
    const load = await generator.run()
    await server.settle()
    const cpuAfter = cpuTimeMs(server.pid)
    const sample: Sample = {
      ...load,
      cpuMs: cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore,
      peakMemoryBytes: peakIsReset ? peakMemoryBytes(server.pid) : undefined,
    }
    if (verify) await generator.verify()
    return sample
  } finally {
    await server.stop()
    workspace.empty(directory)
  }
}

async function measureSyncs(runner: Runner, workload: LoadWorkload, entrant: Entrant): Promise<number> {
  const { workspace, generator } = runner
  const { server: kind, variant } = entrant
  const { quick, traced } = workload.amounts
  const amount = runner.quick ? Math.min(quick, traced) : traced
  const directory = workspace.fresh(`syncs-${workload.name}-${kind.name}`)
  const trace = join(directory, 'trace')
  const server = await launch({ kind, directory, log: join(directory, 'log'), prefix: syncTracer(trace) })
  try {
    await generator.prepare({ workload: workload.name, variant, port: server.port, amount })
    await server.settle()
    const before = countSyncs(trace)
    const load = await generator.run()
    await server.settle()
    return (countSyncs(trace) - before) / load.operations
  } finally {
    await server.stop()
    workspace.empty(directory)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function takeSample(runner: Runner, workload: Workload, result: EntrantResult): Promise<void> {
  const { entrant } = result
  try {
    if (workload.kind === 'start') {
      result.samples.push(await measureStart(runner, entrant))
      return
    }
    const verify = !result.verified && entrant.server.capabilities.includes('store')
    result.samples.push(await measureLoad(runner, { workload, entrant, verify }))
    result.verified ||= verify
  } catch (error) {
    // One server's failure must not cost the measurements of the others.
    result.failure = messageOf(error)
    runner.log(`  ${entrantName(entrant)} FAILED: ${result.failure}`)
  }
}

async function addSyncs(runner: Runner, workload: LoadWorkload, result: EntrantResult): Promise<void> {
  try {
    result.syncsPerOperation = await measureSyncs(runner, workload, result.entrant)
  } catch (error) {
    runner.log(`  ${entrantName(result.entrant)}: syncs not counted: ${messageOf(error)}`)
  }
}

/**
 * Runs a workload on every server that can take it: rounds in random order, each sample on a new process with a
 * directory of its own; then, untimed, once under a tracer to count syncs.
 */
export async function runWorkload(
  runner: Runner,
  workload: Workload,
  servers: readonly ServerKind[],
): Promise<WorkloadResult> {
  const entrants = entrantsOf(workload, servers).map((entrant): EntrantResult => ({
    entrant,
    samples: [],
    verified: false,
  }))
  for (let round = 0; round < runner.rounds; round += 1) {
    for (const result of shuffled(entrants)) {
      if (result.failure !== undefined) continue
      runner.log(`${workload.name}, round ${round + 1} of ${runner.rounds}: ${entrantName(result.entrant)}`)
      await takeSample(runner, workload, result)
    }
  }
  if (workload.kind === 'load' && runner.countSyncs) {
    for (const result of entrants) {
      const stores = result.entrant.server.capabilities.includes('store')
      if (result.failure === undefined && stores) await addSyncs(runner, workload, result)
    }
  }
  return { workload, entrants }
}
