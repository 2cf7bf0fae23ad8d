import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Claim, Uploads } from '../../src/node/index.ts'
import { readRecord } from '../../src/node/index.ts'
import { codeOf } from '../support/rig.ts'
import { cleanUp, opened, temporaryDirectory, uploaded } from './scene.ts'

afterAll(cleanUp)

const SHA256 = 'ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73'
let uploads: Uploads
beforeAll(async () => {
  const hooks = {
    onCreate: () => ({
      kind: 'change' as const,
      serverMetadata: { tenant: 7, tags: ['a', null, { deep: true }] },
      owner: 'alice',
    }),
  }
  uploads = await opened({ dir: temporaryDirectory(), durability: 'process', hooks })
})

async function claimed(content: string, metadata: Record<string, string> = {}): Promise<Claim> {
  await uploaded(uploads, content, { metadata })
  const claim = await uploads.claim({ timeoutMs: 0 })
  if (claim === undefined) throw new Error('there is no claim')
  return claim
}

test('what is known is written beside the file and read back', async () => {
  const dest = temporaryDirectory()
  const metadata = { filename: '../a?.txt', note: 'ümläut "\u2028"' }
  const claim = await claimed('content', metadata)
  const path = await claim.save(`${dest}/${claim.record.metadata.filename}`)
  const recordPath = await claim.saveRecord()
  expect(recordPath).toBe(`${path}.json`)
  await claim.done()
  expect(statSync(recordPath).mode & 0o777).toBe(0o600)
  expect(readdirSync(dest).sort()).toEqual(['a_.txt', 'a_.txt.json'])
  const record = await readRecord(recordPath)
  expect(record).toEqual({ ...claim.record, metadata, digest: { algorithm: 'sha256', hex: SHA256 } })
  expect(record.finishedAt).toBeInstanceOf(Date)
  expect(record.owner).toBe('alice')
  expect(record.serverMetadata).toEqual({ tenant: 7, tags: ['a', null, { deep: true }] })
  const text = JSON.parse(readFileSync(recordPath, 'utf8')) as Record<string, unknown>
  expect(text['createdAt']).toBe(claim.record.createdAt.toISOString())
})

test('the digest is another one, or left out', async () => {
  const dest = temporaryDirectory()
  const claim = await claimed('content')
  const without = await readRecord(await claim.saveRecord(`${dest}/none.json`, { digest: false }))
  expect(without).not.toHaveProperty('digest')
  const other = await readRecord(await claim.saveRecord(`${dest}/md5.json`, { digest: 'md5' }))
  expect(other.digest).toEqual({ algorithm: 'md5', hex: '9a0364b9e99bb480dd25e1f0284c8555' })
  // One that was computed anyway is written.
  const computed = await readRecord(await claim.saveRecord(`${dest}/again.json`, { digest: false }))
  expect(computed.digest?.algorithm).toBe('md5')
  await claim.done()
})

test('without a file or a path there is no place for it', async () => {
  const claim = await claimed('content')
  await expect(claim.saveRecord()).rejects.toThrow(TypeError)
  await claim.done()
})

test('a path for it is as safe as one for a file', async () => {
  const dest = temporaryDirectory()
  const claim = await claimed('content', { filename: 'a.txt', other: '../../x' })
  await expect(claim.saveRecord(`${dest}/x/${claim.record.metadata['other']}`)).rejects.toThrow(RangeError)
  expect(await claim.saveRecord(`${dest}/`)).toBe(join(dest, 'a.txt.json'))
  await claim.done()
})

test('a record of the same upload is replaced; a file of somebody else never is', async () => {
  const dest = temporaryDirectory()
  // A client can name its file as the record of another file will be named.
  const foreign = await claimed('{"not":"a record"}', { filename: 'a.txt.json' })
  await foreign.save({ dir: dest })
  await foreign.saveRecord()
  await foreign.done()
  const claim = await claimed('content', { filename: 'a.txt' })
  await claim.save({ dir: dest })
  const first = await claim.saveRecord(undefined, { digest: false })
  const second = await claim.saveRecord()
  await claim.done()
  expect(first).toBe(join(dest, 'a.txt (2).json'))
  expect(second).toBe(first)
  expect((await readRecord(second)).digest?.hex).toBe(SHA256)
  expect(readFileSync(join(dest, 'a.txt.json'), 'utf8')).toBe('{"not":"a record"}')
  expect(readdirSync(dest).sort()).toEqual(['a.txt', 'a.txt (2).json', 'a.txt.json', 'a.txt.json.json'])
})

describe('what is no record is refused with the reason', () => {
  const good = {
    id: 'some-id',
    metadata: {},
    serverMetadata: {},
    length: 1,
    createdAt: '2026-01-01T00:00:00.000Z',
    lastWriteAt: '2026-01-01T00:00:00.000Z',
    finishedAt: '2026-01-01T00:00:00.000Z',
    durationMs: 0,
  }
  const bad: Record<string, string> = {
    empty: '',
    'not JSON': 'hello',
    'cut off': JSON.stringify(good).slice(0, 50),
    null: 'null',
    'a list': '[]',
    'without id': JSON.stringify({ ...good, id: undefined }),
    'with an empty id': JSON.stringify({ ...good, id: '' }),
    'a number in metadata': JSON.stringify({ ...good, metadata: { a: 1 } }),
    'no date': JSON.stringify({ ...good, createdAt: 'yesterday' }),
    'a negative length': JSON.stringify({ ...good, length: -1 }),
    'a fraction': JSON.stringify({ ...good, length: 0.5 }),
    'a strange digest': JSON.stringify({ ...good, digest: { algorithm: 'rot13', hex: '00' } }),
  }
  test('a good one is read', async () => {
    const path = join(temporaryDirectory(), 'x.json')
    writeFileSync(path, JSON.stringify({ ...good, added: 'by a later version' }))
    expect(await readRecord(path)).toMatchObject({ id: 'some-id', owner: undefined })
  })
  test.each(Object.keys(bad))('%s', async (name) => {
    const path = join(temporaryDirectory(), 'x.json')
    writeFileSync(path, bad[name] ?? '')
    expect(await codeOf(readRecord(path))).toBe('ERR_CORRUPT_RECORD')
    await expect(readRecord(path)).rejects.toThrow(path)
  })
  test('a file that is too large, a folder, a pipe, nothing at all', async () => {
    const dir = temporaryDirectory()
    writeFileSync(join(dir, 'large'), '')
    truncateSync(join(dir, 'large'), 2 ** 33)
    mkdirSync(join(dir, 'folder'))
    execFileSync('mkfifo', [join(dir, 'pipe')])
    for (const name of ['large', 'folder', 'pipe']) {
      expect(await codeOf(readRecord(join(dir, name))), name).toBe('ERR_CORRUPT_RECORD')
    }
    await expect(readRecord(join(dir, 'nothing'))).rejects.toThrow(/ENOENT/)
  })
})
