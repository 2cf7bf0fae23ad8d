import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { sqliteCatalog } from '../../src/catalogs/sqlite/index.ts'
import { CLAIMS_QUEUE } from '../../src/core/ports/catalog.ts'
import { openUploads } from '../../src/node/index.ts'
import { cleanUp, onCleanUp, temporaryDirectory, uploaded } from './scene.ts'
import { bundleWorker } from './worker/bundle.ts'
import type { LogLine, Working } from './worker/child.ts'

afterAll(cleanUp)

const UPLOADS = 1000
const WORKERS = 8
const KILLS = 24
const LEASE_MS = 1500
const SEED = 20_261_121

function contentOf(index: number): string {
  return `upload ${index} `.repeat(1 + (index % 50))
}

/** The same numbers for the same seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

async function makeUploads(dir: string): Promise<void> {
  const uploads = await openUploads({ dir, reap: false })
  for (let first = 0; first < UPLOADS; first += 100) {
    const batch = Array.from({ length: 100 }, (_, count) => {
      const index = first + count
      return uploaded(uploads, contentOf(index), { metadata: { filename: `${index}.txt` } })
    })
    await Promise.all(batch)
  }
  // All of them are plain files: workers that start have their own work to do, not what this process has left.
  const files = (name: string): number => readdirSync(join(dir, name)).length
  while (files('completed') < UPLOADS || files('data') > 0) {
    await new Promise((resolve) => void setTimeout(resolve, 20))
  }
  await uploads.close()
}

interface Crew {
  /** When each process was killed, by its id; on the clock of the log. */
  readonly killedAtMs: ReadonlyMap<number, number>
  killOne(index: number): void
  /** Lets all of them come to their end. */
  dismiss(): Promise<readonly (number | null)[]>
}

function startCrew(script: string, task: Working): Crew {
  const killedAtMs = new Map<number, number>()
  const start = (): ChildProcess => {
    const child = spawn(process.execPath, [script, JSON.stringify(task)], {
      stdio: ['pipe', 'inherit', 'inherit'],
    })
    onCleanUp(() => child.kill('SIGKILL'))
    return child
  }
  const children = Array.from({ length: WORKERS }, start)
  return {
    killedAtMs,
    killOne(index) {
      const child = children[index]
      if (child?.pid === undefined) return
      killedAtMs.set(child.pid, Number(process.hrtime.bigint() / 1000n) / 1000)
      child.kill('SIGKILL')
      children[index] = start()
    },
    async dismiss() {
      for (const child of children) child.stdin?.end()
      return Promise.all(
        children.map(async (child) => {
          if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
          return child.exitCode
        }),
      )
    },
  }
}

interface Turn {
  readonly begin: LogLine
  end?: LogLine
}

/** Each attempt at each upload, in the order of their beginnings. */
function turnsIn(log: string): Map<string, Turn[]> {
  const turns = new Map<string, Turn[]>()
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  for (const line of lines.map((text) => JSON.parse(text) as LogLine)) {
    const own = turns.get(line.id) ?? []
    turns.set(line.id, own)
    if (line.what === 'begin') own.push({ begin: line })
    else {
      const turn = own.find(({ begin }) => begin.attempt === line.attempt)
      expect(turn?.begin.pid, `${line.id}: the end of attempt ${line.attempt}`).toBe(line.pid)
      if (turn !== undefined) turn.end = line
    }
  }
  for (const own of turns.values()) own.sort((one, other) => one.begin.atMs - other.begin.atMs)
  return turns
}

/**
 * No turn begins before the lease of the one before has passed; and that one was killed, or hears of it and does not
 * come to its end.
 *
 * @returns How many turns were not the first.
 */
function expectNoTwoAtOnce(turns: Map<string, Turn[]>, crew: Crew): number {
  let repeated = 0
  for (const [id, own] of turns) {
    expect(own.filter(({ end }) => end?.what === 'done').length, id).toBeLessThanOrEqual(1)
    for (const [index, { begin }] of own.entries()) {
      const before = own[index - 1]
      if (before === undefined) continue
      repeated += 1
      const what = `${id}: attempt ${begin.attempt} of ${begin.pid} after that of ${before.begin.pid}`
      expect(begin.attempt, what).toBeGreaterThan(before.begin.attempt)
      // Nobody is handed a claim of which less than half of the lease is left.
      expect(begin.atMs - before.begin.atMs, what).toBeGreaterThan(LEASE_MS * 0.4)
      const killedAtMs = crew.killedAtMs.get(before.begin.pid) ?? Infinity
      if (killedAtMs > begin.atMs) expect(before.end?.what, what).not.toBe('done')
    }
  }
  return repeated
}

test('eight workers that are killed at random process a thousand uploads', { timeout: 120_000 }, async () => {
  const script = await bundleWorker()
  const root = temporaryDirectory()
  const dir = join(root, 'uploads')
  const dest = join(root, 'dest')
  const log = join(root, 'log')
  await makeUploads(dir)
  const catalog = await sqliteCatalog({ path: join(dir, 'carryon.db'), thread: 'same' })
  onCleanUp(() => catalog.close())
  const crew = startCrew(script, { kind: 'work', dir, dest, log, leaseMs: LEASE_MS, loops: 2 })
  const random = numbers(SEED)
  const saved = (): number => (existsSync(dest) ? readdirSync(dest).length : 0)
  // A kill after every so many files, so that all of them happen while there is work.
  const killAt = Array.from({ length: KILLS }, () => 1 + random(UPLOADS * 0.9)).sort(
    (one, other) => one - other,
  )
  for (;;) {
    while (killAt.length > 0 && saved() >= (killAt[0] ?? 0)) {
      killAt.shift()
      crew.killOne(random(WORKERS))
    }
    const dueMs = await catalog.queues.nextDueMs(CLAIMS_QUEUE)
    if (killAt.length === 0 && dueMs === undefined) break
    await new Promise((resolve) => void setTimeout(resolve, 10))
  }
  expect(await crew.dismiss()).toEqual(Array.from({ length: WORKERS }, () => 0))
  const turns = turnsIn(log)
  const message = `seed ${SEED}`
  expect(turns.size, message).toBe(UPLOADS)
  const repeated = expectNoTwoAtOnce(turns, crew)
  expect(repeated, message).toBeGreaterThan(0)
  expect(readdirSync(dest).length, message).toBe(UPLOADS)
  for (let index = 0; index < UPLOADS; index += 1) {
    expect(readFileSync(join(dest, `${index}.txt`), 'utf8'), message).toBe(contentOf(index))
  }
  expect(readdirSync(join(dir, 'data')), message).toEqual([])
  expect(readdirSync(join(dir, 'completed')), message).toEqual([])
})
