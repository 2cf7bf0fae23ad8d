import { stat, symlink, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'

import type { Placement } from '../../src/core/upload.ts'
import { nodeDisk } from '../../src/stores/file/disk.ts'
import type { Disk } from '../../src/stores/file/disk.ts'
import { bytesOf, join as joinBytes } from '../../src/testing/store-contract/scene.ts'
import type { Scene, Upload } from '../../src/testing/store-contract/scene.ts'
import { diskThatNotes, diskWith } from './faulty-disk.ts'
import { sceneOn, segmentsOf } from './file-scene.ts'
import { filesIn } from './temporary-directory.ts'

const LARGE = 100_000

async function concatenated(scene: Scene, parts: readonly Upload[]): Promise<Upload> {
  const length = parts.reduce((sum, { record }) => sum + record.offset, 0)
  const whole = scene.upload(length)
  const placement: Placement = await scene.store.concatenate!(
    parts.map(({ record }) => record),
    whole.record,
  )
  whole.change({ placement, offset: length })
  return whole
}

test('files are joined by further names, not by copies, with one sync of the directory', async () => {
  const { disk, calls } = diskThatNotes()
  const { root, scene } = await sceneOn(disk)
  const parts = [
    await scene.complete(bytesOf(LARGE, 1)),
    await scene.complete(bytesOf(30, 2)),
    await scene.complete(bytesOf(40, 3)),
    await scene.complete(bytesOf(LARGE, 4)),
  ]
  calls.splice(0)
  const whole = await concatenated(scene, parts)
  // Small neighbours share one file.
  expect(calls.toSorted()).toEqual(
    ['close', 'fdatasync', 'fsync', 'link', 'link', 'lstat', 'lstat', 'open', 'writev'].toSorted(),
  )
  const [first, second, third] = segmentsOf(whole)
  const inodeOf = async (name: string | undefined): Promise<number> =>
    (await stat(join(root, name ?? ''))).ino
  expect(await inodeOf(first?.file)).toBe(await inodeOf(parts[0]!.record.id))
  expect(await inodeOf(third?.file)).toBe(await inodeOf(parts[3]!.record.id))
  expect((await stat(join(root, second?.file ?? ''))).mode & 0o777).toBe(0o600)
  await whole.holds(joinBytes(bytesOf(LARGE, 1), bytesOf(30, 2), bytesOf(40, 3), bytesOf(LARGE, 4)))
})

test('a whole is never extended in place: its files belong to its parts as well', async () => {
  const { scene } = await sceneOn()
  const part = await scene.complete(bytesOf(LARGE, 1))
  const whole = await concatenated(scene, [part])
  whole.change({ length: LARGE + 10 })
  await whole.append([bytesOf(10, 2)])
  await part.holds(bytesOf(LARGE, 1))
  await whole.holds(joinBytes(bytesOf(LARGE, 1), bytesOf(10, 2)))
})

test.each(['EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK'])(
  'where linking fails with %s the bytes are copied',
  async (code) => {
    const { disk, calls } = diskThatNotes()
    const link: Disk['link'] = () => Promise.reject(Object.assign(new Error(code), { code }))
    const { scene } = await sceneOn({ ...disk, link })
    const part = await scene.complete(bytesOf(LARGE, 1))
    calls.splice(0)
    const whole = await concatenated(scene, [part, part])
    expect(calls.filter((call) => call === 'copyFile')).toHaveLength(2)
    expect(calls.filter((call) => call === 'fdatasync')).toHaveLength(2)
    await scene.store.remove(part.record)
    await whole.holds(joinBytes(bytesOf(LARGE, 1), bytesOf(LARGE, 1)))
  },
)

test('any other failure leaves nothing behind', async () => {
  const { disk } = diskWith({ call: 'link', nth: 2, fault: 'ENOSPC' })
  const { root, scene } = await sceneOn(disk)
  const part = await scene.complete(bytesOf(LARGE, 1))
  const small = await scene.complete(bytesOf(10, 1))
  await expect(concatenated(scene, [part, small, part])).rejects.toMatchObject({ code: 'ERR_STORE_FULL' })
  expect(await filesIn(root)).toEqual([part.record.id])
})

test('a part that is too short or a link is corrupt', async () => {
  const { root, scene } = await sceneOn()
  const part = await scene.complete(bytesOf(LARGE, 1))
  const path = join(root, part.record.id)
  await truncate(path, LARGE - 1)
  await expect(concatenated(scene, [part])).rejects.toMatchObject({ code: 'ERR_CORRUPT_RECORD' })
  await unlink(path)
  await writeFile(join(root, 'other'), bytesOf(LARGE, 1))
  await symlink(join(root, 'other'), path)
  await expect(concatenated(scene, [part])).rejects.toMatchObject({ code: 'ERR_CORRUPT_RECORD' })
  expect(await filesIn(root)).toEqual([part.record.id, 'other'].toSorted())
})

test('no more than 256 files are kept open', async () => {
  let open = 0
  const disk: Disk = {
    ...nodeDisk,
    open: (path, flags, mode) => {
      open += 1
      return nodeDisk.open(path, flags, mode)
    },
    close: (fd) => {
      open -= 1
      return nodeDisk.close(fd)
    },
  }
  const { scene } = await sceneOn(disk, { durability: 'process' })
  for (let count = 0; count < 300; count += 1) await scene.upload(undefined).append([bytesOf(10)])
  expect(open).toBe(256)
  await scene.store.close()
  expect(open).toBe(0)
})
