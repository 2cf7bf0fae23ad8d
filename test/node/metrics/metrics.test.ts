import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { memoryCatalog } from '../../../src/catalogs/memory/index.ts'
import { reject } from '../../../src/core/ports/hooks.ts'
import { conformance, formatReport } from '../../../src/testing/index.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { gate, withFaults } from '../../support/faults.ts'
import { sink } from '../../support/rig.ts'
import { promClient } from './prom-client.ts'
import { asked, begun, created, patched, sampleOf, scene } from './scene.ts'

const TUS = { 'Tus-Resumable': '1.0.0' }

/** Handlers must answer the same, whether they are measured or not. */
const LIMITS = { maxSizeBytes: 1024 * 1024, expireAfterMs: 24 * 60 * 60 * 1000 }

describe('metrics', () => {
  const metrics = (more: object = {}) => ({ metrics: { library: promClient(), ...more } })

  test('an upload is counted from its creation to its end', async () => {
    const at = await scene(metrics())
    const path = await created(at, 6)
    expect(await at.sample('carryon_uploads_total{event="created"}')).toBe(1)
    expect(await at.sample('carryon_uploads_total{event="complete"}')).toBe(0)
    await patched(at, path, 0, 'abc')
    expect(await at.sample('carryon_received_bytes_total')).toBe(3)
    await patched(at, path, 3, 'def')
    await at.fetch(path, { method: 'DELETE', headers: TUS })

    const text = await (await at.fetch('/metrics')).text()
    expect(sampleOf(text, 'carryon_uploads_total{event="complete"}')).toBe(1)
    expect(sampleOf(text, 'carryon_uploads_total{event="terminated"}')).toBe(1)
    expect(sampleOf(text, 'carryon_received_bytes_total')).toBe(6)
    expect(sampleOf(text, 'carryon_upload_duration_seconds_count')).toBe(1)
    expect(sampleOf(text, 'carryon_upload_size_bytes_sum')).toBe(6)
    expect(sampleOf(text, 'carryon_requests_total{method="PATCH",status="204"}')).toBe(2)
    expect(sampleOf(text, 'carryon_requests_total{method="POST",status="201"}')).toBe(1)
    expect(sampleOf(text, 'carryon_request_duration_seconds_count{method="PATCH"}')).toBe(2)
    expect(sampleOf(text, 'carryon_requests_running')).toBe(0)
    expect(sampleOf(text, 'carryon_uploads_running')).toBe(0)
    // Two requests, but nothing was ever broken off.
    expect(sampleOf(text, 'carryon_resumes_total')).toBe(0)
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds')
  })

  test('a measured server passes the strict conformance suite', async () => {
    const engine = { pace: { idleTimeoutMs: 1000 }, limits: LIMITS }
    const at = await scene({ ...metrics({ names: 'tusd' }), engine })
    const report = await conformance({ url: `${at.origin}/files/`, strict: true })
    expect(
      report.results.filter(({ status }) => status === 'failed'),
      formatReport(report, { colour: false }),
    ).toEqual([])
    expect(report.totals.passed).toBeGreaterThan(170)
    await at.reaches('carryon_requests_running', 0)
    expect(await at.sample('carryon_uploads_running')).toBe(0)
  }, 60_000)

  test('content that comes with the creation is counted', async () => {
    const at = await scene(metrics())
    await created(at, 5, 'hello')
    expect(await at.sample('carryon_received_bytes_total')).toBe(5)
    expect(await at.sample('carryon_uploads_total{event="complete"}')).toBe(1)
  })

  test('an expired upload is counted, and what the janitor finds', async () => {
    const clock = new FakeClock()
    const at = await scene({ ...metrics(), engine: { clock, limits: { expireAfterMs: 1000 } } })
    await created(at, 5)
    await clock.advance(1001)
    await at.engine.sweep()
    at.observed.swept({ expired: { count: 1, sizeBytes: 7 }, tombstone: { count: 2, sizeBytes: 0 } })
    at.observed.swept({ expired: { count: 1, sizeBytes: 3 } })
    expect(await at.sample('carryon_uploads_total{event="expired"}')).toBe(1)
    expect(await at.sample('carryon_janitor_found_total{kind="expired"}')).toBe(2)
    expect(await at.sample('carryon_janitor_found_bytes_total{kind="expired"}')).toBe(10)
    expect(await at.sample('carryon_janitor_found_total{kind="tombstone"}')).toBe(2)
    expect(await at.sample('carryon_janitor_found_total{kind="orphan"}')).toBe(0)
  })

  test('an upload that is broken off is running until then, and resumed after that', async () => {
    const at = await scene(metrics())
    const path = await created(at, 1000)
    const cut = await begun(at, path, 0, 'x'.repeat(400))
    await at.reaches('carryon_received_bytes_total', 400)
    expect(await at.sample('carryon_uploads_running')).toBe(1)
    expect(await at.sample('carryon_requests_running')).toBe(1)
    cut()
    await at.reaches('carryon_uploads_running', 0)
    expect(await at.sample('carryon_requests_total{method="PATCH",status="none"}')).toBe(1)
    expect(await at.sample('carryon_resumes_total')).toBe(0)

    const offset = Number((await asked(at, path)).headers.get('upload-offset'))
    expect(offset).toBe(400)
    await patched(at, path, offset, 'y'.repeat(300))
    await patched(at, path, offset + 300, 'y'.repeat(300))
    const text = await (await at.fetch('/metrics')).text()
    expect(sampleOf(text, 'carryon_resumes_total')).toBe(1)
    expect(sampleOf(text, 'carryon_lost_bytes_total')).toBe(0)
  })

  test('a newer request that takes over is a resume too', async () => {
    const at = await scene(metrics())
    const path = await created(at, 1000)
    await begun(at, path, 0, 'x'.repeat(400))
    await at.reaches('carryon_received_bytes_total', 400)
    const offset = Number((await asked(at, path)).headers.get('upload-offset'))
    expect((await patched(at, path, offset, 'y'.repeat(600))).status).toBe(204)
    expect(await at.sample('carryon_resumes_total')).toBe(1)
    expect(await at.sample('carryon_uploads_running')).toBe(0)
  })

  test('bytes under a checksum are lost with their connection', async () => {
    const at = await scene(metrics())
    const path = await created(at, 1000)
    const cut = await begun(at, path, 0, 'x'.repeat(400), [
      'Upload-Checksum: sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=',
    ])
    await at.reaches('carryon_received_bytes_total', 400)
    cut()
    await at.reaches('carryon_uploads_running', 0)
    expect((await patched(at, path, 0, 'y'.repeat(1000))).status).toBe(204)
    expect(await at.sample('carryon_lost_bytes_total')).toBe(400)
    // It began anew: nothing was carried on.
    expect(await at.sample('carryon_resumes_total')).toBe(0)
  })

  test('nothing that a client or an application says becomes a label', async () => {
    const codes = ['ERR_TEAPOT"} 1\nevil', 'ERR_TEAPOT']
    const hooks = { onCreate: () => reject({ status: 499, code: codes.pop() }) }
    const at = await scene({ ...metrics({ names: 'tusd' }), engine: { hooks } })
    await at.fetch('/files/', { method: 'PROPFIND', headers: TUS })
    for (const length of ['5', '5', 'evil'])
      await at.fetch('/files/', { method: 'POST', headers: { ...TUS, 'Upload-Length': length } })
    await at.fetch('/evil"path')
    const text = await (await at.fetch('/metrics')).text()
    expect(sampleOf(text, 'carryon_requests_total{method="other",status="405"}')).toBe(1)
    expect(sampleOf(text, 'carryon_errors_total{status="other",code="other"}')).toBe(2)
    expect(sampleOf(text, 'carryon_errors_total{status="400",code="ERR_INVALID_UPLOAD_LENGTH"}')).toBe(1)
    expect(sampleOf(text, 'tusd_errors_total{status="400",code="ERR_INVALID_UPLOAD_LENGTH"}')).toBe(1)
    expect(sampleOf(text, 'tusd_requests_total{method="POST"}')).toBe(3)
    expect(sampleOf(text, 'carryon_requests_running')).toBe(0)
    expect(text).not.toMatch(/evil|PROPFIND|TEAPOT/)
  })

  test('the names of tusd are there when asked for', async () => {
    const at = await scene(metrics({ names: 'tusd' }))
    const path = await created(at, 3)
    await patched(at, path, 0, 'abc')
    await at.fetch(path, { method: 'DELETE', headers: TUS })
    const text = await (await at.fetch('/metrics')).text()
    for (const name of ['created', 'finished', 'terminated'])
      expect(sampleOf(text, `tusd_uploads_${name}`), name).toBe(1)
    expect(sampleOf(text, 'tusd_bytes_received')).toBe(3)
    expect(sampleOf(text, 'tusd_requests_total{method="PATCH"}')).toBe(1)
    expect(sampleOf(text, 'carryon_received_bytes_total')).toBe(3)

    const plain = await scene(metrics())
    expect(await (await plain.fetch('/metrics')).text()).not.toContain('tusd_')
  })

  test('queues are looked up for a scrape, given-up entries apart', async () => {
    const at = await scene({ ...metrics({ queues: ['test'] }), engine: { sinks: [sink('post-create')] } })
    await created(at, 5)
    await created(at, 5)
    const { queues } = at.catalog
    const [taken] = await queues.take('test', { limit: 1, nowMs: Date.now(), leaseMs: 1000 })
    if (taken === undefined) throw new Error('nothing was queued')
    await queues.release(taken, { dueAtMs: 0, isDead: true })
    const text = await (await at.fetch('/metrics')).text()
    expect(sampleOf(text, 'carryon_queue_entries{queue="test",state="waiting"}')).toBe(1)
    expect(sampleOf(text, 'carryon_queue_entries{queue="test",state="dead"}')).toBe(1)
    expect(sampleOf(text, 'carryon_queue_lag_seconds{queue="test"}')).toBeGreaterThanOrEqual(0)
  })

  test('queues that cannot be read are absent, and everything else is there', async () => {
    const catalog = memoryCatalog()
    const queues = withFaults(catalog.queues, { list: () => Promise.reject(new Error('no such disk')) })
    const at = await scene({
      ...metrics(),
      engine: { catalog },
      observed: { catalog: withFaults(catalog, { queues }) },
    })
    const answer = await at.fetch('/metrics')
    const text = await answer.text()
    expect(answer.status).toBe(200)
    expect(text).not.toContain('carryon_queue_entries{')
    expect(sampleOf(text, 'carryon_requests_running')).toBe(0)
    expect(at.reports).toEqual([new Error('no such disk')])
  })

  test('queues that do not answer hold a scrape up for two seconds and no longer', async () => {
    const catalog = memoryCatalog()
    const clock = new FakeClock()
    let looks = 0
    const list = (): Promise<never> => {
      looks += 1
      return new Promise(() => undefined)
    }
    const queues = withFaults(catalog.queues, { list })
    const observed = { catalog: withFaults(catalog, { queues }) }
    const at = await scene({ ...metrics(), clock, engine: { catalog }, observed })
    for (let round = 0; round < 2; round += 1) {
      const answer = at.fetch('/metrics')
      await expect.poll(() => clock.pending).toBe(1)
      await clock.advance(2000)
      const text = await (await answer).text()
      expect(text).not.toContain('carryon_queue_entries{')
      expect(sampleOf(text, 'carryon_requests_running')).toBe(0)
    }
    expect(looks).toBe(1)
  })

  test('a hammered page looks into the queues once', async () => {
    const catalog = memoryCatalog()
    const hold = gate()
    let looks = 0
    const list = async () => {
      looks += 1
      await hold.passed
      return []
    }
    const queues = withFaults(catalog.queues, { list })
    const at = await scene({
      ...metrics(),
      engine: { catalog },
      observed: { catalog: withFaults(catalog, { queues }) },
    })
    const answers = Promise.all(Array.from({ length: 20 }, () => at.fetch('/metrics')))
    await expect.poll(() => looks).toBe(1)
    hold.open()
    expect((await answers).map(({ status }) => status)).toEqual(Array(20).fill(200))
    await at.fetch('/metrics')
    // Waiting and given-up ones.
    expect(looks).toBe(2)
  })

  test('the memory of running uploads is told when somebody says it', async () => {
    const at = await scene(metrics({ memory: () => ({ usedBytes: 5, totalBytes: 70 }) }))
    expect(await at.sample('carryon_memory_used_bytes')).toBe(5)
    expect(await at.sample('carryon_memory_budget_bytes')).toBe(70)
  })

  test('an application keeps its registry, with its metrics and without ours when we go', async () => {
    const library = promClient()
    const registry = new library.Registry()
    registry.registerMetric(
      new library.Counter({ name: 'app_total', help: '-', labelNames: [], registers: [] }),
    )
    const at = await scene(metrics({ registry, path: '/of-app/metrics' }))
    expect(await (await at.fetch('/of-app/metrics')).text()).toMatch(
      /app_total 0[^]*carryon_requests_running/,
    )
    // A second one would count into the same names; what it has put there before it noticed is its own to remove.
    await expect(scene(metrics({ registry }))).rejects.toThrow('already been registered')
    expect(await registry.metrics()).toContain('carryon_requests_running')
    at.observed.close()
    expect(await registry.metrics()).toMatch(/^# HELP app_total -\n# TYPE app_total counter\napp_total 0\n$/)
  })

  test('where a name is taken, nothing of ours stays behind', async () => {
    const library = promClient()
    const registry = new library.Registry()
    const settings = { name: 'carryon_queue_lag_seconds', help: '-', labelNames: [], registers: [] }
    registry.registerMetric(new library.Gauge(settings))
    await expect(scene(metrics({ registry }))).rejects.toThrow('already been registered')
    expect(await registry.metrics()).toMatch(/^# HELP carryon_queue_lag_seconds .*\n.*\n.*\n$/)
  })

  test('the manual names every metric of ours', async () => {
    const manual = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8')
    const at = await scene(metrics({ names: 'tusd', memory: () => ({ usedBytes: 0, totalBytes: 1 }) }))
    const text = await (await at.fetch('/metrics')).text()
    const names = [...text.matchAll(/^# TYPE ((?:carryon|tusd)_\w+)/gm)].map(([, name = '']) => name)
    expect(names.length).toBeGreaterThan(20)
    expect(names.filter((name) => !manual.includes(name))).toEqual([])
    const named = [...manual.matchAll(/^\| `(carryon_\w+)`/gm)].map(([, name = '']) => name)
    expect(named.filter((name) => !names.includes(name))).toEqual([])
  })

  test('the page can be read and nothing else, and says what it is', async () => {
    const at = await scene(metrics())
    const got = await at.fetch('/metrics?x=1')
    expect(got.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(got.headers.get('cache-control')).toBe('no-store')
    const refused = await at.fetch('/metrics', { method: 'POST', body: 'x' })
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    expect(await (await at.fetch('/metrics', { method: 'HEAD' })).text()).toBe('')
    // What is read here is no part of what is counted.
    expect(await at.sample('carryon_requests_total{method="GET",status="200"}')).toBeUndefined()
  })
})

test('without being asked for, there are no metrics', async () => {
  const at = await scene()
  expect((await at.fetch('/metrics')).status).toBe(404)
  expect((await at.fetch('/livez')).status).toBe(200)
})
