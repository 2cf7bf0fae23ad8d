import assert from 'node:assert/strict'

import { bytesOf, join, rejectsWith } from './scene.ts'
import { finish } from './finish.ts'
import type { Scenario, Scene, Upload } from './scene.ts'

/** A final upload out of parts, as core makes it. */
async function concatenated(scene: Scene, parts: readonly Upload[]): Promise<Upload> {
  const length = parts.reduce((sum, { record }) => sum + record.offset, 0)
  const final = scene.upload(length)
  final.change({ concat: { kind: 'final', parts: parts.map(({ record }) => record.id) } })
  assert.ok(scene.store.concatenate !== undefined)
  const placement = await scene.store.concatenate(
    parts.map(({ record }) => record),
    final.record,
  )
  final.change({ placement, offset: length, status: 'complete' })
  return final
}

/** Runs where the capability is offered; elsewhere there must be no trace of it. */
function offered(name: string, run: (scene: Scene) => Promise<void>): Scenario {
  return {
    name: `concatenation: ${name}`,
    run: async (scene) => {
      if (scene.store.concatenate === undefined) assert.ok(!('concatenate' in scene.store))
      else await run(scene)
    },
  }
}

async function partsOf(scene: Scene, sizes: readonly number[]): Promise<Upload[]> {
  const parts: Upload[] = []
  for (const [seed, size] of sizes.entries()) {
    const part = await scene.complete(bytesOf(size, seed))
    part.change({ concat: { kind: 'partial' } })
    parts.push(part)
  }
  return parts
}

const MIXES: readonly { readonly name: string; readonly sizes: readonly number[] }[] = [
  { name: 'small parts', sizes: [10, 20, 30] },
  { name: 'small parts that are large together', sizes: [50_000, 60_000, 40_000] },
  { name: 'large parts', sizes: [200_000, 100_000, 300_000] },
  { name: 'parts of all sizes', sizes: [100, 200_000, 0, 50, 60, 300_000, 7] },
  { name: 'one part', sizes: [200_000] },
  { name: 'empty parts', sizes: [0, 0] },
  { name: 'no parts', sizes: [] },
]

export const concatenateTests: readonly Scenario[] = [
  ...MIXES.map(({ name, sizes }) =>
    offered(`${name} are joined in order`, async (scene) => {
      const parts = await partsOf(scene, sizes)
      const whole = join(...sizes.map((size, seed) => bytesOf(size, seed)))
      const final = await concatenated(scene, parts)
      await final.holds(whole)
      for (const part of parts) await scene.store.remove(part.record)
      await final.holds(whole)
      await scene.restart()
      await final.holds(whole)
      await finish(scene, final)
      await final.holds(whole)
    }),
  ),
  offered('the same part twice', async (scene) => {
    const [first, second] = await partsOf(scene, [200_000, 90])
    assert.ok(first !== undefined && second !== undefined)
    const final = await concatenated(scene, [first, second, second, first])
    const whole = join(bytesOf(200_000, 0), bytesOf(90, 1), bytesOf(90, 1), bytesOf(200_000, 0))
    await final.holds(whole)
    await scene.store.remove(first.record)
    await final.holds(whole)
  }),
  offered('removing the whole leaves the parts, and the other way round', async (scene) => {
    const parts = await partsOf(scene, [200_000, 100_000])
    const one = await concatenated(scene, parts)
    const two = await concatenated(scene, parts)
    await scene.store.remove(one.record)
    for (const [seed, size] of [200_000, 100_000].entries()) await parts[seed]!.holds(bytesOf(size, seed))
    for (const part of parts) await scene.store.remove(part.record)
    await two.holds(join(bytesOf(200_000, 0), bytesOf(100_000, 1)))
  }),
  offered('two wholes of one part stay two when finished', async (scene) => {
    const [part] = await partsOf(scene, [200_000])
    assert.ok(part !== undefined)
    const one = await concatenated(scene, [part])
    const two = await concatenated(scene, [part])
    await finish(scene, one)
    await finish(scene, two)
    await scene.store.remove(one.record)
    await two.holds(bytesOf(200_000, 0))
  }),
  offered('a finished upload as a part', async (scene) => {
    const [first, second] = await partsOf(scene, [200_000, 90])
    assert.ok(first !== undefined && second !== undefined)
    await finish(scene, first)
    await finish(scene, second)
    const final = await concatenated(scene, [second, first])
    await scene.store.remove(first.record)
    await final.holds(join(bytesOf(90, 1), bytesOf(200_000, 0)))
  }),
  offered('a whole as a part', async (scene) => {
    const parts = await partsOf(scene, [200_000, 100_000])
    const inner = await concatenated(scene, parts)
    const outer = await concatenated(scene, [inner, ...parts])
    const whole = join(bytesOf(200_000, 0), bytesOf(100_000, 1))
    await outer.holds(join(whole, whole))
  }),
  offered('a part with missing bytes is corrupt', async (scene) => {
    const [part] = await partsOf(scene, [200_000])
    assert.ok(part !== undefined)
    await scene.store.remove(part.record)
    await rejectsWith('ERR_CORRUPT_RECORD', concatenated(scene, [part]))
  }),
]
