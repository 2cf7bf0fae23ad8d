import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { StagedPackage } from '../../cli/staged-package.ts'
import { stagePackage } from '../../cli/staged-package.ts'
import { afterTest } from '../../e2e/support/after-test.ts'
import { sha256 } from '../../e2e/support/content.ts'
import { HttpClient, idOf } from '../../e2e/support/http-client.ts'
import type { App } from './apps.ts'
import { APPS } from './apps.ts'
import type { ServedApp } from './installed-app.ts'
import { InstalledApp } from './installed-app.ts'
import { CHUNK_BYTES, CUT_AFTER_BYTES, resumedUpload } from './resumed-upload.ts'

const CONTENT_BYTES = 12 * 1024 * 1024

let staged: StagedPackage
let tarball: string

beforeAll(() => {
  staged = stagePackage()
  const packed = spawnSync('npm', ['pack', '--ignore-scripts', '--loglevel=error'], { cwd: staged.dir })
  const [file] = readdirSync(staged.dir).filter((name) => name.endsWith('.tgz'))
  if (file === undefined) throw new Error(`not packed: ${String(packed.stderr)}`)
  tarball = join(staged.dir, file)
}, 60_000)

afterAll(() => staged.remove())

for (const app of APPS) {
  test(`examples/${app.name} takes uploads in an app of its framework`, async (context) => {
    const lap = laps()
    const installed = await InstalledApp.install(app, tarball)
    if (typeof installed === 'string') {
      console.warn(`NOT RUN: examples/${app.name} in its framework. ${installed}`)
      return context.skip(installed)
    }
    lap('installed')
    await installed.build()
    lap('built')
    const served = await installed.start()
    context.onTestFailed(() => console.warn(`what examples/${app.name} has printed:\n${served.output()}`))
    lap('started')
    for (const endpoint of app.endpoints) await checkUploads(served, new URL(endpoint, served.origin))
    expect(await (await fetch(served.origin)).text()).toContain('the rest of the app')
    lap('checked')
    await served.stop()
    lap('stopped')
    // Next, for one, says there what it dislikes in a handler.
    expect(served.output()).not.toMatch(/error|warn|exceed/i)
    console.log(`examples/${app.name} (${versionsOf(app)}): ${lap.text()}`)
  }, 400_000)
}

async function checkUploads(served: ServedApp, endpoint: URL): Promise<void> {
  const content = randomBytes(CONTENT_BYTES)
  const { url, cuts, offsets } = await resumedUpload(endpoint, content)
  expect(cuts).toBe(1)
  expect(offsets.slice(0, 2)).toEqual([0, CHUNK_BYTES])
  const [, , resumedAt = 0] = offsets
  expect(resumedAt, 'acknowledged').toBeGreaterThanOrEqual(CHUNK_BYTES)
  expect(resumedAt, 'ever sent').toBeLessThan(CUT_AFTER_BYTES)

  const client = new HttpClient()
  afterTest(() => client.close())
  const file = join(served.uploads, 'completed', idOf(url.href))
  expect(sha256(readFileSync(file))).toBe(sha256(content))
  const whole = await client.get(url.href)
  expect(whole.status).toBe(200)
  expect(sha256(whole.body)).toBe(sha256(content))
  const part = await client.ask({ method: 'GET', url: url.href, headers: { Range: 'bytes=1000000-6999999' } })
  expect(part.status).toBe(206)
  expect(part.headers['content-range']).toBe(`bytes 1000000-6999999/${CONTENT_BYTES}`)
  expect(sha256(part.body)).toBe(sha256(content.subarray(1_000_000, 7_000_000)))

  expect((await client.remove(url.href)).status).toBe(204)
  expect((await client.get(url.href)).status).toBe(410)
  expect(existsSync(file)).toBe(false)

  const unfinished = await client.create(endpoint.href, 10)
  const wrong = await client.patch(unfinished, 5, Buffer.from('hello'))
  expect(wrong.status).toBe(409)
  expect(await client.offset(unfinished)).toBe(0)
  client.close()
}

function versionsOf({ packages }: App): string {
  return Object.entries(packages)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ')
}

/** Seconds between the steps of a test. */
function laps(): { (step: string): void; text(): string } {
  let beforeMs = performance.now()
  const taken: string[] = []
  const lap = (step: string): void => {
    const nowMs = performance.now()
    taken.push(`${step} ${((nowMs - beforeMs) / 1000).toFixed(1)} s`)
    beforeMs = nowMs
  }
  return Object.assign(lap, { text: () => taken.join(', ') })
}
