import { execFileSync } from 'node:child_process'
import { stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { TestContext } from 'vitest'

import { sqliteCatalog } from '../../src/catalogs/sqlite/index.ts'
import { nodeDisk } from '../../src/stores/file/disk.ts'
import { fileStore } from '../../src/stores/file/index.ts'
import { bytesOf, Scene } from '../../src/testing/store-contract/scene.ts'
import { appending, codeOf, creation, recorded, rig } from '../support/rig.ts'
import { sceneOn } from './file-scene.ts'
import { filesIn, temporaryDirectory } from './temporary-directory.ts'

const MIB = 1024 * 1024

/** A small file system of its own at `path`. @returns How to take it away, or why there is none. */
function mountSmall(path: string, size: string): (() => void) | string {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'only root can mount a small file system'
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path], { stdio: 'pipe' })
  } catch (error) {
    return `no file system can be mounted here: ${String(error)}`
  }
  return () => execFileSync('umount', ['-l', path])
}

async function onSmallDisk(context: TestContext, size: string, run: (root: string) => Promise<void>) {
  const root = await temporaryDirectory()
  const unmount = mountSmall(root, size)
  if (typeof unmount === 'string') {
    console.warn(`NOT RUN: ${context.task.name}: ${unmount}`)
    context.skip(unmount)
    return
  }
  try {
    await run(root)
  } finally {
    unmount()
  }
}

test('a disk that is really full', (context) =>
  onSmallDisk(context, '1m', async (root) => {
    const scene = new Scene({ store: fileStore({ dir: root }), dispose: async () => {} })
    const bytes = bytesOf(1_500_000)
    const kept = scene.upload(bytes.byteLength)
    await kept.append([bytes.subarray(0, 600_000)])
    const appender = await kept.open()
    await expect(appender.write([bytes.subarray(600_000)])).rejects.toMatchObject({ code: 'ERR_STORE_FULL' })
    await appender.close()
    await kept.holds(bytes.subarray(0, 600_000))
    expect((await stat(join(root, kept.record.id))).size).toBe(600_000)

    const refused = scene.upload(2_000_000)
    const other = await refused.open()
    await expect(other.write([bytes])).rejects.toMatchObject({ code: 'ERR_STORE_FULL' })
    await other.close()
    expect(await filesIn(root)).toEqual([kept.record.id])

    await kept.append([bytes.subarray(600_000, 700_000)])
    await kept.holds(bytes.subarray(0, 700_000))
    await scene.store.close()
  }))

test('uploads that take all the space they are given leave enough to record, to go on and to delete', (context) =>
  onSmallDisk(context, '16m', async (root) => {
    const catalog = await sqliteCatalog({ path: join(root, 'carryon.db') })
    // Free space is asked for once: what the catalog writes meanwhile does not count.
    const clock = { nowMs: () => 0 }
    const one = rig({ catalog, store: fileStore({ dir: join(root, 'data'), clock }) })
    const room = (await one.store.freeBytes?.()) ?? 0
    const { bavail, bsize } = await statfs(root)
    expect(bavail * bsize - room).toBeCloseTo(0.05 * 16 * MIB, -4)

    expect(await codeOf(one.engine.create(creation({ length: room + 1 })))).toBe('ERR_STORE_FULL')
    const { id } = await one.engine.create(creation({ length: room }))
    for (let offset = 0; offset < room; offset += MIB) {
      await one.engine.append(id, appending(offset, bytesOf(Math.min(MIB, room - offset))))
    }
    expect(await recorded(one, id)).toMatchObject({ status: 'complete', offset: room })
    for (let count = 0; count < 50; count += 1) await one.engine.create(creation({ length: undefined }))
    await one.engine.cancel(id)
    expect(await filesIn(join(root, 'data'))).toEqual([])
    await one.engine.close(0)
  }))

test.each([
  { what: 'a twentieth of a small file system', sizeBytes: 1000 * MIB, freeBytes: 70 * MIB, room: 20 * MIB },
  { what: '64 MiB of a large one', sizeBytes: 1e6 * MIB, freeBytes: 70 * MIB, room: 6 * MIB },
  { what: 'no more than there is', sizeBytes: 1e6 * MIB, freeBytes: 60 * MIB, room: 0 },
])('$what is kept back', async ({ sizeBytes, freeBytes, room }) => {
  const { scene } = await sceneOn({ ...nodeDisk, space: async () => ({ sizeBytes, freeBytes }) })
  expect(await scene.store.freeBytes?.()).toBe(room)
})
