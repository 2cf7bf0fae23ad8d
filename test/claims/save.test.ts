import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Claim, ClaimsOptions, Uploads } from '../../src/node/index.ts'
import { bytes, same } from '../support/bytes.ts'
import { appending, codeOf, creation } from '../support/rig.ts'
import { cleanUp, opened, temporaryDirectory, uploaded } from './scene.ts'

afterEach(cleanUp)

interface Scene {
  readonly uploads: Uploads
  readonly root: string
  readonly dest: string
  readonly reports: unknown[]
}

async function scene(options: Partial<Parameters<typeof opened>[0]> = {}): Promise<Scene> {
  const root = temporaryDirectory()
  const reports: unknown[] = []
  const uploads = await opened({
    dir: join(root, 'uploads'),
    report: (error) => reports.push(error),
    ...options,
  })
  return { uploads, root, dest: join(root, 'dest'), reports }
}

async function claimed({ uploads }: Scene, options: ClaimsOptions = {}): Promise<Claim> {
  const claim = await uploads.claim({ timeoutMs: 0, ...options })
  if (claim === undefined) throw new Error('there is no claim')
  return claim
}

/** An HTTP request to what is known of an upload. */
async function asked({ uploads }: Scene, id: string, method: string): Promise<Response> {
  const headers: Record<string, string> = method === 'GET' ? {} : { 'Tus-Resumable': '1.0.0' }
  const response = await uploads.fetch(new Request(`http://x/files/${id}`, { method, headers }))
  if (response === undefined) throw new Error('nobody answers')
  return response
}

function filesIn(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir).sort() : []
}

/** Everything that the store still has. */
function stored({ root }: Scene): string[] {
  return [...filesIn(join(root, 'uploads/data')), ...filesIn(join(root, 'uploads/completed'))]
}

/** Ways that content can be kept until it is claimed. */
const contents: Record<string, Uint8Array> = {
  'nothing at all': new Uint8Array(0),
  'a small body': bytes(1000),
  'a file': bytes(300_000),
}
const places: Record<string, Partial<Parameters<typeof opened>[0]>> = {
  'with a completed directory': {},
  'without one': { completedDir: false },
  'surviving the process only': { durability: 'process' },
}

describe.each(Object.keys(places))('%s', (place) => {
  test.each(Object.keys(contents))('%s is saved once and freed', async (kind) => {
    const s = await scene(places[place])
    const content = contents[kind] ?? new Uint8Array(0)
    const { id } = await uploaded(s.uploads, content, { metadata: { filename: 'report.pdf' } })
    const claim = await claimed(s)
    const path = await claim.save(`${s.dest}/deep/er/${claim.record.metadata.filename}`)
    expect(path).toBe(join(s.dest, 'deep/er/report.pdf'))
    expect(same(readFileSync(path), content)).toBe(true)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    // Whoever downloads it meanwhile gets it.
    expect((await asked(s, id, 'GET')).status).toBe(200)
    await claim.done()
    expect(filesIn(join(s.dest, 'deep/er'))).toEqual(['report.pdf'])
    expect(same(readFileSync(path), content)).toBe(true)
    expect(stored(s)).toEqual([])
    expect(await s.uploads.claim({ timeoutMs: 0 })).toBeUndefined()
    expect(s.reports).toEqual([])
  })
})

test('a late client hears that everything has arrived, but gets nothing back', async () => {
  const s = await scene()
  const { id } = await uploaded(s.uploads, bytes(100_000))
  const claim = await claimed(s)
  await claim.save(`${s.dest}/x`)
  await claim.done()
  const head = await asked(s, id, 'HEAD')
  expect(head.status).toBe(200)
  expect(head.headers.get('upload-offset')).toBe('100000')
  expect(head.headers.get('upload-length')).toBe('100000')
  expect((await asked(s, id, 'GET')).status).toBe(410)
  // Deleting it is fine, and leaves what was saved alone.
  expect((await asked(s, id, 'DELETE')).status).toBe(204)
  expect((await asked(s, id, 'HEAD')).status).toBe(410)
  expect(filesIn(s.dest)).toEqual(['x'])
  expect(s.reports).toEqual([])
})

test('a download that is under way ends with an error, not with wrong bytes', async () => {
  const s = await scene()
  const content = bytes(3_000_000)
  const record = await uploaded(s.uploads, content)
  const range = { start: 0, end: content.length }
  const reading = s.uploads.engine.read(record, range, new AbortController().signal)[Symbol.asyncIterator]()
  const claim = await claimed(s)
  await claim.save(`${s.dest}/x`)
  await claim.done()
  expect(await codeOf(reading.next())).toBe('ERR_UPLOAD_GONE')
})

test('an upload of several pieces is saved whole', async () => {
  const s = await scene()
  const content = bytes(500_000)
  const { id } = await s.uploads.engine.create(creation({ length: content.length }))
  await s.uploads.engine.append(id, appending(0, content.subarray(0, 200_000)))
  await s.uploads.engine.append(id, appending(200_000, content.subarray(200_000)))
  const claim = await claimed(s)
  expect(same(readFileSync(await claim.path()), content)).toBe(true)
  expect(same(readFileSync(await claim.save({ dir: s.dest })), content)).toBe(true)
  expect(filesIn(s.dest)).toEqual([id])
  await claim.done()
  expect(stored(s)).toEqual([])
})

test('a final upload and its parts', async () => {
  const s = await scene()
  const halves = [bytes(100_000, 1), bytes(100_000, 2)]
  const ids = []
  for (const half of halves) ids.push((await uploaded(s.uploads, half, { concat: { kind: 'partial' } })).id)
  const upload = { dialect: 'tus1' as const, metadata: {}, echo: {} }
  await s.uploads.engine.concatenate({ upload, parts: ids })
  const claim = await claimed(s)
  const path = await claim.save(`${s.dest}/whole`)
  await claim.done()
  expect(same(readFileSync(path), Buffer.concat(halves))).toBe(true)
  // The parts are uploads of their own: another final may want them.
  const part = await s.uploads.engine.look(ids[0] as never)
  expect(part.status).toBe('complete')
  expect(await s.uploads.claim({ timeoutMs: 0 })).toBeUndefined()
})

test('done() without save() leaves the upload as it is', async () => {
  const s = await scene()
  const { id } = await uploaded(s.uploads, bytes(100_000))
  const claim = await claimed(s)
  const path = await claim.path()
  await claim.done()
  expect(existsSync(path)).toBe(true)
  expect((await asked(s, id, 'GET')).status).toBe(200)
})

test('done({ remove: true }) ends the upload, saved or not', async () => {
  for (const isSaved of [false, true]) {
    const s = await scene()
    const { id } = await uploaded(s.uploads, bytes(100_000))
    const claim = await claimed(s)
    if (isSaved) await claim.save(`${s.dest}/x`)
    await claim.done({ remove: true })
    expect(stored(s)).toEqual([])
    expect(filesIn(s.dest)).toEqual(isSaved ? ['x'] : [])
    expect(await codeOf(s.uploads.engine.look(id))).toBe('ERR_UPLOAD_GONE')
    expect(await s.uploads.claim({ timeoutMs: 0 })).toBeUndefined()
  }
})

test('a store without plain files has no path', async () => {
  const s = await scene({ completedDir: false })
  await uploaded(s.uploads, bytes(100_000))
  const claim = await claimed(s)
  await expect(claim.path()).rejects.toThrow('plain file')
})

test('an upload that is terminated while it is claimed cannot be saved any more; what was saved stays', async () => {
  const s = await scene()
  const { id } = await uploaded(s.uploads, bytes(100_000))
  const claim = await claimed(s)
  await s.uploads.engine.cancel(id)
  expect(await codeOf(claim.save(`${s.dest}/x`))).toBe('ERR_UPLOAD_GONE')
  expect(await codeOf(claim.digest())).not.toBe('none')
  await claim.done()
  const other = await uploaded(s.uploads, bytes(100_000))
  const saved = await claimed(s)
  await saved.save(`${s.dest}/y`)
  await s.uploads.engine.cancel(other.id)
  await saved.done()
  expect(filesIn(s.dest)).toEqual(['y'])
  expect(s.reports).toEqual([])
})

describe('a name that is taken', () => {
  test.each(Object.keys(places))('is never overwritten, and the next one is used: %s', async (place) => {
    const s = await scene(places[place])
    mkdirSync(s.dest)
    writeFileSync(join(s.dest, 'a.txt'), 'foreign')
    symlinkSync('/etc/hostname', join(s.dest, 'a (2).txt'))
    mkdirSync(join(s.dest, 'a (3).txt'))
    for (const content of ['same', 'same'])
      await uploaded(s.uploads, content, { metadata: { filename: 'a.txt' } })
    const paths: string[] = []
    for await (const claim of s.uploads.claims({ timeoutMs: 0 })) {
      paths.push(await claim.save(`${s.dest}/${claim.record.metadata.filename}`))
      await claim.done()
    }
    expect(paths).toEqual([join(s.dest, 'a (4).txt'), join(s.dest, 'a (5).txt')])
    for (const path of paths) expect(readFileSync(path, 'utf8')).toBe('same')
    expect(readFileSync(join(s.dest, 'a.txt'), 'utf8')).toBe('foreign')
    expect(lstatSync(join(s.dest, 'a (2).txt')).isSymbolicLink()).toBe(true)
    expect(filesIn(s.dest)).toHaveLength(5)
  })

  test.each(Object.keys(places))('is overwritten in one step if asked for: %s', async (place) => {
    const s = await scene(places[place])
    mkdirSync(s.dest)
    const target = join(s.dest, 'a.txt')
    writeFileSync(join(s.root, 'elsewhere'), 'foreign')
    symlinkSync(join(s.root, 'elsewhere'), target)
    for (const content of ['one', 'two']) {
      await uploaded(s.uploads, content)
      const claim = await claimed(s)
      expect(await claim.save(target, { overwrite: true })).toBe(target)
      // The file is there already: a second time changes nothing.
      expect(await claim.save(target, { overwrite: true })).toBe(target)
      await claim.done()
      expect(readFileSync(target, 'utf8')).toBe(content)
    }
    expect(readFileSync(join(s.root, 'elsewhere'), 'utf8')).toBe('foreign')
    expect(filesIn(s.dest)).toEqual(['a.txt'])
    expect(stored(s)).toEqual([])
  })
})

test('the mode of the file can be said', async () => {
  for (const place of Object.values(places)) {
    const s = await scene(place)
    await uploaded(s.uploads)
    const claim = await claimed(s)
    const path = await claim.save(`${s.dest}/x`, { mode: 0o644 })
    expect(statSync(path).mode & 0o777).toBe(0o644)
    await claim.done()
  }
})

describe.each(Object.keys(places))('the next attempt, %s', (place) => {
  test('finds what the one before has saved', async () => {
    const s = await scene(places[place])
    await uploaded(s.uploads, bytes(100_000), { metadata: { filename: 'a.bin' } })
    const first = await claimed(s)
    const path = await first.save({ dir: s.dest })
    await first.release('something else failed', { delayMs: 0 })
    const second = await claimed(s)
    expect(second.attempt).toBe(2)
    expect(await second.save({ dir: s.dest })).toBe(path)
    expect(await second.save({ dir: s.dest })).toBe(path)
    await second.done()
    expect(filesIn(s.dest)).toEqual(['a.bin'])
    expect(stored(s)).toEqual([])
  })

  test('finds it also after the upload was given up and brought back', async () => {
    const s = await scene(places[place])
    await uploaded(s.uploads, bytes(100_000), { metadata: { filename: 'a.bin' } })
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      const claim = await claimed(s, { maxAttempts: 2 })
      if (attempt === 2) await claim.save({ dir: s.dest })
      await claim.release('no', { delayMs: 0 })
    }
    const [dead] = await s.uploads.deadClaims()
    await dead?.replay()
    const claim = await claimed(s, { maxAttempts: 2 })
    expect(claim.attempt).toBe(1)
    await claim.save({ dir: s.dest })
    await claim.done()
    expect(filesIn(s.dest)).toEqual(['a.bin'])
  })
})

test('another file system: the content is copied, and nothing is left beside it', async ({ skip }) => {
  if (!existsSync('/dev/shm') || statSync('/dev/shm').dev === statSync('/tmp').dev)
    return skip('there is no second file system here')
  const s = await scene()
  const dest = temporaryDirectory('/dev/shm')
  const content = bytes(2_000_000)
  await uploaded(s.uploads, content, { metadata: { filename: 'a.bin' } })
  const first = await claimed(s)
  const path = await first.save({ dir: dest })
  await first.release('again', { delayMs: 0 })
  const second = await claimed(s)
  expect(await second.save({ dir: dest })).toBe(path)
  await second.done()
  expect(filesIn(dest)).toEqual(['a.bin'])
  expect(same(readFileSync(path), content)).toBe(true)
  expect(statSync(path).nlink).toBe(1)
  expect(stored(s)).toEqual([])
})

test('a folder that cannot be made, or is none, fails and keeps the upload', async () => {
  const s = await scene()
  writeFileSync(join(s.root, 'file'), '')
  await uploaded(s.uploads)
  const claim = await claimed(s)
  await expect(claim.save(join(s.root, 'file', 'x'))).rejects.toThrow(/ENOTDIR/)
  await expect(claim.save('/proc/uploads/x')).rejects.toThrow(/ENOENT/)
  await claim.save(join(s.dest, 'x'))
  await claim.done()
})
