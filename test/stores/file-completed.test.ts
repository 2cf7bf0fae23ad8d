import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'

import type { Store } from '../../src/core/ports/store.ts'
import { nodeDisk } from '../../src/stores/file/disk.ts'
import type { Disk } from '../../src/stores/file/disk.ts'
import { fileStore, fileStoreOn } from '../../src/stores/file/index.ts'
import type { FileStoreOptions } from '../../src/stores/file/index.ts'
import { bytesOf, join as joinBytes, Scene } from '../../src/testing/store-contract/scene.ts'
import type { Upload } from '../../src/testing/store-contract/scene.ts'
import { diskThatNotes, diskThatStops } from './faulty-disk.ts'
import { contentsOf, filesIn, fingerprint, temporaryDirectory } from './temporary-directory.ts'

/** The real disk, but another object: the store then settles in this thread, which starts faster than a worker. */
const here: Disk = { ...nodeDisk }

function optionsFor(root: string, more: Partial<FileStoreOptions> = {}): FileStoreOptions {
  return { dir: root, completedDir: join(root, 'completed'), completedName: '{name}', ...more }
}

function sceneOf(store: Store): Scene {
  return new Scene({ store, dispose: async () => {} })
}

/** An upload of two processes: two files. */
async function twoSegments(scene: Scene, filename: string): Promise<Upload> {
  const upload = scene.upload(200_000, { filename })
  await upload.append([bytesOf(90_000, 1)])
  upload.change({ epoch: 5 })
  const appender = await upload.open({ epoch: 5, writer: 'heir', mayExtend: (writer) => writer === 'heir' })
  await appender.write([bytesOf(110_000, 2)])
  upload.apply(await appender.commit())
  await appender.close()
  return upload
}

/** Uploads of every kind that can be finished, and what their files must hold. */
async function oneOfEach(scene: Scene): Promise<{ uploads: Upload[]; expected: Map<string, string> }> {
  const part = await scene.complete(bytesOf(80_000, 4))
  const uploads = [
    await scene.complete(bytesOf(10, 1), true, { filename: 'same.txt' }),
    await scene.complete(bytesOf(20, 2), true, { filename: 'same.txt' }),
    await scene.complete(bytesOf(100_000, 3), true, { filename: 'large.bin' }),
    await twoSegments(scene, 'joined.bin'),
    await scene.complete(new Uint8Array(0), true, { filename: 'empty' }),
  ]
  const whole = scene.upload(80_000, { filename: 'whole.bin' })
  whole.change({ placement: await scene.store.concatenate!([part.record], whole.record), offset: 80_000 })
  uploads.push(whole)
  await scene.store.remove(part.record)
  const expected = new Map([
    ['same.txt', fingerprint(bytesOf(10, 1))],
    ['same (2).txt', fingerprint(bytesOf(20, 2))],
    ['large.bin', fingerprint(bytesOf(100_000, 3))],
    ['joined.bin', fingerprint(joinBytes(bytesOf(90_000, 1), bytesOf(110_000, 2)))],
    ['empty', fingerprint(new Uint8Array(0))],
    ['whole.bin', fingerprint(bytesOf(80_000, 4))],
  ])
  return { uploads, expected }
}

async function finishAndTidy(store: Store, uploads: readonly Upload[]): Promise<void> {
  const outcomes = await store.finish(uploads.map(({ record }) => record))
  for (const [index, outcome] of outcomes.entries()) {
    if (!outcome.ok) throw outcome.error
    const upload = uploads[index]!
    const before = upload.record
    upload.change({ placement: outcome.placement, status: 'complete' })
    await store.tidy(before, outcome.placement)
  }
}

test('complete uploads become plain files under their names, and nothing else stays', async () => {
  const root = await temporaryDirectory()
  const scene = sceneOf(fileStore(optionsFor(root)))
  const { uploads, expected } = await oneOfEach(scene)
  expect(uploads.map(({ record }) => scene.store.finishing(record))).toEqual([
    'after-answer',
    'after-answer',
    'before-answer',
    'after-answer',
    'after-answer',
    'after-answer',
  ])
  await finishAndTidy(scene.store, uploads)
  expect(await contentsOf(join(root, 'completed'))).toEqual(expected)
  expect(await filesIn(root)).toEqual([])
  expect((await stat(join(root, 'completed'))).mode & 0o777).toBe(0o700)
  for (const name of expected.keys()) {
    expect((await stat(join(root, 'completed', name))).mode & 0o777).toBe(0o600)
  }
  await scene.store.close()
})

test('finishing and tidying may be cut at every step and run again: one file each, exact, and no leftovers', async () => {
  let cuts = 0
  for (let after = 0; ; after += 1) {
    const root = await temporaryDirectory()
    const scene = sceneOf(fileStoreOn(here, optionsFor(root)))
    const { uploads, expected } = await oneOfEach(scene)
    const { disk, stopped } = diskThatStops(after)
    const doomed = fileStoreOn(disk, optionsFor(root))
    await finishAndTidy(doomed, uploads).catch(() => undefined)
    if (!stopped()) break
    cuts += 1
    await finishAndTidy(fileStoreOn(here, optionsFor(root)), uploads)
    expect(await contentsOf(join(root, 'completed'))).toEqual(expected)
    expect(await filesIn(root)).toEqual([])
  }
  expect(cuts).toBeGreaterThan(60)
})

test('the same when killed before anything of it was recorded', async () => {
  for (let after = 0; ; after += 1) {
    const root = await temporaryDirectory()
    const scene = sceneOf(fileStoreOn(here, optionsFor(root)))
    const { uploads, expected } = await oneOfEach(scene)
    const { disk, stopped } = diskThatStops(after)
    await fileStoreOn(disk, optionsFor(root)).finish(uploads.map(({ record }) => record))
    await finishAndTidy(scene.store, uploads)
    expect(await contentsOf(join(root, 'completed'))).toEqual(expected)
    expect(await filesIn(root)).toEqual([])
    if (!stopped()) break
  }
})

test('a batch syncs each directory once', async () => {
  const root = await temporaryDirectory()
  const { disk, calls } = diskThatNotes()
  const store = fileStoreOn(disk, optionsFor(root))
  const scene = sceneOf(store)
  const uploads: Upload[] = []
  for (let seed = 0; seed < 50; seed += 1) uploads.push(await scene.complete(bytesOf(100, seed)))
  await store.finish(uploads.map(({ record }) => record))
  const count = (name: string): number => calls.filter((call) => call === name).length
  expect(count('fsync')).toBe(2)
  expect(count('fdatasync')).toBe(50)
  expect(count('link')).toBe(50)
})

test('a foreign file is never overwritten nor removed', async () => {
  const root = await temporaryDirectory()
  const scene = sceneOf(fileStore(optionsFor(root)))
  const completed = join(root, 'completed')
  await writeFile(join(completed, 'a.bin'), 'foreign')
  await writeFile(join(completed, 'a (2).bin'), 'foreign too')
  const small = await scene.complete(bytesOf(10), true, { filename: 'a.bin' })
  const large = await scene.complete(bytesOf(100_000), true, { filename: 'a.bin' })
  await finishAndTidy(scene.store, [small, large])
  expect(await filesIn(completed)).toEqual(['a (2).bin', 'a (3).bin', 'a (4).bin', 'a.bin'])
  expect(await readFile(join(completed, 'a.bin'), 'utf8')).toBe('foreign')
  expect(await readFile(join(completed, 'a (2).bin'), 'utf8')).toBe('foreign too')
  await scene.store.remove(small.record)
  expect(await filesIn(completed)).toHaveLength(3)
  // Somebody has put something else in the place of the other one.
  const { name } = (large.record.placement.where as { completed: { name: string } }).completed
  await writeFile(join(completed, name), 'mine')
  await scene.store.remove(large.record)
  expect(await readFile(join(completed, name), 'utf8')).toBe('mine')
  await scene.store.close()
})

test('a name that is taken a hundred times gets the id', async () => {
  const root = await temporaryDirectory()
  const scene = sceneOf(fileStore(optionsFor(root, { durability: 'process' })))
  const completed = join(root, 'completed')
  await writeFile(join(completed, 'a.bin'), '')
  for (let count = 2; count <= 100; count += 1) await writeFile(join(completed, `a (${count}).bin`), '')
  const upload = await scene.complete(bytesOf(100_000), true, { filename: 'a.bin' })
  await finishAndTidy(scene.store, [upload])
  expect(await readFile(join(completed, `a (${upload.record.id}).bin`))).toHaveLength(100_000)
})

test('bytes behind the record do not reach the completed file', async () => {
  const root = await temporaryDirectory()
  const scene = sceneOf(fileStore(optionsFor(root)))
  const upload = scene.upload(undefined, { filename: 'cut.bin' })
  await upload.append([bytesOf(100_000)])
  const cut = await upload.open()
  await cut.write([bytesOf(5000, 9)])
  await cut.close()
  upload.change({ length: 100_000 })
  await finishAndTidy(scene.store, [upload])
  expect((await contentsOf(join(root, 'completed'))).get('cut.bin')).toBe(fingerprint(bytesOf(100_000)))
  expect(await filesIn(root)).toEqual([])
})

test('two uploads that share their bytes get two files', async () => {
  const root = await temporaryDirectory()
  const scene = sceneOf(fileStore(optionsFor(root)))
  const part = await scene.complete(bytesOf(100_000))
  const wholes: Upload[] = []
  for (let count = 0; count < 2; count += 1) {
    const whole = scene.upload(100_000, { filename: 'same' })
    whole.change({ placement: await scene.store.concatenate!([part.record], whole.record), offset: 100_000 })
    wholes.push(whole)
  }
  await finishAndTidy(scene.store, wholes)
  expect(await filesIn(join(root, 'completed'))).toEqual(['same', 'same (2)'])
  await scene.store.close()
})

test('a completed directory that cannot be linked into gets copies', async () => {
  const root = await temporaryDirectory()
  const elsewhere: Disk = {
    ...nodeDisk,
    link: (existing, path) => {
      const crosses = !existing.includes('/completed/') && path.includes('/completed/')
      const error = Object.assign(new Error('EXDEV'), { code: 'EXDEV' })
      return crosses ? Promise.reject(error) : nodeDisk.link(existing, path)
    },
  }
  const { FileStore } = await import('../../src/stores/file/file-store.ts')
  const { finalName } = await import('../../src/stores/file/final-name.ts')
  fileStore(optionsFor(root))
  const make = (disk: Disk): Store =>
    new FileStore(
      {
        dir: root,
        completed: { dir: join(root, 'completed'), nameOf: finalName('{name}'), sameDevice: false },
        durable: true,
        fileMode: 0o600,
        inlineMaxBytes: 65_536,
        clock: { nowMs: () => Date.now() },
        workerFile: undefined,
      },
      disk,
    )
  for (let after = 0; ; after += 1) {
    const scene = sceneOf(make(elsewhere))
    const { uploads, expected } = await oneOfEach(scene)
    const { disk, stopped } = diskThatStops(after)
    await make(disk).finish(uploads.map(({ record }) => record))
    await finishAndTidy(scene.store, uploads)
    expect(await contentsOf(join(root, 'completed'))).toEqual(expected)
    expect(await filesIn(root)).toEqual([])
    for (const upload of uploads) await scene.store.remove(upload.record)
    expect(await filesIn(join(root, 'completed'))).toEqual([])
    if (!stopped()) break
  }
})
