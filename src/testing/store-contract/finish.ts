import assert from 'node:assert/strict'

import type { FinishOutcome } from '../../core/ports/store.ts'
import type { Placement } from '../../core/upload.ts'
import { bytesOf, join, SHAPES } from './scene.ts'
import type { Scenario, Scene, Upload } from './scene.ts'

function placementOf(outcome: FinishOutcome | undefined): Placement {
  assert.ok(outcome !== undefined, 'an outcome for each record')
  if (!outcome.ok) throw outcome.error
  return outcome.placement
}

/** Finishes uploads and records nothing of it. */
export async function finishUnrecorded(
  scene: Scene,
  uploads: readonly Upload[],
): Promise<readonly Placement[]> {
  const outcomes = await scene.store.finish(uploads.map(({ record }) => record))
  assert.equal(outcomes.length, uploads.length)
  return outcomes.map(placementOf)
}

/** Finishes one upload the way core does: finish, record, tidy. */
export async function finish(scene: Scene, upload: Upload): Promise<void> {
  const before = upload.record
  const [placement] = await finishUnrecorded(scene, [upload])
  assert.ok(placement !== undefined)
  upload.change({ placement })
  await scene.store.tidy(before, placement)
}

const shaped: readonly Scenario[] = SHAPES.flatMap(({ name, size, declared }) => [
  {
    name: `a finished upload keeps its bytes (${name})`,
    run: async (scene: Scene) => {
      const upload = await scene.complete(bytesOf(size), declared)
      await finish(scene, upload)
      await upload.holds(bytesOf(size))
      assert.equal(scene.store.finishing(upload.record), 'none', 'nothing is left to do')
      await scene.restart()
      await upload.holds(bytesOf(size))
    },
  },
  {
    name: `finishing can be repeated before it is recorded (${name})`,
    run: async (scene: Scene) => {
      const upload = await scene.complete(bytesOf(size), declared)
      const before = upload.record
      const [first] = await finishUnrecorded(scene, [upload])
      await upload.holds(bytesOf(size))
      await scene.restart()
      const [second] = await finishUnrecorded(scene, [upload])
      assert.deepEqual(second, first, 'the second run finds the place of the first')
      assert.ok(second !== undefined)
      upload.change({ placement: second })
      await scene.store.tidy(before, second)
      await scene.store.tidy(before, second)
      await upload.holds(bytesOf(size))
      await finish(scene, upload)
      await upload.holds(bytesOf(size))
    },
  },
])

export const finishTests: readonly Scenario[] = [
  ...shaped,
  {
    name: 'an empty upload finishes',
    run: async (scene) => {
      for (const declared of [true, false]) {
        const upload = await scene.complete(new Uint8Array(0), declared)
        await finish(scene, upload)
        await upload.holds(new Uint8Array(0))
      }
    },
  },
  {
    name: 'an upload of several processes finishes',
    run: async (scene) => {
      const upload = scene.upload(400_000)
      await upload.append([bytesOf(100_000, 1)])
      upload.change({ epoch: 7 })
      const frozen = { epoch: 7, writer: 'other', mayExtend: (writer: string) => writer === 'other' }
      const appender = await upload.open(frozen)
      await appender.write([bytesOf(300_000, 2)])
      upload.apply(await appender.commit())
      await appender.close()
      const whole = join(bytesOf(100_000, 1), bytesOf(300_000, 2))
      await upload.holds(whole)
      await finish(scene, upload)
      await upload.holds(whole)
    },
  },
  {
    name: 'a batch has one outcome per record, in order, and a bad record spoils no other',
    run: async (scene) => {
      const sizes = [10, 200_000, 20, 300_000, 0, 30]
      const uploads: Upload[] = []
      for (const [seed, size] of sizes.entries()) uploads.push(await scene.complete(bytesOf(size, seed)))
      const records = uploads.map(({ record }) => record)
      const bad = { ...uploads[3]!.record, offset: 300_001 }
      const outcomes = await scene.store.finish(records.toSpliced(3, 1, bad))
      assert.equal(outcomes.length, sizes.length)
      for (const [index, upload] of uploads.entries()) {
        const outcome = outcomes[index]
        assert.equal(outcome?.ok, index !== 3, `outcome ${index}`)
        if (outcome?.ok) upload.change({ placement: outcome.placement })
        await upload.holds(bytesOf(sizes[index] ?? 0, index))
      }
    },
  },
  {
    name: 'uploads of the same name do not meet',
    run: async (scene) => {
      const uploads: Upload[] = []
      for (const seed of [1, 2, 3]) {
        uploads.push(await scene.complete(bytesOf(500, seed), true, { filename: 'same.bin' }))
        uploads.push(await scene.complete(bytesOf(100_000, seed), true, { filename: 'same.bin' }))
      }
      for (const upload of uploads) await finish(scene, upload)
      for (const [index, upload] of uploads.entries()) {
        await upload.holds(bytesOf(index % 2 === 0 ? 500 : 100_000, Math.floor(index / 2) + 1))
      }
    },
  },
]
