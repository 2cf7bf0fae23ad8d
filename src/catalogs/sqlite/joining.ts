import type { Clock } from '../../core/ports/clock.ts'
import type { CommitQueue } from './commit-queue.ts'
import { parseIdentity, type Processes } from './processes.ts'
import type { ProcessRow, Reader } from './reader.ts'
import type { RecordCache } from './record-cache.ts'

const LOOK_MS = 20
/** Looks without an answer after which a process that was alone counts as frozen: about 3 s. */
const LOOKS_UNTIL_FROZEN = 150

export interface JoiningParts {
  readonly queue: CommitQueue
  readonly reader: Reader
  readonly cache: RecordCache
  readonly clock: Clock
  readonly processes: Processes
  /** A name that was never used before. */
  nextName(): string
}

/**
 * Registers this process and waits until nobody is left who thinks to be alone.
 *
 * @returns The name it has from now on.
 */
export async function join(parts: JoiningParts): Promise<{ name: string; mode: 'solo' | 'shared' }> {
  // The timers below keep no process alive, but one that waits to start must not end.
  const alive = setInterval(() => undefined, 60_000)
  try {
    for (;;) {
      const name = parts.nextName()
      const dead = parts.reader.processes().filter((row) => isProvenDead(parts, row))
      const identity = JSON.stringify(parts.processes.self)
      await parts.queue.submit(name, ['register', name, identity, dead.map((row) => row.writer)])
      const mode = await modeOnceAllShare(parts, name)
      // Expelled while it waited: this process was frozen itself.
      if (mode !== undefined) return { name, mode }
    }
  } finally {
    clearInterval(alive)
  }
}

async function modeOnceAllShare(parts: JoiningParts, name: string): Promise<ProcessRow['mode'] | undefined> {
  const looks = new Map<string, number>()
  for (;;) {
    const rows = parts.reader.processes().filter((row) => row.expulsion === undefined)
    const own = rows.find((row) => row.writer === name)
    if (own === undefined) return undefined
    const waitedFor = rows.filter((row) => row.mode === 'solo' && row !== own)
    if (waitedFor.length === 0) return own.mode
    for (const row of waitedFor) {
      const count = (looks.get(row.writer) ?? 0) + 1
      looks.set(row.writer, count)
      if (isProvenDead(parts, row)) await parts.queue.submit(name, ['bury', [row.writer]])
      else if (count > LOOKS_UNTIL_FROZEN) await parts.queue.submit(name, ['expel', row.writer, row.beat])
    }
    await new Promise<void>((resolve) => void parts.clock.after(LOOK_MS, resolve))
  }
}

function isProvenDead(parts: JoiningParts, row: ProcessRow): boolean {
  return parts.processes.isProvenDead(parseIdentity(row.identity))
}
