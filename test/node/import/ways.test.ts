import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, readdirSync, statSync, unlinkSync } from 'node:fs'
import { appendFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { afterTest, contentsOf, places, runImport, serve } from './scene.ts'
import { writeTusd } from './tusd-fixture.ts'

const content = randomBytes(300_000)
const third = content.subarray(0, 100_000)
const rest = content.subarray(100_000)

test('move removes the pair, and the file then grows in place', async () => {
  const at = await places()
  const id = await writeTusd(at.from, { size: content.length, data: third })
  const done = await writeTusd(at.from, { size: third.length, data: third })
  await writeFile(join(at.from, 'notes.txt'), 'foreign')
  const { ino } = statSync(join(at.from, id))
  const { totals } = await runImport(at, { how: 'move' })
  expect(totals).toMatchObject({ imported: 2, failed: 0 })
  expect(readdirSync(at.from)).toEqual(['notes.txt'])
  const server = await serve(at)
  expect((await server.patch(id, 100_000, rest)).status).toBe(204)
  expect(statSync(join(at.dir, 'completed', id)).ino).toBe(ino)
  expect((await server.get(id)).equals(content)).toBe(true)
  expect((await server.get(done)).equals(third)).toBe(true)
})

test('copy makes files of our own', async () => {
  const at = await places()
  const id = await writeTusd(at.from, { size: content.length, data: third })
  const before = await contentsOf(at.from)
  const { events } = await runImport(at, { how: 'copy' })
  expect(events.get(id)).toMatchObject({ how: 'copy' })
  const made = statSync(join(at.dir, 'data', id))
  expect([made.nlink, made.mode & 0o777]).toEqual([1, 0o600])
  const server = await serve(at)
  expect((await server.patch(id, 100_000, rest)).status).toBe(204)
  expect((await server.get(id)).equals(content)).toBe(true)
  expect(await contentsOf(at.from)).toEqual(before)
})

const SHM = '/dev/shm'
const hasOtherFileSystem = existsSync(SHM) && statSync(SHM).dev !== statSync('/tmp').dev
test.skipIf(!hasOtherFileSystem)(
  'across file systems a link becomes a copy, and a move removes after it',
  async () => {
    const at = await places()
    const here = { ...at, dir: join(SHM, `carryon-import-${process.pid}`) }
    afterTest(() => rm(here.dir, { recursive: true, force: true }))
    const id = await writeTusd(here.from, { size: content.length, data: third })
    const { events } = await runImport(here, { how: 'move' })
    expect(events.get(id)).toMatchObject({ kind: 'imported', how: 'copy' })
    expect(readdirSync(here.from)).toEqual([])
    const server = await serve(here)
    expect((await server.patch(id, 100_000, rest)).status).toBe(204)
    expect((await server.get(id)).equals(content)).toBe(true)
    await server.close()
  },
)

test('a second run takes nothing twice and takes nothing back', async () => {
  const at = await places()
  const id = await writeTusd(at.from, { size: content.length, data: third })
  const gone = await writeTusd(at.from, { size: content.length, data: third })
  await runImport(at)
  const server = await serve(at)
  await server.patch(id, 100_000, rest.subarray(0, 1000))
  await server.delete(gone)
  const { totals, events } = await runImport(at)
  expect(totals).toEqual({ imported: 0, unfinished: 0, skipped: 2, failed: 0 })
  expect(events.get(id)).toMatchObject({ why: 'there', reason: 'it is there already' })
  expect(events.get(gone)).toMatchObject({ why: 'there', reason: expect.stringContaining('cancelled') })
  expect((await server.head(id)).headers.get('Upload-Offset')).toBe('101000')
  expect((await server.head(gone)).status).toBe(410)
})

test('another upload of the same id is never touched', async () => {
  const at = await places()
  const id = await writeTusd(at.from, { size: content.length, data: third })
  await runImport(at)
  await writeTusd(at.from, { id, size: 200_000, data: third })
  const { totals, events } = await runImport(at)
  expect(totals).toEqual({ imported: 0, unfinished: 0, skipped: 0, failed: 1 })
  expect(events.get(id)).toMatchObject({ reason: expect.stringContaining('another upload of 300000 bytes') })
  const server = await serve(at)
  expect((await server.head(id)).headers.get('Upload-Length')).toBe('300000')
})

test('a move that follows an import removes what is safe here, and only that', async () => {
  const at = await places()
  const safe = await writeTusd(at.from, { size: content.length, data: third })
  const grown = await writeTusd(at.from, { size: content.length, data: third })
  await runImport(at, { how: 'copy' })
  await appendFile(join(at.from, grown), rest.subarray(0, 10))
  const { events } = await runImport(at, { how: 'move' })
  expect(existsSync(join(at.from, safe))).toBe(false)
  expect(existsSync(join(at.from, `${safe}.info`))).toBe(false)
  expect(events.get(grown)).toMatchObject({ reason: expect.stringContaining('with 100000 of 100010 bytes') })
  expect(existsSync(join(at.from, grown))).toBe(true)
  expect(existsSync(join(at.from, `${grown}.info`))).toBe(true)
})

test('a dry run tells the same and makes nothing', async () => {
  const at = await places()
  const id = await writeTusd(at.from, { size: content.length, data: third })
  const bad = await writeTusd(at.from, { size: 10, data: third })
  const { totals, events } = await runImport(at, { dryRun: true, how: 'move' })
  expect(totals).toEqual({ imported: 1, unfinished: 1, skipped: 0, failed: 1 })
  expect(events.get(id)).toMatchObject({ kind: 'imported', how: 'link' })
  expect(existsSync(at.dir)).toBe(false)
  await runImport(at)
  const again = await runImport(at, { dryRun: true, how: 'move' })
  expect(again.totals).toEqual({ imported: 0, unfinished: 0, skipped: 1, failed: 1 })
  expect(readdirSync(at.from).sort()).toEqual([id, `${id}.info`, bad, `${bad}.info`].sort())
})

test('what cannot be removed was still taken over, and is told', async () => {
  const at = await places()
  const id = await writeTusd(at.from, { size: content.length, data: third })
  const isRoot = process.getuid?.() === 0
  // Root may remove everything; a description that has gone meanwhile cannot be removed by anybody.
  const onLook = { nowMs: () => (unlinkSync(join(at.from, `${id}.info`)), Date.now()) }
  if (!isRoot) chmodSync(at.from, 0o500)
  const { events, totals } = await runImport(at, { how: 'move', ...(isRoot ? { clock: onLook } : {}) })
  if (!isRoot) chmodSync(at.from, 0o700)
  expect(totals).toMatchObject({ imported: 0, failed: 1 })
  expect(events.get(id)).toMatchObject({
    reason: 'it was taken over, but stays in the old directory',
    cause: { code: isRoot ? 'ENOENT' : 'EACCES' },
  })
  const server = await serve(at)
  expect((await server.head(id)).headers.get('Upload-Offset')).toBe('100000')
})
