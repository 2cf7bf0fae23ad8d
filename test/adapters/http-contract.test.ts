import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONSUMED_CASES, HTTP_CASES } from './http-contract.ts'
import { Scene } from './support/scene.ts'
import type { Stage } from './support/stage.ts'
import { STAGES } from './support/stages.ts'

/** Says so where handlers are called as functions: the framework itself is too large for this test command. */
const title = ({ name, asFunctions }: Stage): string =>
  asFunctions === undefined ? name : `${name} (its handlers as FUNCTIONS, without the framework)`

const rows = STAGES.map((stage) => [title(stage), stage] as const)

describe.each(rows)('%s', (_title, stage) => {
  let scene: Scene | undefined
  beforeAll(async () => {
    scene = await Scene.open(stage)
  })
  afterAll(() => scene?.close())

  test.each(HTTP_CASES.map((one) => [one.name, one] as const))('%s', async (_name, one) => {
    if (scene === undefined) throw new Error('the stage did not start')
    await one.run(scene)
  })
})

describe.each(rows)('%s, with bodies read before Carryon', (_title, stage) => {
  let scene: Scene | undefined
  beforeAll(async () => {
    scene = await Scene.open(stage, true)
  })
  afterAll(() => scene?.close())

  test.each(CONSUMED_CASES.map((one) => [one.name, one] as const))('%s', async (_name, one) => {
    if (scene === undefined) throw new Error('the stage did not start')
    await one.run(scene)
  })
})

test('every stage has a name of its own', () => {
  expect(new Set(STAGES.map(({ name }) => name)).size).toBe(STAGES.length)
})
