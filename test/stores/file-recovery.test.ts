import { appendFile, readFile, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'

import type { WriteRight } from '../../src/core/ports/store.ts'
import { nodeDisk } from '../../src/stores/file/disk.ts'
import { bytesOf } from '../../src/testing/store-contract/scene.ts'
import { diskThatHolds, diskWith } from './faulty-disk.ts'
import { BYTES, HALF, REST, sceneOn, segmentsOf, SIZE } from './file-scene.ts'
import { filesIn, fingerprint } from './temporary-directory.ts'

test('what lies behind the record is cut off before the file grows', async () => {
  const { root, scene } = await sceneOn()
  const upload = scene.upload(SIZE)
  await upload.append([HALF])
  await scene.restart()
  // What ext4 may show after a power cut.
  await appendFile(join(root, upload.record.id), Buffer.alloc(70_000))
  const appender = await upload.open()
  expect((await stat(join(root, upload.record.id))).size).toBe(SIZE / 2)
  await appender.write([REST])
  upload.apply(await appender.commit())
  await appender.close()
  await upload.holds(BYTES)
  expect(await filesIn(root)).toEqual([upload.record.id])
})

test('a file that is shorter than recorded is corrupt', async () => {
  const { root, scene } = await sceneOn()
  const upload = scene.upload(SIZE)
  await upload.append([HALF])
  await scene.restart()
  await truncate(join(root, upload.record.id), SIZE / 2 - 1)
  await expect(upload.open()).rejects.toMatchObject({ code: 'ERR_CORRUPT_RECORD' })
  await expect(upload.read()).rejects.toMatchObject({ code: 'ERR_CORRUPT_RECORD' })
  await unlink(join(root, upload.record.id))
  await expect(upload.open()).rejects.toMatchObject({ code: 'ERR_CORRUPT_RECORD' })
  await expect(upload.read()).rejects.toMatchObject({ code: 'ERR_CORRUPT_RECORD' })
})

test('after a failed data sync the file is left alone and a new one goes on', async () => {
  const { disk, fired } = diskWith({ call: 'fdatasync', nth: 2, fault: 'EIO' })
  const { root, scene } = await sceneOn(disk)
  const upload = scene.upload(SIZE)
  await upload.append([HALF])
  const unlucky = await upload.open()
  await unlucky.write([bytesOf(1000, 9)])
  await expect(unlucky.commit()).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  expect(fired()).toBe(true)
  // The kernel would call the next sync a success although the pages may be gone.
  await expect(unlucky.commit()).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  await expect(unlucky.write([bytesOf(10)])).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  await unlucky.close()
  await upload.append([REST])
  await upload.holds(BYTES)
  const [first, second] = segmentsOf(upload)
  expect(first).toMatchObject({ file: upload.record.id, length: SIZE / 2 })
  expect(second?.file).not.toBe(upload.record.id)
  expect(await filesIn(root)).toEqual([first?.file, second?.file])
})

test('a commit that was waiting while another failed fails too', async () => {
  const { disk } = diskWith({ call: 'fdatasync', nth: 1, fault: 'EIO' })
  const { scene } = await sceneOn(disk)
  const appender = await scene.upload(SIZE).open()
  await appender.write([HALF])
  const commits = [appender.commit(), appender.commit()]
  for (const commit of commits) await expect(commit).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  await appender.close()
})

test('after a full disk what was written before still commits, and the rest is given back', async () => {
  const { disk } = diskWith({ call: 'writev', nth: 3, fault: 'ENOSPC' })
  const { root, scene } = await sceneOn(disk)
  const upload = scene.upload(SIZE)
  const appender = await upload.open()
  await appender.write([HALF.subarray(0, 100_000)])
  upload.apply(await appender.commit())
  await appender.write([HALF.subarray(100_000)])
  await expect(appender.write([REST])).rejects.toMatchObject({ code: 'ERR_STORE_FULL' })
  upload.apply(await appender.commit())
  await appender.close()
  expect((await stat(join(root, upload.record.id))).size).toBe(SIZE / 2)
  await upload.holds(HALF)
  await upload.append([REST])
  await upload.holds(BYTES)
})

test('a full disk at the first byte leaves no file behind', async () => {
  const { disk } = diskWith({ call: 'writev', nth: 1, fault: 'ENOSPC' })
  const { root, scene } = await sceneOn(disk)
  const upload = scene.upload(SIZE)
  const appender = await upload.open()
  await expect(appender.write([HALF])).rejects.toMatchObject({ code: 'ERR_STORE_FULL' })
  expect(await appender.commit()).toMatchObject({ offset: 0 })
  await appender.close()
  expect(await filesIn(root)).toEqual([])
  await upload.append([BYTES])
  await upload.holds(BYTES)
})

test('a file of a frozen process is left alone, and its late writes do not show', async () => {
  const { root, scene } = await sceneOn()
  const upload = scene.upload(SIZE)
  await upload.append([HALF.subarray(0, 1000)])
  const frozen = await upload.open()
  await frozen.write([bytesOf(500, 9)])
  // Another process, which shares nothing with the frozen one but the directory.
  await scene.restart()
  const right: WriteRight = { epoch: 2, writer: 'heir', mayExtend: (writer) => writer === 'heir' }
  upload.change({ epoch: 2 })
  const heir = await upload.open(right)
  await heir.write([BYTES.subarray(1000)])
  await frozen.write([bytesOf(5000, 8)])
  await frozen.commit()
  upload.apply(await heir.commit())
  await heir.close()
  await frozen.close()
  await upload.holds(BYTES)
  expect(segmentsOf(upload).map(({ writer }) => writer)).toEqual(['process-1', 'heir'])
  expect(await filesIn(root)).toHaveLength(2)
})

test('a file of a dead process is extended', async () => {
  const { root, scene } = await sceneOn()
  const upload = scene.upload(SIZE)
  await upload.append([HALF])
  await scene.restart()
  upload.change({ epoch: 2 })
  await upload.append([REST])
  expect(segmentsOf(upload)).toMatchObject([{ file: upload.record.id, length: SIZE, writer: 'process-2' }])
  expect(await filesIn(root)).toEqual([upload.record.id])
})

test('a file of a dead process is left alone if somebody else held the upload since', async () => {
  const { root, scene } = await sceneOn()
  const upload = scene.upload(SIZE)
  await upload.append([HALF])
  await scene.restart()
  // The holder of epoch 2 extends the file of the dead one, is frozen before it commits, and wakes up late.
  upload.change({ epoch: 2 })
  const frozen = await upload.open()
  await scene.restart()
  upload.change({ epoch: 3 })
  const heir = await upload.open({ epoch: 3, writer: 'heir', mayExtend: (writer) => writer !== 'process-2' })
  await heir.write([REST])
  upload.apply(await heir.commit())
  await frozen.write([bytesOf(SIZE / 2, 9)])
  await upload.holds(BYTES)
  expect(await filesIn(root)).toHaveLength(2)
  await heir.close()
  await frozen.close()
})

test('a leftover of a crash before the first commit is not touched, and goes with the upload', async () => {
  const { root, scene } = await sceneOn()
  const upload = scene.upload(SIZE)
  await writeFile(join(root, upload.record.id), bytesOf(5000, 9))
  await upload.append([BYTES])
  await upload.holds(BYTES)
  expect(await filesIn(root)).toHaveLength(2)
  await scene.store.remove(upload.record)
  expect(await filesIn(root)).toEqual([])
})

test('a file with a second name is not extended', async () => {
  const { root, scene } = await sceneOn()
  const upload = scene.upload(SIZE)
  await upload.append([HALF])
  await scene.restart()
  await nodeDisk.link(join(root, upload.record.id), join(root, 'backup'))
  await upload.append([REST])
  await upload.holds(BYTES)
  expect(fingerprint(await readFile(join(root, 'backup')))).toBe(fingerprint(HALF))
})

test('close waits for a write under way: its descriptor could name another file by then', async () => {
  const { disk, reached, release } = diskThatHolds('writev')
  const { scene } = await sceneOn(disk)
  const upload = scene.upload(SIZE)
  const appender = await upload.open()
  const writing = appender.write([HALF])
  await reached
  let closed = false
  const closing = appender.close().then(() => {
    closed = true
  })
  const second = await upload.open()
  expect(closed).toBe(false)
  release()
  await writing
  await closing
  await second.write([BYTES])
  upload.apply(await second.commit())
  await second.close()
  await upload.holds(BYTES)
})
