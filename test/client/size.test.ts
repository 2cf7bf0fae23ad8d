import { expect, test } from 'vitest'
import { BUNDLES, measure } from '../../scripts/client-size.mjs'

const FEATURES =
  /\/(parallel|ledger|checksum|negotiate|rate-bursts|download|exchange-log|hints|sources\/stream|url-storage\/.*|hashing\/.*)\.ts$/

test.each(Object.entries(BUNDLES))('%s is no larger than it may be in a page', async (_, bundle) => {
  const { gzipBytes, imports, modules } = await measure(bundle.code)
  expect(gzipBytes).toBeLessThanOrEqual(bundle.ceilingBytes)
  expect(imports).toEqual([])
  const others = [...modules.keys()].filter((path) => !path.includes('/src/client/'))
  expect(others.filter((path) => !path.endsWith('/src/core/system-clock.ts'))).toEqual([])
})

test('a page gets nothing that only Node needs', async () => {
  const { modules } = await measure(BUNDLES.everything.code)
  const ofNode = /\/(rate-limit|slice-chunks|fetch-streaming|.*node.*|file|sqlite)\.ts$/
  expect([...modules.keys()].filter((path) => ofNode.test(path))).toEqual([])
})

test('the core brings no feature along, and one that is taken brings its own', async () => {
  const { modules } = await measure(BUNDLES.core.code)
  expect([...modules.keys()].filter((path) => FEATURES.test(path))).toEqual([])
  const core = BUNDLES.core.code.replace('{ Upload }', '{ Upload, parallelParts, negotiation }')
  const features = [...(await measure(core)).modules.keys()].filter((path) => FEATURES.test(path))
  expect(new Set(features.map((path) => path.split('/').at(-1)))).toEqual(
    new Set(['negotiate.ts', 'parallel.ts']),
  )
})
