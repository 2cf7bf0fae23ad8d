import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { contentsOf, places, runImport, serve } from './scene.ts'
import { tusdId, writeTusd } from './tusd-fixture.ts'

const DAY_MS = 86_400_000
const content = randomBytes(300_000)
const third = content.subarray(0, 100_000)
const rest = content.subarray(100_000)

test('an upload in flight goes on under its id, and the old directory stays as it is', async () => {
  const at = await places()
  const metadata = { filename: 'Ærø.bin', empty: '', filetype: 'image/png' }
  const id = await writeTusd(at.from, { size: content.length, data: third, metadata })
  const before = await contentsOf(at.from)
  const { totals, events } = await runImport(at)
  expect(totals).toEqual({ imported: 1, unfinished: 1, skipped: 0, failed: 0 })
  const length = content.length
  const told = { kind: 'imported', name: id, offset: 100_000, length, isComplete: false, how: 'link' }
  expect(events.get(id)).toEqual(told)
  const server = await serve(at)
  const head = await server.head(id)
  expect(head.status).toBe(200)
  expect(head.headers.get('Upload-Offset')).toBe('100000')
  expect(head.headers.get('Upload-Length')).toBe('300000')
  expect(head.headers.get('Upload-Expires')).toBe(null)
  expect(head.headers.get('Upload-Metadata')).toBe('filename w4Zyw7guYmlu,empty,filetype aW1hZ2UvcG5n')
  expect((await server.patch(id, 100_000, rest)).status).toBe(204)
  expect((await server.get(id)).equals(content)).toBe(true)
  expect(await contentsOf(at.from)).toEqual(before)
})

test('a complete upload is a finished file, by a second name and without a copy', async () => {
  const at = await places()
  const metadata = { filename: 'report.pdf' }
  const id = await writeTusd(at.from, { size: content.length, data: content, metadata })
  const { totals } = await runImport(at, { completedName: '{name}' })
  expect(totals).toEqual({ imported: 1, unfinished: 0, skipped: 0, failed: 0 })
  const finished = join(at.dir, 'completed', 'report.pdf')
  expect(statSync(finished).ino).toBe(statSync(join(at.from, id)).ino)
  expect(readdirSync(join(at.dir, 'data'))).toEqual([])
  const server = await serve(at)
  expect((await server.head(id)).headers.get('Upload-Offset')).toBe('300000')
  expect((await server.get(id)).equals(content)).toBe(true)
  expect((await server.delete(id)).status).toBe(204)
  expect(existsSync(finished)).toBe(false)
  expect((await readFile(join(at.from, id))).equals(content)).toBe(true)
})

test('without a completed directory a complete upload stays among the data', async () => {
  const at = await places()
  const id = await writeTusd(at.from, { size: content.length, data: content })
  await runImport(at, { completedDir: false })
  expect(readdirSync(join(at.dir, 'data'))).toEqual([id])
  const server = await serve(at, { completedDir: false })
  expect((await server.get(id)).equals(content)).toBe(true)
})

test('a length that is not declared yet can still be declared', async () => {
  const at = await places()
  const id = await writeTusd(at.from, { size: undefined, data: third })
  await runImport(at)
  const server = await serve(at)
  const { headers } = await server.head(id)
  expect([headers.get('Upload-Offset'), headers.get('Upload-Defer-Length')]).toEqual(['100000', '1'])
  expect((await server.patch(id, 100_000, rest, { 'Upload-Length': '300000' })).status).toBe(204)
  expect((await server.get(id)).equals(content)).toBe(true)
})

test('uploads without bytes: one that waits for its first, one of length zero', async () => {
  const at = await places()
  const waiting = await writeTusd(at.from, { size: content.length, data: Buffer.alloc(0) })
  const empty = await writeTusd(at.from, { size: 0, data: Buffer.alloc(0) })
  const { events, totals } = await runImport(at)
  expect(totals).toEqual({ imported: 2, unfinished: 1, skipped: 0, failed: 0 })
  expect(events.get(waiting)).toMatchObject({ how: 'nothing', isComplete: false })
  expect(statSync(join(at.dir, 'completed', empty)).size).toBe(0)
  const server = await serve(at)
  expect((await server.patch(waiting, 0, content)).status).toBe(204)
  expect((await server.get(waiting)).equals(content)).toBe(true)
  expect((await server.head(empty)).headers.get('Upload-Length')).toBe('0')
})

test('parts stay parts: a final upload is put together of them here', async () => {
  const at = await places()
  const one = await writeTusd(at.from, { size: third.length, data: third, isPartial: true })
  const half = rest.subarray(0, 50_000)
  const other = await writeTusd(at.from, { size: rest.length, data: half, isPartial: true })
  await runImport(at)
  expect(existsSync(join(at.dir, 'completed', one))).toBe(false)
  const server = await serve(at)
  expect((await server.head(one)).headers.get('Upload-Concat')).toBe('partial')
  expect((await server.patch(other, half.length, rest.subarray(half.length))).status).toBe(204)
  const creation = new Request('http://localhost/files/', {
    method: 'POST',
    headers: { 'Tus-Resumable': '1.0.0', 'Upload-Concat': `final;/files/${one} /files/${other}` },
  })
  const answer = await server.uploads.fetch(creation)
  expect(answer?.status).toBe(201)
  const final = answer?.headers.get('Location')?.split('/').at(-1) ?? ''
  expect((await server.get(final)).equals(content)).toBe(true)
})

test('a final upload of tusd is a complete one that still names its parts', async () => {
  const at = await places()
  const parts = [tusdId(), tusdId()]
  const id = await writeTusd(at.from, { size: content.length, data: content, parts })
  await runImport(at, { path: '/big' })
  const server = await serve(at)
  const { headers } = await server.head(id)
  expect(headers.get('Upload-Concat')).toBe(`final;/big/${parts[0]} /big/${parts[1]}`)
  expect(headers.get('Upload-Offset')).toBe('300000')
  expect((await server.get(id)).equals(content)).toBe(true)
})

test('a final upload that tusd has not put together to its end is told and left alone', async () => {
  const at = await places()
  const id = await writeTusd(at.from, { size: content.length, data: third, parts: [tusdId()] })
  const { totals, events } = await runImport(at)
  expect(totals.failed).toBe(1)
  expect(events.get(id)).toMatchObject({ reason: expect.stringContaining('not put together to its end') })
})

test('expiry counts from the import; complete parts live longer, complete uploads for ever', async () => {
  const at = await places()
  const unfinished = await writeTusd(at.from, { size: 9, data: Buffer.from('1234') })
  const part = await writeTusd(at.from, { size: 4, data: Buffer.from('1234'), isPartial: true })
  const complete = await writeTusd(at.from, { size: 4, data: Buffer.from('1234') })
  const nowMs = Math.floor(Date.now() / 1000) * 1000 + 60_000
  await runImport(at, { expireAfterMs: DAY_MS, clock: { nowMs: () => nowMs } })
  const server = await serve(at)
  const expiry = async (id: string): Promise<number> =>
    Date.parse((await server.head(id)).headers.get('Upload-Expires') ?? 'never') - nowMs
  expect(await expiry(unfinished)).toBe(DAY_MS)
  expect(await expiry(part)).toBe(7 * DAY_MS)
  expect(await expiry(complete)).toBe(NaN)
})

test('only what is unfinished, and complete parts of what was never put together', async () => {
  const at = await places()
  const unfinished = await writeTusd(at.from, { size: 9, data: Buffer.from('1234') })
  const loosePart = await writeTusd(at.from, { size: 4, data: Buffer.from('1234'), isPartial: true })
  const joinedPart = await writeTusd(at.from, { size: 4, data: Buffer.from('1234'), isPartial: true })
  const final = await writeTusd(at.from, { size: 4, data: Buffer.from('1234'), parts: [joinedPart] })
  const complete = await writeTusd(at.from, { size: 4, data: Buffer.from('1234') })
  const { totals, events } = await runImport(at, { onlyUnfinished: true })
  expect(totals).toEqual({ imported: 2, unfinished: 1, skipped: 3, failed: 0 })
  for (const id of [unfinished, loosePart]) expect(events.get(id)?.kind).toBe('imported')
  for (const id of [joinedPart, final, complete]) expect(events.get(id)).toMatchObject({ why: 'complete' })
})

test('data that a pre-create hook has put elsewhere below the directory', async () => {
  const at = await places()
  const relative = { Type: 'filestore', Path: 'data/2026/films/one.bin', InfoPath: 'data/x.info' }
  const one = await writeTusd(at.from, { size: 300_000, data: third, info: { Storage: relative } })
  const absolute = { Type: 'filestore', Path: join(at.from, 'two.bin') }
  const two = await writeTusd(at.from, { size: 300_000, data: third, info: { Storage: absolute } })
  await mkdir(join(at.from, '2026/films'), { recursive: true })
  await rename(join(at.from, one), join(at.from, '2026/films/one.bin'))
  await rename(join(at.from, two), join(at.from, 'two.bin'))
  const { totals } = await runImport(at, { how: 'move' })
  expect(totals).toMatchObject({ imported: 2, failed: 0 })
  const server = await serve(at)
  for (const id of [one, two]) {
    expect((await server.patch(id, 100_000, rest)).status).toBe(204)
    expect((await server.get(id)).equals(content)).toBe(true)
  }
  expect(Object.keys(await contentsOf(at.from))).toEqual([])
})

test('a description whose data is gone is no failure', async () => {
  const at = await places()
  const id = await writeTusd(at.from, { size: content.length })
  const { totals, events } = await runImport(at)
  expect(totals).toEqual({ imported: 0, unfinished: 0, skipped: 1, failed: 0 })
  expect(events.get(id)).toMatchObject({ why: 'gone' })
})
