import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sqliteCatalog } from '../../src/catalogs/sqlite/index.ts'
import { systemClock } from '../../src/core/system-clock.ts'
import type { Acquired, QueueEntry } from '../../src/core/ports/catalog.ts'
import type { Clock } from '../../src/core/ports/clock.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import { guardOf, sampleRecord, until } from '../../src/testing/catalog-contract/case.ts'
import { type CatalogChild, endChildren, startChild } from './child-process.ts'
import { temporaryDirectory } from './sqlite-fixture.ts'

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let path: string

beforeEach(async () => {
  directory = await temporaryDirectory()
  path = join(directory.path, 'catalog.db')
})

afterEach(async () => {
  await endChildren()
  await directory.remove()
})

async function acquire(child: CatalogChild, { id }: UploadRecord): Promise<Acquired> {
  return (await child.call('acquire', id)) as Acquired
}

async function held(child: CatalogChild, record: UploadRecord): Promise<UploadRecord> {
  const acquired = await acquire(child, record)
  if (acquired.kind !== 'held') throw new Error(`not held but ${acquired.kind}`)
  return acquired.record
}

test('two processes: the second one asks, the first lets go, the second goes on', async () => {
  const first = await startChild(path)
  const record = sampleRecord()
  await first.call('insert', record)
  await held(first, record)
  const second = await startChild(path)
  expect((await acquire(second, record)).kind).toBe('busy')
  await until('the holder is asked', async () =>
    ((await first.call('wanted')) as string[]).includes(record.id),
  )
  await first.call('release', record.id)
  expect((await held(second, record)).id).toBe(record.id)
})

test('two processes writing as fast as they can: nothing is lost and nobody sees a locked database', async () => {
  const children = await Promise.all([startChild(path), startChild(path)])
  const rounds = Array.from({ length: 20 }, (_, index) => index)
  await Promise.all(
    children.map(async (child, number) => {
      for (const round of rounds) await child.call('insertMany', 10, number * 1000 + round * 10)
    }),
  )
  for (const child of children) {
    expect(((await child.call('list', { limit: 1000 })) as unknown[]).length).toBe(400)
  }
})

test('SIGKILL under load: what was answered is there, and the next process acquires at once', async () => {
  const first = await startChild(path)
  const record = sampleRecord()
  await first.call('insert', record)
  await held(first, record)
  const acknowledged: string[] = []
  const load = (async () => {
    for (let round = 0; ; round += 1)
      acknowledged.push(...((await first.call('insertMany', 10, round * 10)) as string[]))
  })().catch(() => undefined)
  await until('some were answered', () => acknowledged.length >= 100)
  first.signal('SIGKILL')
  await first.ended
  await load
  let waits = 0
  const after: Clock['after'] = (delayMs, callback) => {
    waits += 1
    return systemClock.after(delayMs, callback)
  }
  const catalog = await sqliteCatalog({ path, clock: { nowMs: () => Date.now(), after } })
  try {
    // A process that is only silent is looked at 150 times before it counts as frozen.
    expect(waits).toBeLessThan(20)
    expect((await catalog.acquire(record.id)).kind).toBe('held')
    const stored = new Set<string>((await catalog.list({ limit: 100_000 })).map(({ id }) => id))
    expect(acknowledged.filter((id) => !stored.has(id))).toEqual([])
  } finally {
    await catalog.close()
  }
})

test('SIGSTOP of the holder: another process takes over, and after SIGCONT the old one changes nothing', async () => {
  const first = await startChild(path)
  const second = await startChild(path)
  const record = sampleRecord()
  await first.call('insert', record)
  const before = await held(first, record)
  const writer = await first.call('writer')
  first.signal('SIGSTOP')
  let taken: Acquired = { kind: 'busy' }
  await until('the frozen holder is expelled', async () => {
    taken = await acquire(second, record)
    return taken.kind === 'held'
  })
  expect(await second.call('mayExtend', writer)).toBe(false)
  const late = first.call('update', record.id, guardOf(before), { offset: 5 })
  const lateInsert = first.call('insert', sampleRecord())
  first.signal('SIGCONT')
  await expect(late).rejects.toThrow('ERR_LEASE_LOST')
  await lateInsert.catch((error: unknown) => expect(String(error)).toContain('ERR_LEASE_LOST'))
  expect(((await second.call('get', record.id)) as UploadRecord).offset).toBe(0)
  await until('it is back under a new name', async () => (await first.call('writer')) !== writer)
  expect(await first.call('wanted')).toContain(record.id)
  await first.call('release', record.id)
  await until('its old files can be trusted', async () => (await second.call('mayExtend', writer)) === true)
  expect((await acquire(first, record)).kind).toBe('busy')
})

test('workers that are killed again and again: every claim is done, and none is held by two that live', async () => {
  const server = await startChild(path)
  await server.call('queues.enableClaims')
  const completed: string[] = []
  const serving = (async () => {
    while (completed.length < 150) {
      const records = Array.from({ length: 10 }, () => sampleRecord({ status: 'complete', finishedAtMs: 1 }))
      await Promise.all(records.map((record) => server.call('insert', record)))
      completed.push(...records.map(({ id }) => id))
    }
  })()
  const done: string[] = []
  const taken: QueueEntry[] = []
  const leaseMs = 200
  let kills = 0
  const work = async (): Promise<void> => {
    let worker = await startChild(path)
    while (done.length < 150) {
      const terms = { limit: 3, nowMs: Date.now(), leaseMs }
      const entries = (await worker.call('queues.take', 'claims', terms)) as QueueEntry[]
      taken.push(...entries)
      if (kills < 4 && entries.length > 0 && done.length > kills * 20) {
        kills += 1
        worker.signal('SIGKILL')
        await worker.ended
        worker = await startChild(path)
        continue
      }
      for (const entry of entries) {
        if ((await worker.call('queues.done', entry)) === true) done.push(entry.uploadId)
      }
    }
  }
  await Promise.all([serving, work(), work(), work()])
  expect(kills).toBe(4)
  expect(done.sort()).toEqual(completed.sort())
  expect(await server.call('queues.list', { limit: 10 })).toEqual([])
  // Each was taken again only once the time of the one before had passed.
  const dueAtMs = new Map(taken.map((entry) => [`${entry.sequence} ${entry.attempts}`, entry.dueAtMs]))
  expect(dueAtMs.size).toBe(taken.length)
  for (const entry of taken) {
    const before = dueAtMs.get(`${entry.sequence} ${entry.attempts - 1}`) ?? 0
    expect(entry.dueAtMs - leaseMs).toBeGreaterThanOrEqual(before)
  }
  expect(taken.length).toBeGreaterThan(150)
}, 60_000)
