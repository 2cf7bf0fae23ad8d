import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import { handedOverFrom, handedOverPlacement } from '../../src/core/handed-over.ts'
import { CLAIMS_QUEUE } from '../../src/core/ports/catalog.ts'
import type { Json } from '../../src/core/upload.ts'
import { ClaimQueue } from '../../src/node/claims/queue.ts'
import { clearLeftover } from '../../src/node/claims/save.ts'
import { fileStore } from '../../src/stores/file/index.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { withFaults } from '../support/faults.ts'
import { appending, codeOf, contentOf, creation, lasting, recorded, rig } from '../support/rig.ts'
import { cleanUp, onCleanUp, temporaryDirectory, uploaded } from './scene.ts'

afterEach(cleanUp)

test('what is kept of a place that was handed over is read back, and nothing else is taken for it', () => {
  const from = { where: { completed: { name: 'x', size: 3 } } }
  expect(handedOverFrom({ placement: handedOverPlacement(from, ['/a', '/b']) })).toEqual({
    from: from.where,
    leftovers: ['/a', '/b'],
  })
  const others: Json[] = [
    null,
    'handedOver',
    1,
    [],
    {},
    { handedOver: null },
    { handedOver: 'x' },
    from.where,
  ]
  for (const where of others)
    expect(handedOverFrom({ placement: { where } }), JSON.stringify(where)).toBeUndefined()
  expect(handedOverFrom({ placement: { where: { handedOver: { leftovers: [1, 'a', null] } } } })).toEqual({
    from: null,
    leftovers: ['a'],
  })
})

test('the bytes no longer count for their owner', async () => {
  const hooks = { onCreate: () => ({ kind: 'change' as const, owner: 'alice' }) }
  const r = rig({ hooks })
  const queue = new ClaimQueue(r.engine, { durability: 'process', report: (error) => r.reports.push(error) })
  await uploaded(r, 'content')
  expect((await r.catalog.usage('alice')).bytes).toBe(7)
  const claim = await queue.claim({ timeoutMs: 0 })
  await claim?.save({ dir: temporaryDirectory() })
  expect((await r.catalog.usage('alice')).bytes).toBe(7)
  await claim?.done()
  expect((await r.catalog.usage('alice')).bytes).toBe(0)
  const record = await recorded(r, claim?.id as never)
  expect(record).toMatchObject({ status: 'complete', offset: 7, quotaBytes: 0 })
  expect(() => contentOf(r, record)).toThrow(expect.objectContaining({ code: 'ERR_UPLOAD_GONE' }))
})

test('bytes that cannot be freed are freed later; the application is not asked to do anything again', async () => {
  let isDown = true
  const store = memoryStore()
  const faulty = withFaults(store, {
    remove: (record) => (isDown ? Promise.reject(new Error('the disk is down')) : store.remove(record)),
  })
  const r = rig({ store: faulty, catalog: memoryCatalog() })
  const queue = new ClaimQueue(r.engine, { durability: 'process', report: (error) => r.reports.push(error) })
  onCleanUp(() => queue.close(0))
  const { id } = await uploaded(r, 'content')
  const dest = temporaryDirectory()
  const claim = await queue.claim({ timeoutMs: 0 })
  await claim?.save(join(dest, 'a'))
  await claim?.done()
  expect(r.reports).toEqual([expect.objectContaining({ message: 'the disk is down' })])
  const stored = async (): Promise<number> => {
    let count = 0
    const find = (): Promise<undefined> => Promise.resolve(undefined)
    for await (const _orphan of store.orphans?.(find, -1e15) ?? []) count += 1
    return count
  }
  expect(await stored()).toBe(1)
  // Still down: it stays in the queue.
  await r.clock.advance(5000)
  expect(await queue.claim({ timeoutMs: 0 })).toBeUndefined()
  expect(r.reports).toHaveLength(2)
  isDown = false
  await r.clock.advance(5000)
  expect(await queue.claim({ timeoutMs: 0 })).toBeUndefined()
  expect(await stored()).toBe(0)
  expect(await r.catalog.queues.list({ queue: CLAIMS_QUEUE, limit: 1 })).toEqual([])
  expect(await r.engine.retrieve(id)).toMatchObject({ status: 'complete' })
  expect(readdirSync(dest)).toEqual(['a'])
})

test('only names of our own making are cleared away', async () => {
  const dir = temporaryDirectory()
  const { writeFileSync } = await import('node:fs')
  const names = [
    'a',
    '.carryon-id.1.part',
    '.carryon-other.1.part',
    '.carryon-id.1.part.txt',
    '.carryon-id.x.part',
  ]
  for (const name of names) writeFileSync(join(dir, name), '')
  for (const name of names) await clearLeftover('id', join(dir, name))
  await clearLeftover('id', join(dir, '.carryon-id.2.part'))
  expect(readdirSync(dir).sort()).toEqual(names.filter((name) => name !== '.carryon-id.1.part').sort())
})

test('an upload that is still being received cannot be handed out by a queue that is wrong', async () => {
  const r = rig()
  const queue = new ClaimQueue(r.engine, { durability: 'process', report: (error) => r.reports.push(error) })
  onCleanUp(() => queue.close(0))
  expect(await queue.claim({ timeoutMs: 0 })).toBeUndefined()
  const { id } = await r.engine.create(creation({ length: 10 }))
  const record = await recorded(r, id)
  const event = { queue: CLAIMS_QUEUE, uploadId: id, type: 'claim', atMs: 0, payload: '{}' }
  const { epoch, offset, status } = record
  await r.catalog.update(id, { epoch, offset, status }, {}, [event])
  expect(await queue.claim({ timeoutMs: 0 })).toBeUndefined()
  expect(r.reports).toHaveLength(1)
  const { signal } = new AbortController()
  await expect(r.engine.claims.place(id, signal)).rejects.toThrow(TypeError)
  await expect(r.engine.claims.handOver(id, [], signal)).rejects.toThrow(TypeError)
  await r.engine.append(id, appending(0, new Uint8Array(10)))
})

describe('a process that is taken for frozen while it brings an upload to its place', () => {
  /** Another process takes over, does `meanwhile`, and only then the first one comes to its end. */
  async function frozen(
    meanwhile: (other: ClaimQueue, dest: string) => Promise<void>,
  ): Promise<{ readonly completed: string[]; readonly dest: string[]; readonly code: string }> {
    const dir = temporaryDirectory()
    const dest = join(dir, 'dest')
    const store = fileStore({ dir: join(dir, 'data'), completedDir: join(dir, 'completed') })
    const catalog = memoryCatalog()
    const other = rig({ store, catalog: lasting(catalog) })
    const queue = new ClaimQueue(other.engine, {
      durability: 'process',
      report: (error) => other.reports.push(error),
    })
    let isFrozen = false
    const late = withFaults(store, {
      async finish(records) {
        isFrozen = true
        await meanwhile(queue, dest)
        return store.finish(records)
      },
    })
    const fenced = withFaults(catalog, {
      update: (...values) => (isFrozen ? Promise.resolve(false) : catalog.update(...values)),
    })
    const { engine, clock } = rig({ store: late, catalog: lasting(fenced) })
    const { id } = await uploaded(other, 'content')
    const codes: string[] = []
    const placing = codeOf(engine.claims.place(id, new AbortController().signal))
    void placing.then((result) => codes.push(result))
    // It tries again after a while, and finds what the other one has done.
    while (codes.length === 0) await clock.advance(50)
    const code = await placing
    const names = (path: string): string[] => (existsSync(path) ? readdirSync(path) : [])
    return { completed: names(join(dir, 'completed')).sort(), dest: names(dest), code }
  }

  test('leaves no second file when the other one has brought it there', async () => {
    const { completed, code } = await frozen(async (other) => {
      const claim = await other.claim({ timeoutMs: 0 })
      await claim?.path()
    })
    expect(completed).toHaveLength(1)
    expect(completed[0]).not.toContain('(2)')
    expect(code).toBe('none')
  })

  test('leaves none when it was handed over, or ended', async () => {
    for (const remove of [false, true]) {
      const { completed, dest, code } = await frozen(async (other, folder) => {
        const claim = await other.claim({ timeoutMs: 0 })
        await claim?.save(join(folder, 'x'))
        await claim?.done({ remove })
      })
      expect(completed).toEqual([])
      expect(dest).toEqual(['x'])
      expect(code).toBe('ERR_UPLOAD_GONE')
    }
  })
})
