import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { newUploadId } from '../../../src/core/new-upload-id.ts'
import { nodeDisk } from '../../../src/stores/file/disk.ts'
import type { FileAdopter } from '../../../src/stores/file/index.ts'
import { fileAdopter } from '../../../src/stores/file/index.ts'
import { afterTest, places } from './scene.ts'

const data = randomBytes(1000)
const id = newUploadId((bytes) => crypto.getRandomValues(bytes))

afterEach(() => {
  vi.restoreAllMocks()
})

interface Bench {
  readonly path: string
  readonly dir: string
  readonly adopter: FileAdopter
  readonly adopt: (how: 'link' | 'copy', sizeBytes?: number) => ReturnType<FileAdopter['adopt']>
}

async function bench(freeBytes?: number): Promise<Bench> {
  const { root, from } = await places()
  const dir = join(root, 'store')
  mkdirSync(dir)
  const path = join(from, 'old')
  await writeFile(path, data, { mode: 0o640 })
  const adopter = fileAdopter({
    dir,
    ...(freeBytes === undefined ? {} : { freeBytes: async () => freeBytes }),
  })
  afterTest(() => adopter.close())
  const adopt: Bench['adopt'] = (how, sizeBytes = data.length) =>
    adopter.adopt({ id, path, sizeBytes, how, writer: 'me.0' })
  return { path, dir, adopter, adopt }
}

test.each(['link', 'copy'] as const)('%s: the bytes under the plain name', async (how) => {
  const { dir, path, adopter, adopt } = await bench()
  const fsync = vi.spyOn(nodeDisk, 'fsync')
  const adopted = await adopt(how)
  expect(fsync).toHaveBeenCalledOnce()
  const segment = { file: id, start: 0, length: 1000, writer: 'me.0', epoch: 1 }
  expect(adopted).toMatchObject({ kind: 'adopted', how, placement: { where: { segments: [segment] } } })
  await adopter.sync()
  expect(fsync).toHaveBeenCalledTimes(2)
  expect(readFileSync(join(dir, id)).equals(data)).toBe(true)
  expect(statSync(path).nlink).toBe(how === 'link' ? 2 : 1)
  expect(statSync(path).mode & 0o777).toBe(0o640)
  expect(statSync(join(dir, id)).mode & 0o777).toBe(how === 'link' ? 0o640 : 0o600)
})

test.each(['link', 'copy'] as const)(
  '%s: a name that is taken is left alone, and can be taken back',
  async (how) => {
    const { dir, adopt } = await bench()
    await writeFile(join(dir, id), 'of a crash')
    const adopted = await adopt(how)
    expect(readFileSync(join(dir, id), 'utf8')).toBe('of a crash')
    const [other = ''] = readdirSync(dir).filter((name) => name !== id)
    expect(other).toMatch(new RegExp(`^${id}\\.0-[0-9a-f]{12}$`))
    expect(readFileSync(join(dir, other)).equals(data)).toBe(true)
    if (adopted.kind === 'adopted') await adopted.release()
    expect(readdirSync(dir)).toEqual([id])
  },
)

test('a file of another size than it had is refused, and nothing is left', async () => {
  const { dir, adopt } = await bench()
  for (const sizeBytes of [0, 999, 1001]) {
    expect(await adopt('link', sizeBytes)).toEqual({ kind: 'refused', why: 'changed' })
  }
  expect(readdirSync(dir)).toEqual([])
})

test('no bytes, no file', async () => {
  const { dir, path, adopt } = await bench()
  await writeFile(path, '')
  expect(await adopt('copy', 0)).toMatchObject({ how: 'nothing', placement: { where: null } })
  expect(readdirSync(dir)).toEqual([])
})

test('a link and a directory are no data', async () => {
  const { dir, path, adopter } = await bench()
  symlinkSync(path, join(dir, 'link'))
  const request = { id, sizeBytes: data.length, how: 'copy', writer: 'me.0' } as const
  const refused = { kind: 'refused', why: 'no-plain-file' }
  expect(await adopter.adopt({ ...request, path: join(dir, 'link') })).toEqual(refused)
  expect(await adopter.adopt({ ...request, path: dir })).toEqual(refused)
  await expect(adopter.adopt({ ...request, path: join(dir, 'none') })).rejects.toMatchObject({
    code: 'ENOENT',
  })
})

test('a copy that finds no room leaves nothing; a link needs none', async () => {
  const { dir, adopt } = await bench(999)
  await expect(adopt('copy')).rejects.toMatchObject({ code: 'ERR_STORE_FULL' })
  expect(readdirSync(dir)).toEqual([])
  expect(await adopt('link')).toMatchObject({ how: 'link' })
})
