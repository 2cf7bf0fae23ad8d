/* A worker in a process of its own. What it does stands in its first argument, as JSON. */
import { appendFileSync } from 'node:fs'
import { crashingWorker } from './crashing.ts'
import { isUploadError } from '../../../src/core/errors.ts'
import { openUploads } from '../../../src/node/index.ts'
import type { Claim } from '../../../src/node/index.ts'

/** Processes everything there is, until its input ends. */
export interface Working {
  readonly kind: 'work'
  readonly dir: string
  readonly dest: string
  readonly log: string
  readonly leaseMs: number
  readonly loops: number
}

/** Processes one upload, and kills itself before the given one of the steps that others can see. */
export interface Crashing {
  readonly kind: 'crash'
  readonly dir: string
  readonly completed: boolean
  readonly dest: string
  readonly overwrite: boolean
  readonly leaseMs: number
  /** Counted from 1; 0: never. */
  readonly killBefore: number
}

export interface LogLine {
  readonly what: 'begin' | 'done' | 'lost'
  readonly id: string
  readonly attempt: number
  readonly pid: number
  /** Of a clock that all processes of the machine share and that nobody sets. */
  readonly atMs: number
}

const LOST: ReadonlySet<string> = new Set(['ERR_LEASE_LOST', 'ERR_UPLOAD_GONE'])

async function work(task: Working): Promise<void> {
  const uploads = await openUploads({ dir: task.dir, reap: false })
  const log = (what: LogLine['what'], { id, attempt }: Claim): void => {
    const atMs = Number(process.hrtime.bigint() / 1000n) / 1000
    const line: LogLine = { what, id, attempt, pid: process.pid, atMs }
    // One write of a few bytes to a file opened with O_APPEND: lines of several processes do not mix.
    appendFileSync(task.log, `${JSON.stringify(line)}\n`)
  }
  const stopping = new AbortController()
  process.stdin.on('end', () => stopping.abort()).resume()
  const loop = async (): Promise<void> => {
    for await (const claim of uploads.claims({
      leaseMs: task.leaseMs,
      maxAttempts: 1000,
      signal: stopping.signal,
    })) {
      log('begin', claim)
      try {
        await claim.save(`${task.dest}/${claim.record.metadata.filename}`)
        await claim.done()
        log('done', claim)
      } catch (error) {
        // On a machine with too much to do a lease can run out; what was lost is somebody else's.
        if (!isUploadError(error) || !LOST.has(error.code)) throw error
        log('lost', claim)
      }
    }
  }
  await Promise.all(Array.from({ length: task.loops }, loop))
  await uploads.close()
}

const task = JSON.parse(process.argv[2] ?? '{}') as Working | Crashing
if (task.kind === 'work') await work(task)
else await crashingWorker(task)
