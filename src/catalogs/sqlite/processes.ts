import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { uptime } from 'node:os'
import { RowReader } from './row-reader.ts'

/** Names one process on one machine since it was started. Another process never has the same. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it started, in ticks since boot; empty where the platform does not tell. */
  readonly started: string
  /** Names the boot of the machine. */
  readonly boot: string
  /** In which process ids are to be understood: containers have their own. */
  readonly namespace: string
}

/** What a catalog knows of processes. Injected in tests, where two catalogs of one process play two. */
export interface Processes {
  readonly self: ProcessIdentity
  /** True only when no thread of that process can ever run again. A frozen process is not dead. */
  isProvenDead(other: ProcessIdentity): boolean
}

/** The processes of this machine. */
export function systemProcesses(): Processes {
  const self = ownIdentity()
  return {
    self,
    isProvenDead(other) {
      if (!sameBoot(other.boot, self.boot)) return true
      // A process of another container cannot be looked at: only its heartbeat tells.
      if (other.namespace !== self.namespace) return false
      if (!exists(other.pid)) return true
      const stat = readStat(`/proc/${other.pid}/stat`)
      // No `/proc`, or it hides foreign processes: there is somebody with that id, so nothing is proven.
      if (stat === undefined) return false
      if (other.started !== '' && stat.started !== other.started) return true
      return hasEnded(stat.state) && everyThreadHasEnded(other.pid)
    },
  }
}

function ownIdentity(): ProcessIdentity {
  const boot = readText('/proc/sys/kernel/random/boot_id')?.trim()
  return {
    pid: process.pid,
    started: readStat(`/proc/${process.pid}/stat`)?.started ?? '',
    // Where there is no boot id, the time of boot stands for it.
    boot: boot ?? `${BOOT_TIME}${Math.round(Date.now() / 1000 - uptime())}`,
    namespace: attempt(() => readlinkSync('/proc/self/ns/pid')) ?? '',
  }
}

const BOOT_TIME = 'booted-at:'
/** Clock corrections below this are not a reboot. */
const BOOT_TIME_TOLERANCE_SECONDS = 120

/** Whether the machine has run on between the two. */
export function sameBoot(one: string, other: string): boolean {
  if (!one.startsWith(BOOT_TIME) || !other.startsWith(BOOT_TIME)) return one === other
  const difference = Number(one.slice(BOOT_TIME.length)) - Number(other.slice(BOOT_TIME.length))
  return Math.abs(difference) <= BOOT_TIME_TOLERANCE_SECONDS
}

/** @throws {UploadError} `ERR_CORRUPT_RECORD` when the text is none of ours. */
export function parseIdentity(text: string): ProcessIdentity {
  const read = new RowReader(JSON.parse(text))
  return {
    pid: read.integer('pid'),
    started: read.text('started'),
    boot: read.text('boot'),
    namespace: read.text('namespace'),
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it exists and belongs to somebody else.
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

/** A zombie whose other threads still sit in the kernel may still write what they were writing. */
function everyThreadHasEnded(pid: number): boolean {
  const threads = attempt(() => readdirSync(`/proc/${pid}/task`)) ?? []
  return threads.every((thread) => {
    const stat = readStat(`/proc/${pid}/task/${thread}/stat`)
    return stat === undefined || hasEnded(stat.state)
  })
}

function hasEnded(state: string): boolean {
  return state === 'Z' || state === 'X'
}

/** Fields 3 and 22 of `/proc/[pid]/stat` (proc(5)); field 2 is a name that may hold anything, in parentheses. */
function readStat(path: string): { state: string; started: string } | undefined {
  const text = readText(path)
  if (text === undefined) return undefined
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, started] = [fields[0], fields[19]]
  return state === undefined || started === undefined ? undefined : { state, started }
}

function readText(path: string): string | undefined {
  return attempt(() => readFileSync(path, 'utf8'))
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
