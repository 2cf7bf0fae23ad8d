import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { sqliteCatalog } from '../../src/catalogs/sqlite/index.ts'
import { insertSample } from '../../src/testing/catalog-contract/case.ts'
import { temporaryDirectory } from './sqlite-fixture.ts'

const source = new URL('../../src/catalogs/sqlite/index.ts', import.meta.url)
const built = new URL('../../dist/catalogs/sqlite/index.js', import.meta.url)
const isBuilt = existsSync(fileURLToPath(built))
if (!isBuilt) console.warn('NOT RUN: the worker of the built catalog, because nothing is built here')

const workers: Worker[] = []
const note = (worker: Worker): void => void workers.push(worker)
let directory: Awaited<ReturnType<typeof temporaryDirectory>>

beforeEach(async () => {
  workers.splice(0)
  process.on('worker', note)
  directory = await temporaryDirectory()
})

afterEach(async () => {
  process.off('worker', note)
  await directory.remove()
})

async function open(module: URL, thread?: 'same'): ReturnType<typeof sqliteCatalog> {
  const room = (await import(/* @vite-ignore */ module.href)) as { sqliteCatalog: typeof sqliteCatalog }
  return room.sqliteCatalog({
    path: join(directory.path, 'catalog.db'),
    ...(thread === undefined ? {} : { thread }),
  })
}

/** A worker that could not load has ended by the time the catalog is open: its work is done in this thread. */
function isRunning({ threadId }: Worker): boolean {
  return threadId > 0
}

test.for([
  { from: 'source', module: source, there: true },
  { from: 'the built files', module: built, there: isBuilt },
])('changes are written in a worker that really runs, from $from', async ({ module, there }, context) => {
  context.skip(!there, 'not built')
  const catalog = await open(module)
  expect(workers.map(isRunning)).toEqual([true])
  const { id } = await insertSample(catalog)
  expect((await catalog.get(id))?.id).toBe(id)
  expect(workers.map(isRunning)).toEqual([true])
  await catalog.close()
  expect(workers.map(isRunning)).toEqual([false])
})

test('there is no worker when changes are written in the same thread', async () => {
  const catalog = await open(source, 'same')
  await insertSample(catalog)
  await catalog.close()
  expect(workers).toEqual([])
})
