import { bytesOf, rejectsWith, SHAPES } from './scene.ts'
import { finish } from './finish.ts'
import type { Scenario, Scene, Upload } from './scene.ts'

/** Bytes in the record itself stay readable as long as somebody has the record. */
async function isGone(upload: Upload): Promise<void> {
  if (upload.record.placement.inline === undefined) await rejectsWith('ERR_CORRUPT_RECORD', upload.read())
}

export const removeTests: readonly Scenario[] = [
  ...SHAPES.flatMap(({ name, size, declared }): Scenario[] => [
    {
      name: `a removed upload is gone, and removing twice is fine (${name})`,
      run: async (scene: Scene) => {
        const other = await scene.complete(bytesOf(size, 2), declared)
        const upload = scene.upload(declared ? size : undefined)
        await upload.append([bytesOf(size / 2)])
        await scene.store.remove(upload.record)
        await isGone(upload)
        await scene.store.remove(upload.record)
        await scene.restart()
        await scene.store.remove(upload.record)
        await other.holds(bytesOf(size, 2))
      },
    },
    {
      name: `a finished upload can be removed (${name})`,
      run: async (scene: Scene) => {
        const other = await scene.complete(bytesOf(size, 2), declared, { filename: 'same' })
        await finish(scene, other)
        const upload = await scene.complete(bytesOf(size), declared, { filename: 'same' })
        await finish(scene, upload)
        await scene.store.remove(upload.record)
        await isGone(upload)
        await scene.store.remove(upload.record)
        await other.holds(bytesOf(size, 2))
      },
    },
  ]),
  {
    name: 'an upload that never got a byte can be removed',
    run: async (scene) => {
      for (const length of [0, 10, 1_000_000, undefined])
        await scene.store.remove(scene.upload(length).record)
    },
  },
]
