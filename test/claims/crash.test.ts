import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLAIMS_QUEUE } from '../../src/core/ports/catalog.ts'
import { sqliteCatalog } from '../../src/catalogs/sqlite/index.ts'
import { createEngine } from '../../src/core/engine.ts'
import type { Engine } from '../../src/core/engine.ts'
import type { UploadId } from '../../src/core/upload-id.ts'
import { ClaimQueue } from '../../src/node/claims/queue.ts'
import { fileStore } from '../../src/stores/file/index.ts'
import { bytes, same } from '../support/bytes.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { cleanUp, onCleanUp, temporaryDirectory, uploaded } from './scene.ts'
import { bundleWorker } from './worker/bundle.ts'
import type { Crashing } from './worker/child.ts'

/*
 * kill -9 of a real worker before each step of claim, save and done that another process could see. Afterwards another
 * worker goes on: the file is there once and whole, and nothing else is left of the upload but its record.
 */

const LEASE_MS = 150
let script = ''

beforeAll(async () => {
  script = await bundleWorker()
})
afterAll(cleanUp)

interface Way extends Pick<Crashing, 'completed' | 'overwrite'> {
  readonly sizeBytes: number
  /** Where the destination is. */
  readonly parent?: string
}

const hasOtherDisk = existsSync('/dev/shm') && statSync('/dev/shm').dev !== statSync('/tmp').dev
const byLink: Way = { completed: true, overwrite: false, sizeBytes: 100_000 }
const ways: Record<string, Way> = {
  'by a link': byLink,
  'by a link, from a record': { ...byLink, sizeBytes: 500 },
  'by a copy of what the store has': { ...byLink, completed: false },
  'over another file': { ...byLink, overwrite: true },
  ...(hasOtherDisk ? { 'on another disk': { ...byLink, parent: '/dev/shm' } } : {}),
}

interface World {
  readonly content: Uint8Array
  /** Makes uploads, and leaves everything else to others. */
  readonly maker: Pick<Engine, 'create'>
  readonly dir: string
  readonly dest: string
  readonly engine: Engine
  readonly queue: ClaimQueue
  readonly reports: unknown[]
  entries(): Promise<number>
}

async function world({ completed, parent, sizeBytes }: Way): Promise<World> {
  const dir = temporaryDirectory()
  const dest = join(temporaryDirectory(parent), 'dest')
  const catalog = await sqliteCatalog({ path: join(dir, 'carryon.db'), thread: 'same' })
  const store = fileStore({
    dir: join(dir, 'data'),
    completedDir: completed ? join(dir, 'completed') : undefined,
  })
  const reports: unknown[] = []
  const report = (error: unknown): void => void reports.push(error)
  const engine = createEngine({ store, catalog, report })
  // Its chores are due at a time that never comes.
  const maker = createEngine({ store, catalog, clock: new FakeClock() })
  const queue = new ClaimQueue(engine, { durability: 'power', report })
  onCleanUp(async () => {
    await queue.close(0)
    await engine.close(0)
  })
  const entries = async (): Promise<number> =>
    (await catalog.queues.list({ queue: CLAIMS_QUEUE, limit: 10 })).length
  return { content: bytes(sizeBytes), maker, dir, dest, engine, queue, reports, entries }
}

/** @returns The steps that the worker came by, the one it died before included. */
async function runWorker(task: Crashing): Promise<readonly string[]> {
  const child = spawn(process.execPath, [script, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onCleanUp(() => child.kill('SIGKILL'))
  const [steps, [code, signal]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  expect([code, signal]).toEqual(task.killBefore === 0 ? [0, null] : [null, 'SIGKILL'])
  return steps.trim().split('\n')
}

function allFiles(...dirs: readonly string[]): string[] {
  return dirs.flatMap((dir) => (existsSync(dir) ? readdirSync(dir) : []))
}

async function expectEverythingInPlace(at: World, id: UploadId, what: string): Promise<void> {
  expect(allFiles(at.dest), what).toEqual(['a.bin'])
  const path = join(at.dest, 'a.bin')
  expect(same(readFileSync(path), at.content), what).toBe(true)
  expect(statSync(path).nlink, what).toBe(1)
  expect(allFiles(join(at.dir, 'data'), join(at.dir, 'completed')), what).toEqual([])
  expect(await at.entries(), what).toBe(0)
  expect(await at.engine.retrieve(id), what).toMatchObject({ status: 'complete', offset: at.content.length })
  expect(at.reports, what).toEqual([])
}

/** A worker dies before a step, the next one goes on. */
async function crashAndGoOn(way: Way, killBefore: number): Promise<void> {
  const at = await world(way)
  const { id } = await uploaded({ engine: at.maker }, at.content, { metadata: { filename: 'a.bin' } })
  const { dir, dest } = at
  const task = { kind: 'crash', dir, dest, leaseMs: LEASE_MS, killBefore, ...way } as const
  const steps = await runWorker(task)
  const what = `killed before ${steps.at(-1)} (${killBefore})`
  let attempts = 0
  while ((await at.entries()) > 0) {
    const claim = await at.queue.claim({ pollMs: 20, timeoutMs: 50 })
    if (claim === undefined) continue
    attempts += 1
    expect([claim.id, claim.record.metadata.filename]).toEqual([id, 'a.bin'])
    await claim.save(`${dest}/${claim.record.metadata.filename}`, { overwrite: way.overwrite })
    await claim.done()
  }
  // Once it is handed over there is nothing left that an application would have to do.
  expect(attempts, what).toBeLessThanOrEqual(1)
  await expectEverythingInPlace(at, id, what)
}

describe.each(Object.keys(ways))('a file saved %s', (name) => {
  test('survives kill -9 before each step', { timeout: 60_000 }, async () => {
    const way = ways[name] ?? byLink
    const at = await world(way)
    const { id } = await uploaded({ engine: at.maker }, at.content, { metadata: { filename: 'a.bin' } })
    const { dir, dest } = at
    const steps = await runWorker({ kind: 'crash', dir, dest, leaseMs: 60_000, killBefore: 0, ...way })
    await expectEverythingInPlace(at, id, 'not killed')
    for (const needed of ['queues.take', 'catalog.update', 'queues.done']) expect(steps).toContain(needed)
    const updates = steps.filter((step) => step === 'catalog.update')
    // To its place first, where it is not there yet; then to the application.
    expect(updates).toHaveLength(name === 'by a link, from a record' ? 2 : 1)
    const numbers = steps.map((_step, index) => index + 1)
    const runs = Array.from({ length: 6 }, async () => {
      for (let next = numbers.shift(); next !== undefined; next = numbers.shift())
        await crashAndGoOn(way, next)
    })
    await Promise.all(runs)
  })
})
