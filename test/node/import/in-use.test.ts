import { randomBytes } from 'node:crypto'
import { appendFileSync, existsSync, readdirSync } from 'node:fs'
import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ImportEvent } from '../../../src/node/import/index.ts'
import { importUploads } from '../../../src/node/import/index.ts'
import { places, runImport, serve } from './scene.ts'
import { writeTusd } from './tusd-fixture.ts'

const content = randomBytes(300_000)
const third = content.subarray(0, 100_000)
const rest = content.subarray(100_000)

test('beside a running server: it answers for what was taken over at once', async () => {
  const at = await places()
  const server = await serve(at)
  const id = await writeTusd(at.from, { size: content.length, data: third })
  const done = await writeTusd(at.from, { size: content.length, data: content })
  expect((await server.head(id)).status).toBe(404)
  await runImport(at)
  expect((await server.patch(id, 100_000, rest)).status).toBe(204)
  expect((await server.get(id)).equals(content)).toBe(true)
  expect((await server.get(done)).equals(content)).toBe(true)
  expect(existsSync(join(at.dir, 'completed', done))).toBe(true)
})

test('two imports at once take each upload once', async () => {
  const at = await places()
  const ids = await Promise.all(
    Array.from({ length: 40 }, () => writeTusd(at.from, { size: content.length, data: third })),
  )
  const both = await Promise.all([runImport(at), runImport(at)])
  expect(both.map(({ totals }) => totals.failed)).toEqual([0, 0])
  expect(both[0].totals.imported + both[1].totals.imported).toBe(ids.length)
  // What the loser had linked is not left behind.
  expect(readdirSync(join(at.dir, 'data'))).toHaveLength(ids.length)
})

test('a directory that tusd is using is refused before anything is done', async () => {
  const at = await places()
  const id = await writeTusd(at.from, { size: content.length, data: third })
  await writeFile(join(at.from, `${id}.lock`), `${process.pid}\n`)
  await expect(runImport(at)).rejects.toMatchObject({
    why: 'locked',
    message: `stop tusd first: process ${process.pid} holds ${join(at.from, `${id}.lock`)}`,
  })
  expect(existsSync(at.dir)).toBe(false)
  expect((await runImport(at, { force: true })).totals.imported).toBe(1)
})

test('locks of processes that have ended, and what is no lock, hold nobody up', async () => {
  const at = await places()
  const id = await writeTusd(at.from, { size: content.length, data: third })
  // Greater than any process number of Linux.
  await writeFile(join(at.from, `${id}.lock`), '99999999\n')
  await writeFile(join(at.from, 'apt.lock'), 'no number')
  expect((await runImport(at)).totals).toMatchObject({ imported: 1, failed: 0 })
})

test('a file that somebody is writing is refused', async () => {
  const at = await places()
  const id = await writeTusd(at.from, { size: 10_000_000, data: third })
  const quiet = await writeTusd(at.from, { size: 10_000_000, data: third })
  const over = new AbortController()
  const writing = (async () => {
    while (!over.signal.aborted) await appendFile(join(at.from, id), 'x')
  })()
  const { events } = await runImport(at, { how: 'move' })
  over.abort()
  await writing
  expect(events.get(id)).toMatchObject({ kind: 'failed', reason: expect.stringContaining('has changed') })
  expect(events.get(quiet)?.kind).toBe('imported')
  expect(existsSync(join(at.from, id))).toBe(true)
})

test('a file that has grown since it was looked at first is refused', async () => {
  const at = await places()
  const made = Array.from({ length: 20 }, () => writeTusd(at.from, { size: 1_000_000, data: third }))
  const last = (await Promise.all(made)).sort().at(-1) ?? ''
  let isFirst = true
  const events: ImportEvent[] = []
  const onEvent = (event: ImportEvent): void => {
    events.push(event)
    if (isFirst) appendFileSync(join(at.from, last), 'x')
    isFirst = false
  }
  const totals = await importUploads({ ...at, onEvent })
  expect(totals).toMatchObject({ imported: 19, failed: 1 })
  const reason = 'its data file has changed meanwhile: stop the old server first'
  expect(events.find(({ kind }) => kind === 'failed')).toMatchObject({ name: last, reason })
})

test('our own directories are no old ones, and are not looked into', async () => {
  const at = await places()
  const id = await writeTusd(at.from, {
    size: 4,
    data: Buffer.from('1234'),
    metadata: { filename: 'a.info' },
  })
  const within = { ...at, dir: at.from }
  await runImport(within, { completedName: '{name}' })
  expect(readdirSync(join(at.from, 'completed'))).toEqual(['a.info'])
  const { totals } = await runImport(within, { completedName: '{name}' })
  expect(totals).toEqual({ imported: 0, unfinished: 0, skipped: 1, failed: 0 })
  expect(existsSync(join(at.from, id))).toBe(true)
  await expect(runImport({ ...within, from: join(at.from, 'data') })).rejects.toMatchObject({ why: 'own' })
  await expect(runImport({ ...within, from: join(at.from, 'none') })).rejects.toMatchObject({
    why: 'unreadable',
  })
})
