import { randomBytes } from 'node:crypto'
import { appendFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Catalog } from '../../../src/core/ports/catalog.ts'
import type { Candidate } from '../../../src/node/import/scan.ts'
import { scan } from '../../../src/node/import/scan.ts'
import { survey } from '../../../src/node/import/survey.ts'
import type { ImportContext } from '../../../src/node/import/take-over.ts'
import { takeOver } from '../../../src/node/import/take-over.ts'
import type { Target } from '../../../src/node/import/target.ts'
import { openTarget } from '../../../src/node/import/target.ts'
import type { FileAdopter } from '../../../src/stores/file/index.ts'
import type { Places } from './scene.ts'
import { afterTest, places } from './scene.ts'
import { writeTusd } from './tusd-fixture.ts'

const data = randomBytes(100_000)

interface Bench {
  readonly at: Places
  readonly id: string
  readonly target: Target
  readonly candidate: Candidate
  readonly ctx: ImportContext
}

async function bench(how: ImportContext['how'] = 'link'): Promise<Bench> {
  const at = await places()
  const id = await writeTusd(at.from, { size: 200_000, data })
  const { candidates } = await scan(at.from, ['tusd'], [])
  const [candidate] = candidates
  if (candidate === undefined) throw new Error('nothing was found')
  const target = await openTarget({ dir: at.dir, completedDir: false, completedName: undefined })
  afterTest(() => target.close())
  const ctx: ImportContext = {
    from: at.from,
    survey: await survey(candidates, at.from),
    target,
    how,
    onlyUnfinished: false,
    expireAfterMs: undefined,
    basePath: '/files/',
    nowMs: () => Date.now(),
  }
  return { at, id, target, candidate, ctx }
}

/** A catalog in which something else happens. */
function changed({ target }: Bench, change: Partial<Catalog>): Target {
  const { catalog } = target
  const other = new Proxy(catalog, {
    get(_, name) {
      const value: unknown = Reflect.get(name in change ? change : catalog, name)
      return typeof value === 'function' ? value.bind(catalog) : value
    },
  })
  return { ...target, catalog: other }
}

test('whoever comes second takes back what only he had linked', async () => {
  const scene = await bench('move')
  const { at, id, candidate, ctx } = scene
  expect(await takeOver({ ...ctx, how: 'link' }, candidate)).toMatchObject({ kind: 'imported' })
  let isFirst = true
  const target = changed(scene, {
    // At the first look the other one had not come so far yet.
    get: (name) => {
      if (!isFirst) return scene.target.catalog.get(name)
      isFirst = false
      return undefined
    },
  })
  expect(await takeOver({ ...ctx, target }, candidate)).toMatchObject({ kind: 'skipped', why: 'there' })
  expect(readdirSync(join(at.dir, 'data'))).toEqual([id])
  expect(readdirSync(at.from)).toEqual([])
})

test('without a record the old files stay, and so does what the record may need after all', async () => {
  const scene = await bench('move')
  const { at, id, candidate, ctx } = scene
  const target = changed(scene, { insert: () => Promise.reject(new Error('the disk has failed')) })
  await expect(takeOver({ ...ctx, target }, candidate)).rejects.toThrow('the disk has failed')
  expect(readdirSync(at.from)).toEqual([id, `${id}.info`])
  expect(readdirSync(join(at.dir, 'data'))).toEqual([id])
  expect(await takeOver(ctx, candidate)).toMatchObject({ kind: 'imported' })
})

test('the bytes and their name are there before the record, the old files are removed after it', async () => {
  const scene = await bench('move')
  const { at, id, candidate, ctx } = scene
  const steps: unknown[] = []
  const target = changed(scene, {
    insert: (...given) => {
      steps.push('insert', readdirSync(join(at.dir, 'data')), readdirSync(at.from))
      return scene.target.catalog.insert(...given)
    },
  })
  const adopter: FileAdopter = {
    adopt: async (request) => {
      const adoption = await scene.target.files?.adopter.adopt(request)
      steps.push(adoption?.kind)
      return adoption ?? { kind: 'refused', why: 'changed' }
    },
    sync: async () => {
      await scene.target.files?.adopter.sync()
      steps.push('synced')
    },
    close: () => Promise.resolve(),
  }
  const files = scene.target.files && { ...scene.target.files, adopter }
  await takeOver({ ...ctx, target: { ...target, files } }, candidate)
  expect(steps).toEqual(['adopted', 'synced', 'insert', [id], [id, `${id}.info`]])
  expect(readdirSync(at.from)).toEqual([])
})

test('what has grown while it was recorded is not removed', async () => {
  const scene = await bench('move')
  const { at, id, candidate, ctx } = scene
  const target = changed(scene, {
    insert: async (...given) => {
      await scene.target.catalog.insert(...given)
      appendFileSync(join(at.from, id), 'x')
    },
  })
  expect(await takeOver({ ...ctx, target }, candidate)).toMatchObject({
    kind: 'failed',
    reason: expect.stringContaining('stays in the old directory'),
  })
  expect(readdirSync(at.from)).toEqual([id, `${id}.info`])
  expect((await ctx.target?.catalog.get(id as never))?.offset).toBe(data.length)
})
