import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { fetchHandler } from '../../src/adapters/fetch.ts'
import { attach, nodeListener } from '../../src/adapters/node.ts'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import type { Limits } from '../../src/core/context.ts'
import { createEngine } from '../../src/core/engine.ts'
import { nodeDigests } from '../../src/node/digests.ts'
import { openUploads } from '../../src/node/index.ts'
import type { Handler } from '../../src/server/handler.ts'
import { createHandler } from '../../src/server/handler.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { conformance, formatReport } from '../../src/testing/index.ts'
import { serveFetch } from './serve-fetch.ts'

/** Small and short, so that the cases about limits and stalls can be run. */
const LIMITS = { maxSizeBytes: 1024 * 1024, expireAfterMs: 24 * 60 * 60 * 1000 }
const pace = { idleTimeoutMs: 1000 }
const cleanups: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

function inMemory(limits: Partial<Limits> = {}): Handler {
  const engine = createEngine({
    store: memoryStore(),
    catalog: memoryCatalog(),
    digests: nodeDigests,
    limits: { ...LIMITS, ...limits },
    pace,
  })
  cleanups.push(() => engine.close(1000))
  return createHandler({ engine })
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    server.closeAllConnections()
    return new Promise<void>((resolve) => void server.close(() => resolve()))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/files/`
}

async function expectGreen(url: string): Promise<void> {
  const report = await conformance({ url, strict: true })
  expect(report.ok, formatReport(report, { colour: false })).toBe(true)
  expect(report.totals.passed).toBeGreaterThan(170)
}

describe('every adapter passes the strict conformance suite', () => {
  test('node:http with files and SQLite', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'carryon-conformance-'))
    cleanups.push(() => rmSync(dir, { recursive: true, force: true }))
    const uploads = await openUploads({ dir, pace, ...LIMITS })
    cleanups.push(() => uploads.close(1000))
    const server = createServer()
    uploads.attach(server)
    await expectGreen(await listen(server))
  }, 60_000)

  test('uploads that expire soon', async () => {
    const server = createServer()
    attach(server, inMemory({ expireAfterMs: 1500 }))
    const report = await conformance({ url: await listen(server), strict: true, only: ['T-E*'] })
    expect(report.ok, formatReport(report, { colour: false })).toBe(true)
    expect(report.results.find(({ id }) => id === 'T-E4')?.status).toBe('passed')
  }, 60_000)

  test('node:http with memory', async () => {
    const server = createServer()
    attach(server, inMemory())
    await expectGreen(await listen(server))
  }, 60_000)

  test('a plain listener, without our server set-up', async () => {
    const server = createServer(nodeListener(inMemory()))
    // Node answers Expect: 100-continue by itself here, before any check: those cases need `attach`.
    const report = await conformance({ url: await listen(server), strict: true })
    const failed = report.results.filter((result) => result.status === 'failed').map((result) => result.id)
    expect(failed, formatReport(report, { colour: false })).toEqual(['T-L6a', 'T-U8'])
  }, 60_000)

  test('Request → Response', async () => {
    const server = serveFetch(fetchHandler(inMemory()))
    await expectGreen(await listen(server))
  }, 60_000)
})
