import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { sqliteCatalog } from '../../src/catalogs/sqlite/index.ts'
import { createEngine } from '../../src/core/engine.ts'
import { systemClock } from '../../src/core/system-clock.ts'
import { parseUploadId } from '../../src/core/upload-id.ts'
import { fileStore } from '../../src/stores/file/index.ts'
import { seededRandom, sha256 } from './support/content.ts'
import type { Tracked } from './support/crash-load.ts'
import { acknowledge, Load, Oracle } from './support/crash-load.ts'
import { HttpClient, idOf, offsetOf } from './support/http-client.ts'
import { ServerProcess } from './support/server-process.ts'
import { temporaryDirectory } from './support/temporary-directory.ts'
import { until } from './support/until.ts'

const ROUNDS = 25
const STREAMS = 4
const SEED = Number(process.env['CARRYON_TEST_SEED'] ?? Date.now() % 1_000_000)

/** @see reference: invariants I1 to I3, I8 and I9 */
test(`SIGKILL under load, ${ROUNDS} times, loses nothing that was acknowledged (seed ${SEED})`, async () => {
  const dir = await temporaryDirectory()
  const random = seededRandom(SEED)
  const oracle = new Oracle()
  const starts: number[] = []
  const resumes: number[] = []
  let acknowledgements = 0
  let server = await ServerProcess.start({ dir })
  for (let round = 0; round < ROUNDS; round += 1) {
    const load = new Load(oracle, server.url, random)
    const clients = load.run(STREAMS)
    await Promise.race([clients, delay(100 + 500 * random())])
    load.end()
    await server.end('SIGKILL')
    const killedMs = performance.now()
    await clients
    load.close()
    acknowledgements += load.acknowledgements
    server = await ServerProcess.start({ dir })
    starts.push(server.startMs)
    const client = new HttpClient()
    const resumed = await resumeOne(client, server.url, load.interrupted)
    if (resumed) resumes.push(performance.now() - killedMs)
    await checkAll(client, server.url, round % 5 === 4 ? oracle.uploads : recent(oracle.uploads))
    client.close()
  }
  console.log(
    `${ROUNDS} kills: ${acknowledgements} acknowledgements on ${oracle.uploads.length} uploads; ` +
      `${resumes.length} cut PATCHes resumed ${summary(resumes)} after the kill; serving ${summary(starts)} after the start`,
  )
  expect(longestBut(2, starts)).toBeLessThan(3000)
  expect(longestBut(2, resumes)).toBeLessThan(2000)
  expect(resumes.length).toBeGreaterThan(ROUNDS / 2)
  expect(acknowledgements).toBeGreaterThan(ROUNDS * 10)

  await finishAll(server.url, oracle)
  await checkCompleted(join(dir, 'completed'), oracle)
  expect(await server.end('SIGTERM')).toBe(0)
  await checkLeftovers(dir, oracle)
}, 120_000)

/** The next PATCH of an upload that the kill has cut off. */
async function resumeOne(
  client: HttpClient,
  base: string,
  interrupted: readonly Tracked[],
): Promise<boolean> {
  for (const upload of interrupted) {
    const url = new URL(upload.path, base).href
    const offset = await client.offset(url)
    acknowledge(upload, offset)
    if (offset === upload.length) continue
    const end = Math.min(upload.length - 1, offset + 1000)
    if (end === offset) continue
    upload.sentBytes = Math.max(upload.sentBytes, end)
    const answer = await client.patch(url, offset, upload.content.slice(offset, end))
    expect(answer.status, answer.body.toString()).toBe(204)
    acknowledge(upload, offsetOf(answer))
    return true
  }
  return false
}

/** Every offset that was ever named is there still, and what was deleted stays deleted. */
async function checkAll(client: HttpClient, base: string, uploads: readonly Tracked[]): Promise<void> {
  for (const upload of uploads) {
    const answer = await client.head(new URL(upload.path, base).href)
    if (upload.fate === 'deleting') upload.fate = answer.status === 200 ? 'live' : 'deleted'
    if (upload.fate === 'deleted') expect(answer.status, upload.path).toBe(410)
    else {
      expect(answer.status, upload.path).toBe(200)
      acknowledge(upload, offsetOf(answer))
    }
  }
}

function recent(uploads: readonly Tracked[]): readonly Tracked[] {
  return uploads.filter((one, index) => one.fate === 'deleting' || one.isBusy || index > uploads.length - 60)
}

async function finishAll(base: string, oracle: Oracle): Promise<void> {
  const client = new HttpClient()
  await checkAll(client, base, oracle.uploads)
  for (const upload of oracle.live()) {
    if (upload.ackedBytes === upload.length) continue
    const headers = upload.isDeferred ? { 'Upload-Length': String(upload.length) } : {}
    const rest = upload.content.slice(upload.ackedBytes, upload.length)
    const answer = await client.patch(new URL(upload.path, base).href, upload.ackedBytes, rest, headers)
    expect(answer.status, answer.body.toString()).toBe(204)
    expect(offsetOf(answer)).toBe(upload.length)
  }
  for (const upload of oracle.live().slice(-10)) {
    const answer = await client.get(new URL(upload.path, base).href)
    expect(sha256(answer.body)).toBe(sha256(upload.content.slice(0, upload.length)))
  }
  client.close()
}

/** Exactly the finished uploads, each once; nobody knows about creations that were never answered. */
async function checkCompleted(completed: string, oracle: Oracle): Promise<void> {
  const expected = new Map(oracle.live().map((upload) => [idOf(upload.path), upload]))
  const missing = async (): Promise<string[]> => {
    const names = new Set(await readdir(completed))
    return [...expected.values()]
      .filter(({ path }) => !names.has(idOf(path)))
      .map((one) => `${one.path}: ${one.length} bytes`)
  }
  await until('all finished uploads are plain files', async () => (await missing()).length === 0).catch(
    () => undefined,
  )
  expect(await missing()).toEqual([])
  const unanswered = new Set(oracle.unanswered.map((bytes) => sha256(bytes)))
  for (const name of await readdir(completed)) {
    const bytes = await readFile(join(completed, name))
    const upload = expected.get(name)
    if (upload === undefined) expect(unanswered.delete(sha256(bytes)), `${name} belongs to nobody`).toBe(true)
    else expect(bytes.equals(upload.content.slice(0, upload.length)), `content of ${name}`).toBe(true)
  }
}

/** A sweep two hours later leaves only bytes of uploads that can still be resumed. */
async function checkLeftovers(dir: string, oracle: Oracle): Promise<void> {
  const clock = { ...systemClock, nowMs: () => Date.now() + 2 * 60 * 60 * 1000 }
  const data = join(dir, 'data')
  const catalog = await sqliteCatalog({ path: join(dir, 'carryon.db') })
  const store = fileStore({ dir: data, completedDir: join(dir, 'completed'), clock })
  const engine = createEngine({ store, catalog, clock })
  await engine.recover()
  await engine.sweep()
  const known = new Set(oracle.uploads.map(({ path }) => idOf(path)))
  for (const name of await readdir(data)) {
    const id = parseUploadId(name.split('.')[0])
    const record = id === undefined ? undefined : await catalog.get(id)
    expect(record?.status, `${name} in the data directory`).toBe('receiving')
    expect(known.has(name), `${name} was finished or deleted`).toBe(false)
  }
  await engine.close(1000)
}

/** The longest time but for some, which a machine with other work to do may have slowed down. */
function longestBut(exceptions: number, times: readonly number[]): number {
  return times.toSorted((one, other) => other - one)[exceptions] ?? Infinity
}

function summary(times: readonly number[]): string {
  const sorted = times.toSorted((one, other) => one - other)
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0
  return `${median.toFixed(0)} ms (longest ${(sorted.at(-1) ?? 0).toFixed(0)} ms)`
}
