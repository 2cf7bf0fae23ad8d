import { goals } from './goals.ts'
import type { Goal, Metric } from './goals.ts'
import type { Entrant, EntrantResult, Sample, WorkloadResult } from './sample.ts'
import type { Workload } from './workloads/workload.ts'

/** Medians over the rounds. */
interface Figures {
  wallMs: number
  /** Bytes or operations per second. */
  perSecond: number
  /** Milliseconds of server CPU per GiB or per operation. */
  cpuMsPerUnit?: number | undefined
  peakMemoryBytes?: number | undefined
}

export interface Verdict {
  goal: Goal
  reached: number | undefined
  ok: boolean
}

export interface Row {
  workload: Workload
  entrant: Entrant
  rounds: number
  figures?: Figures | undefined
  /** Against the baseline of the same run: above 1 is more. */
  ratios: Partial<Record<'throughput' | 'cpu' | 'wall' | 'memory', number | undefined>>
  /** Lowest and highest throughput of the rounds over their median. */
  spread?: readonly [number, number] | undefined
  isBaseline: boolean
  syncsPerOperation?: number | undefined
  verified: boolean
  failure?: string | undefined
  verdicts: Verdict[]
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle]
  if (upper === undefined || sorted.length % 2 === 1) return upper
  return (upper + (sorted[middle - 1] ?? upper)) / 2
}

function medianOf(
  samples: readonly Sample[],
  value: (sample: Sample) => number | undefined,
): number | undefined {
  return median(samples.flatMap((each) => value(each) ?? []))
}

function unitsOf(workload: Workload, sample: Sample): number {
  return workload.kind === 'load' && workload.unit === 'bytes' ? sample.bytes : sample.operations
}

function perSecondOf(workload: Workload, sample: Sample): number {
  return unitsOf(workload, sample) / (sample.wallMs / 1000)
}

function figuresOf(workload: Workload, samples: readonly Sample[]): Figures | undefined {
  const perUnit = workload.kind === 'load' && workload.unit === 'bytes' ? 1024 ** 3 : 1
  const wallMs = medianOf(samples, (each) => each.wallMs)
  const perSecond = medianOf(samples, (each) => perSecondOf(workload, each))
  if (wallMs === undefined || perSecond === undefined) return undefined
  return {
    wallMs,
    perSecond,
    cpuMsPerUnit: medianOf(samples, (each) =>
      each.cpuMs === undefined ? undefined : each.cpuMs / (unitsOf(workload, each) / perUnit),
    ),
    peakMemoryBytes: medianOf(samples, (each) => each.peakMemoryBytes),
  }
}

function over(mine: number | undefined, theirs: number | undefined): number | undefined {
  return mine === undefined || theirs === undefined || theirs === 0 ? undefined : mine / theirs
}

function ratiosOf(mine: Figures | undefined, theirs: Figures | undefined): Row['ratios'] {
  return {
    throughput: over(mine?.perSecond, theirs?.perSecond),
    cpu: over(mine?.cpuMsPerUnit, theirs?.cpuMsPerUnit),
    wall: over(mine?.wallMs, theirs?.wallMs),
    memory: over(mine?.peakMemoryBytes, theirs?.peakMemoryBytes),
  }
}

/** The other side of a ratio: the first variant of the same server, or the peer. */
function baselineFor(
  workload: Workload,
  entrants: readonly EntrantResult[],
  mine: Entrant,
): Entrant | undefined {
  const first = workload.kind === 'load' ? workload.variants?.[0] : undefined
  const matches = (other: Entrant): boolean =>
    first === undefined
      ? other.server.role === 'baseline'
      : other.server === mine.server && other.variant === first
  return entrants.find(({ entrant }) => matches(entrant))?.entrant
}

function reachedIn(metric: Metric, row: Pick<Row, 'figures' | 'ratios'>): number | undefined {
  const memory = row.figures?.peakMemoryBytes
  switch (metric) {
    case 'memoryMiB':
      return memory === undefined ? undefined : memory / 1024 ** 2
    case 'startMs':
      return row.figures?.wallMs
    default:
      return row.ratios[metric]
  }
}

function verdictsOf(row: Omit<Row, 'verdicts'>): Verdict[] {
  const { server } = row.entrant
  if (server.role !== 'ours' || row.isBaseline) return []
  return goals
    .filter(
      (each) =>
        each.workload === row.workload.name &&
        (each.durability === undefined || each.durability === server.durability),
    )
    .map((goal) => {
      const reached = reachedIn(goal.metric, row)
      const ok =
        reached !== undefined && (goal.bound === 'at-least' ? reached >= goal.value : reached <= goal.value)
      return { goal, reached, ok }
    })
}

function spreadOf(workload: Workload, samples: readonly Sample[]): Row['spread'] {
  const speeds = samples.map((each) => perSecondOf(workload, each))
  const middle = median(speeds)
  return middle === undefined || speeds.length < 2
    ? undefined
    : [Math.min(...speeds) / middle, Math.max(...speeds) / middle]
}

/** One row for each server in a workload, with medians, ratios against the baseline, and goals. */
export function summarise({ workload, entrants }: WorkloadResult): Row[] {
  const figures = new Map(entrants.map((each) => [each.entrant, figuresOf(workload, each.samples)]))
  return entrants.map((result) => {
    const { entrant, samples, syncsPerOperation, verified, failure } = result
    const baseline = baselineFor(workload, entrants, entrant)
    const mine = figures.get(entrant)
    const row = {
      workload,
      entrant,
      rounds: samples.length,
      figures: mine,
      ratios: ratiosOf(mine, baseline === undefined ? undefined : figures.get(baseline)),
      spread: spreadOf(workload, samples),
      isBaseline: entrant === baseline,
      syncsPerOperation,
      verified,
      failure,
    }
    return { ...row, verdicts: verdictsOf(row) }
  })
}
