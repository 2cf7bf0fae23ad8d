import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Places } from './scene.ts'
import { places, runImport, serve } from './scene.ts'
import { tusdId, writeTusd } from './tusd-fixture.ts'

const data = randomBytes(1000)

/** What @tus/file-store 2 writes; its members can be changed. */
async function write({ from }: Places, members: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const id = tusdId()
  const upload = {
    id,
    metadata: { filename: 'a.bin', flag: null },
    size: 5000,
    offset: 0,
    creation_date: '2026-01-02T03:04:05.678Z',
    ...members,
  }
  await writeFile(join(from, id), data)
  await writeFile(join(from, `${id}.json`), JSON.stringify(upload))
  return id
}

test('an upload in flight goes on, with keys that have no value', async () => {
  const at = await places()
  const id = await write(at)
  expect((await runImport(at)).totals).toMatchObject({ imported: 1, unfinished: 1, failed: 0 })
  const server = await serve(at)
  expect((await server.head(id)).headers.get('Upload-Metadata')).toBe('filename YS5iaW4=,flag')
  const rest = randomBytes(4000)
  expect((await server.patch(id, 1000, rest)).status).toBe(204)
  expect((await server.get(id)).equals(Buffer.concat([data, rest]))).toBe(true)
})

test('no size and no metadata: a deferred length', async () => {
  const at = await places()
  const id = await write(at, { size: undefined, metadata: undefined })
  await runImport(at)
  const server = await serve(at)
  expect((await server.head(id)).headers.get('Upload-Defer-Length')).toBe('1')
})

test('the day of creation is kept where it is one', async () => {
  const at = await places()
  await write(at, { size: 1000 })
  await runImport(at, { completedName: '{date}-{name}' })
  expect(readdirSync(join(at.dir, 'completed'))).toEqual(['2026-01-02-a.bin'])
})

test.each([
  ['an id that is a path', { id: '../../x' }, 'its id is another one'],
  ['a size that is none', { size: -5 }, 'its size is not a whole number'],
  ['a size less than its data', { size: 999 }, 'has 1000 bytes'],
  ['metadata as text', { metadata: 'x' }, 'its metadata is not an object'],
  ['metadata with an object', { metadata: { a: {} } }, 'its metadata "a" is not text'],
])('%s: told and left alone', async (_, members, reason) => {
  const at = await places()
  const id = await write(at, members)
  const { events } = await runImport(at)
  expect(events.get(id)).toMatchObject({ kind: 'failed', reason: expect.stringContaining(reason) })
})

test.each([
  ['a date that is none', { creation_date: 'yesterday' }],
  ['a date in the future', { creation_date: '9999-01-01T00:00:00Z' }],
  ['a path of another machine', { storage: { type: 'file', path: '/etc/passwd' } }],
])('%s does not matter', async (_, members) => {
  const at = await places()
  const id = await write(at, members)
  expect((await runImport(at)).events.get(id)?.kind).toBe('imported')
  const server = await serve(at)
  expect((await server.head(id)).headers.get('Upload-Offset')).toBe('1000')
})

test('only the kind that is asked for', async () => {
  const at = await places()
  const json = await write(at)
  const info = await writeTusd(at.from, { size: 5000, data })
  expect([...(await runImport(at, { kind: 'tusd', dryRun: true })).events.keys()]).toEqual([info])
  expect([...(await runImport(at, { kind: 'file-store', dryRun: true })).events.keys()]).toEqual([json])
  expect((await runImport(at)).totals.imported).toBe(2)
})

test('an id with a slash, as a naming function makes them, is told', async () => {
  const at = await places()
  const id = `team/${tusdId()}`
  await mkdir(join(at.from, 'team'))
  await writeFile(join(at.from, id), data)
  await writeFile(join(at.from, `${id}.json`), JSON.stringify({ id, size: 5000, offset: 0 }))
  const { events } = await runImport(at)
  expect(events.get(id)).toMatchObject({ kind: 'failed', reason: expect.stringContaining('cannot be kept') })
})
