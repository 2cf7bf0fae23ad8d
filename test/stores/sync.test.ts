import { expect, test } from 'vitest'

import { nodeDisk } from '../../src/stores/file/disk.ts'
import { Directory } from '../../src/stores/file/directory.ts'
import { SyncGate } from '../../src/stores/file/sync-gate.ts'
import { diskThatHolds, diskThatNotes, diskWith } from './faulty-disk.ts'
import { temporaryDirectory } from './temporary-directory.ts'

test('a gate lets so many through, in the order they came', async () => {
  const gate = new SyncGate(2)
  const order: number[] = []
  const finish: (() => void)[] = []
  const tasks = [0, 1, 2, 3, 4].map((index) =>
    gate.run(async () => {
      order.push(index)
      await new Promise<void>((resolve) => finish.push(resolve))
    }),
  )
  expect(order).toEqual([0, 1])
  finish[0]?.()
  await tasks[0]
  expect(order).toEqual([0, 1, 2])
  for (let index = 1; index < 5; index += 1) {
    finish[index]?.()
    await tasks[index]
  }
  expect(order).toEqual([0, 1, 2, 3, 4])
})

test('a gate opens again after a failure', async () => {
  const gate = new SyncGate(1)
  await expect(gate.run(() => Promise.reject(new Error('disk')))).rejects.toThrow('disk')
  expect(await gate.run(async () => 'next')).toBe('next')
})

test('one directory sync serves all that ask while another runs', async () => {
  const { disk, reached, release } = diskThatHolds('fsync')
  const noted = diskThatNotes()
  const directory = new Directory(
    await temporaryDirectory(),
    { ...noted.disk, fsync: async (fd) => disk.fsync(fd).then(() => noted.disk.fsync(fd)) },
    true,
  )
  const first = directory.sync()
  await reached
  // These changes may be too late for the running sync: they share the next one.
  const others = [directory.sync(), directory.sync(), directory.sync()]
  release()
  await Promise.all([first, ...others])
  expect(noted.calls).toEqual(['open', 'fsync', 'fsync'])
  await directory.close()
})

test('a failed directory sync is told to those it was for, and to no others', async () => {
  const { disk } = diskWith({ call: 'fsync', nth: 1, fault: 'EIO' })
  const directory = new Directory(await temporaryDirectory(), disk, true)
  const first = directory.sync()
  const second = directory.sync()
  await expect(first).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  await second
  await directory.close()
})

test('a directory that is not there cannot be synced, until it is', async () => {
  const directory = new Directory('/nonexistent/carryon', nodeDisk, true)
  await expect(directory.sync()).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  await expect(directory.sync()).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  await directory.close()
})
