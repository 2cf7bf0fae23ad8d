import assert from 'node:assert/strict'

import type { FindRecord, Orphan, Store } from '../../core/ports/store.ts'
import { finishUnrecorded } from './finish.ts'
import { bytesOf, SHAPES } from './scene.ts'
import type { Scenario, Scene, Upload } from './scene.ts'

const HOUR_MS = 3_600_000

/** What the store would have removed if these were the only uploads. */
async function orphansOf(
  store: Store,
  uploads: readonly Upload[],
  { olderThanMs = 0, inUse = [] }: { olderThanMs?: number; inUse?: readonly Upload[] } = {},
): Promise<Orphan[]> {
  const isOf = (id: string) => (upload: Upload) => upload.record.id === id
  const find: FindRecord = async (id) => (inUse.some(isOf(id)) ? 'in-use' : uploads.find(isOf(id))?.record)
  const found: Orphan[] = []
  for await (const orphan of store.orphans?.(find, olderThanMs) ?? []) found.push(orphan)
  return found
}

async function removeAll(orphans: readonly Orphan[]): Promise<void> {
  for (const orphan of orphans) {
    await orphan.remove()
    await orphan.remove()
  }
}

const shaped: readonly Scenario[] = SHAPES.flatMap(({ name, size, declared }) => [
  {
    name: `what an unfinished upload holds is no orphan (${name})`,
    run: async (scene: Scene) => {
      const upload = scene.upload(declared ? size : undefined)
      await upload.append([bytesOf(size).subarray(0, size / 3)])
      await scene.restart()
      await upload.append([bytesOf(size).subarray(size / 3, size / 2)])
      assert.deepEqual(await orphansOf(scene.store, [upload]), [])
      await upload.append([bytesOf(size).subarray(size / 2)])
      assert.deepEqual(await orphansOf(scene.store, [upload]), [])
      await upload.holds(bytesOf(size))
    },
  },
  {
    name: `what an append has begun and not recorded is no orphan yet (${name})`,
    run: async (scene: Scene) => {
      const upload = scene.upload(declared ? size : undefined)
      const appender = await upload.open()
      await appender.write([bytesOf(size)])
      await removeAll(await orphansOf(scene.store, [upload], { olderThanMs: HOUR_MS }))
      upload.apply(await appender.commit())
      await appender.close()
      await upload.holds(bytesOf(size))
    },
  },
  {
    name: `what a crash left of a finished upload goes, and the upload stays (${name})`,
    run: async (scene: Scene) => {
      const upload = await scene.complete(bytesOf(size), declared)
      const [placement] = await finishUnrecorded(scene, [upload])
      assert.deepEqual(await orphansOf(scene.store, [upload], { inUse: [upload] }), [])
      assert.ok(placement !== undefined)
      upload.change({ placement })
      await scene.restart()
      await removeAll(await orphansOf(scene.store, [upload]))
      assert.deepEqual(await orphansOf(scene.store, [upload]), [])
      await upload.holds(bytesOf(size))
      await scene.store.remove(upload.record)
      assert.deepEqual(await orphansOf(scene.store, []), [], 'nothing is left to find')
    },
  },
])

export const orphanTests: readonly Scenario[] = [
  ...shaped,
  {
    name: 'a placement is made without a trace in the store',
    run: async (scene) => {
      scene.upload(10)
      scene.upload(1_000_000)
      scene.upload(undefined)
      assert.deepEqual(await orphansOf(scene.store, []), [])
    },
  },
  {
    name: 'what no record refers to is found and can be removed',
    run: async (scene) => {
      const known = await scene.complete(bytesOf(200_000, 1))
      const lost = await scene.complete(bytesOf(200_000, 2))
      const young = await orphansOf(scene.store, [known], { olderThanMs: HOUR_MS })
      assert.deepEqual(young, [], 'young things are left alone')
      assert.deepEqual(await orphansOf(scene.store, [known], { inUse: [lost] }), [])
      const found = await orphansOf(scene.store, [known])
      if (scene.store.orphans !== undefined) assert.equal(found.length, 1)
      for (const orphan of found) {
        assert.equal(orphan.sizeBytes, 200_000)
        assert.ok(orphan.name.includes(lost.record.id))
      }
      await removeAll(found)
      assert.deepEqual(await orphansOf(scene.store, [known]), [])
      await known.holds(bytesOf(200_000, 1))
    },
  },
  {
    name: 'removed uploads leave nothing behind',
    run: async (scene) => {
      for (const size of [0, 10, 200_000]) {
        const upload = await scene.complete(bytesOf(size))
        await scene.store.remove(upload.record)
      }
      assert.deepEqual(await orphansOf(scene.store, []), [])
    },
  },
]
