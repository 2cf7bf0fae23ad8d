import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { memoryCatalog } from '../../../src/catalogs/memory/index.ts'
import { sqliteCatalog } from '../../../src/catalogs/sqlite/index.ts'
import type { Catalog } from '../../../src/core/ports/catalog.ts'
import { observability } from '../../../src/node/metrics/index.ts'
import { readiness } from '../../../src/node/metrics/readiness.ts'
import { fileStore } from '../../../src/stores/file/index.ts'
import { memoryStore } from '../../../src/stores/memory/index.ts'
import { FakeClock, quiet } from '../../support/fake-clock.ts'
import { gate, withFaults } from '../../support/faults.ts'
import { created, scene } from './scene.ts'

function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'carryon-health-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

test('a real server on disk is live and ready, and the look leaves nothing', async () => {
  const dir = tempDir()
  const store = fileStore({ dir: join(dir, 'data'), durability: 'power' })
  const catalog = await sqliteCatalog({ path: join(dir, 'carryon.db'), durability: 'power' })
  const at = await scene({ engine: { store, catalog } })
  const live = await at.fetch('/livez')
  expect([live.status, await live.json()]).toEqual([200, { status: 'live' }])
  await created(at, 5)
  const ready = await at.fetch('/readyz')
  expect([ready.status, await ready.json()]).toEqual([
    200,
    { status: 'ready', checks: { 'catalog-read': 'ok', 'catalog-write': 'ok', store: 'ok' } },
  ])
  expect(ready.headers.get('content-type')).toBe('application/json; charset=utf-8')
  expect(await catalog.list({ limit: 10 })).toHaveLength(1)
  expect(at.reports).toEqual([])
})

test('a server that closes is live, and ready for nobody at once', async () => {
  const at = await scene()
  await at.engine.close(1000)
  const answer = await at.fetch('/readyz')
  expect([answer.status, await answer.json()]).toEqual([503, { status: 'closing', checks: {} }])
  expect((await at.fetch('/livez')).status).toBe(200)
  // A closed catalog is nobody's trouble then.
  expect(at.reports).toEqual([])
})

test('closing is told at once, whatever was found a moment ago or is being looked at', async () => {
  const hold = gate()
  const { look, engine } = looking({ forget: () => hold.passed.then(() => false) })
  const found = look()
  engine.isClosing = true
  hold.open()
  expect((await found).status).toBe('closing')
})

test('a catalog that is gone is told without a word of why', async () => {
  const dir = tempDir()
  const catalog = await sqliteCatalog({ path: join(dir, 'carryon.db'), durability: 'power' })
  const at = await scene({ observed: { catalog } })
  await catalog.close()
  const answer = await at.fetch('/readyz')
  const text = await answer.text()
  expect(answer.status).toBe(503)
  expect(JSON.parse(text)).toEqual({
    status: 'not-ready',
    checks: { 'catalog-read': 'failed', 'catalog-write': 'failed' },
  })
  expect(text).not.toMatch(/carryon-health|closed|Error/)
  expect(at.reports.map(String)).toEqual([
    'Error: not ready: the check catalog-read says failed',
    'Error: not ready: the check catalog-write says failed',
  ])
})

test('a full store is not ready', async () => {
  const store = memoryStore({ maxBytes: 100 })
  const enough = await scene({ engine: { store }, health: { minFreeBytes: 99 } })
  expect((await enough.fetch('/readyz')).status).toBe(200)
  const full = await scene({
    engine: { store: memoryStore({ maxBytes: 100 }) },
    health: { minFreeBytes: 100 },
  })
  const answer = await full.fetch('/readyz')
  expect(answer.status).toBe(503)
  expect(await answer.json()).toMatchObject({ checks: { store: 'full' } })
})

test('pages can be elsewhere, or nowhere', async () => {
  const elsewhere = await scene({ health: { livePath: '/health/alive', readyPath: '/health/ready' } })
  expect((await elsewhere.fetch('/health/alive')).status).toBe(200)
  expect((await elsewhere.fetch('/health/ready')).status).toBe(200)
  expect((await elsewhere.fetch('/livez')).status).toBe(404)
  expect((await elsewhere.fetch('/health/ready', { method: 'DELETE' })).status).toBe(405)
  const nowhere = await scene({ health: false })
  expect((await nowhere.fetch('/livez')).status).toBe(404)
  expect((await nowhere.fetch('/readyz')).status).toBe(404)
})

test.each([
  ['no-slash', 'starts with a slash'],
  ['/', 'starts with a slash'],
  ['/a?b', 'starts with a slash'],
  ['/livez', 'already'],
  ['/files', 'of uploads'],
  ['/files/ready', 'of uploads'],
])('%s is no path for a page', (readyPath, why) => {
  const engine = { isClosing: false, observe: () => () => undefined }
  expect(() => observability(engine, memoryCatalog(), memoryStore(), { health: { readyPath } })).toThrow(why)
})

function looking(catalog: Partial<Catalog>) {
  const clock = new FakeClock()
  const reports: unknown[] = []
  const engine = { isClosing: false }
  const look = readiness({
    engine,
    catalog: withFaults(memoryCatalog(), catalog),
    store: {},
    clock,
    report: (error) => void reports.push(error),
    timeoutMs: 1000,
    minFreeBytes: 0,
  })
  return { clock, engine, reports, look }
}

test('however often it is asked, it looks once a second', async () => {
  let looks = 0
  const list = async () => {
    looks += 1
    return []
  }
  const { clock, look } = looking({ list })
  await Promise.all(Array.from({ length: 50 }, look))
  await clock.advance(999)
  await look()
  expect(looks).toBe(1)
  await clock.advance(1)
  await look()
  expect(looks).toBe(2)
  expect(clock.pending).toBe(0)
})

test('what hangs is late, is not asked again while it hangs, and is ready when it has come back', async () => {
  const hold = gate()
  let looks = 0
  const forget = async () => {
    looks += 1
    await hold.passed
    return false
  }
  const { clock, look, reports } = looking({ forget })
  for (let round = 0; round < 3; round += 1) {
    const found = look()
    await clock.advance(1000)
    expect(await found).toEqual({
      status: 'not-ready',
      checks: { 'catalog-read': 'ok', 'catalog-write': 'late' },
    })
    await clock.advance(1000)
  }
  expect(looks).toBe(1)
  // Once, not once per look.
  expect(reports).toHaveLength(1)
  hold.open()
  await quiet()
  await clock.advance(1000)
  expect((await look()).status).toBe('ready')
})

test('a failure after its time is nobody’s', async () => {
  const hold = gate()
  const { clock, look } = looking({ forget: () => hold.passed.then(() => false) })
  const found = look()
  await clock.advance(1000)
  expect((await found).checks['catalog-write']).toBe('late')
  hold.fail(new Error('at last'))
  await quiet()
  await clock.advance(1000)
  expect((await look()).checks['catalog-write']).toBe('failed')
})
