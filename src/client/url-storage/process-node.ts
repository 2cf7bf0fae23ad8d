import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** Names a process since it was started, for others that may run on another machine or in another container. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it started, in ticks since boot; empty where the platform does not tell. */
  readonly started: string
  /** Names the boot of the machine; empty where the platform does not tell. */
  readonly boot: string
  readonly host: string
  /** In which process ids are to be understood: containers have their own. */
  readonly namespace: string
}

/** `unknown`: it cannot be looked at from here, only its beats tell. A stopped process is alive. */
type Verdict = 'alive' | 'dead' | 'unknown'

/** What a storage knows of processes. Injected in tests, where two storages of one process play two. */
export interface Processes {
  readonly self: ProcessIdentity
  judge(other: ProcessIdentity): Verdict
}

/** The processes of this machine. */
export function systemProcesses(): Processes {
  const self: ProcessIdentity = {
    pid: process.pid,
    started: startOf(process.pid) ?? '',
    boot: attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()) ?? '',
    host: hostname(),
    namespace: attempt(() => readlinkSync('/proc/self/ns/pid')) ?? '',
  }
  return {
    self,
    judge(other) {
      if (other.host !== self.host) return 'unknown'
      if (other.boot !== self.boot) return 'dead'
      if (other.namespace !== self.namespace) return 'unknown'
      if (!exists(other.pid)) return 'dead'
      const started = startOf(other.pid)
      // Without a start time the id may have been given to another process meanwhile.
      if (started === undefined || other.started === '') return 'unknown'
      return started === other.started ? 'alive' : 'dead'
    },
  }
}

/** `undefined` when the text is not an identity. */
export function parseIdentity(value: unknown): ProcessIdentity | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { pid, started, boot, host, namespace } = value as Record<keyof ProcessIdentity, unknown>
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0 || typeof host !== 'string')
    return undefined
  if (typeof started !== 'string' || typeof boot !== 'string' || typeof namespace !== 'string')
    return undefined
  return { pid, started, boot, host, namespace }
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

/**
 * Field 22 of `/proc/[pid]/stat` (proc(5)); field 2 is a name that may hold anything, in parentheses. A zombie has
 * ended: it has no start time of its own any more, so that it is never taken for the process it was.
 */
function startOf(pid: number): string | undefined {
  const text = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields?.[0] === 'Z' || fields?.[0] === 'X' ? 'ended' : fields?.[19]
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
