import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'

const msPerTick = 1000 / clockTicksPerSecond()

function clockTicksPerSecond(): number {
  try {
    return Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).trim()) || 100
  } catch {
    return 100
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function childrenOf(pid: number): number[] {
  let tasks: string[]
  try {
    tasks = readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
  return tasks.flatMap((task) =>
    (read(`/proc/${pid}/task/${task}/children`) ?? '').split(' ').filter(Boolean).map(Number),
  )
}

/** A process and everything it started, parents first. */
export function processTree(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(processTree)]
}

/**
 * CPU time (user + system) of a process, all its threads and its children so far, in milliseconds.
 * The kernel counts in ticks of 10 ms. `undefined` where there is no /proc.
 */
export function cpuTimeMs(pid: number): number | undefined {
  let ticks: number | undefined
  for (const each of processTree(pid)) {
    const stat = read(`/proc/${each}/stat`)
    if (stat === undefined) continue
    // The command name may hold spaces and brackets: count fields from the last closing one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks = (ticks ?? 0) + Number(fields[11]) + Number(fields[12])
  }
  return ticks === undefined ? undefined : ticks * msPerTick
}

function statusKiB(pid: number, name: 'VmHWM' | 'VmRSS'): number | undefined {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(read(`/proc/${pid}/status`) ?? '')
  return match === null ? undefined : Number(match[1])
}

function residentBytes(pid: number, name: 'VmHWM' | 'VmRSS'): number | undefined {
  const sizes = processTree(pid).flatMap((each) => statusKiB(each, name) ?? [])
  return sizes.length === 0 ? undefined : sizes.reduce((sum, each) => sum + each, 0) * 1024
}

/** Largest resident size since the last {@link resetPeakMemory} (or the start), in bytes. */
export function peakMemoryBytes(pid: number): number | undefined {
  return residentBytes(pid, 'VmHWM')
}

export function memoryBytes(pid: number): number | undefined {
  return residentBytes(pid, 'VmRSS')
}

/** Sets the peak back to the present size. @returns false when the kernel does not let us. */
export function resetPeakMemory(pid: number): boolean {
  try {
    for (const each of processTree(pid)) writeFileSync(`/proc/${each}/clear_refs`, '5')
    return true
  } catch {
    return false
  }
}
