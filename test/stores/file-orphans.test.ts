import { unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'

import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import type { Swept } from '../../src/core/operations/expire.ts'
import type { Catalog } from '../../src/core/ports/catalog.ts'
import type { FindRecord, Store } from '../../src/core/ports/store.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import { nodeDisk } from '../../src/stores/file/disk.ts'
import type { Disk } from '../../src/stores/file/disk.ts'
import { fileStoreOn } from '../../src/stores/file/index.ts'
import { bytesOf, sameBytes } from '../../src/testing/store-contract/scene.ts'
import { withFaults } from '../support/faults.ts'
import type { Rig } from '../support/rig.ts'
import { appending, contentOf, creation, lasting, recorded, rig } from '../support/rig.ts'
import { BYTES, HALF, sceneOn, segmentsOf, SIZE } from './file-scene.ts'
import { contentsOf, filesIn, fingerprint, temporaryDirectory } from './temporary-directory.ts'

const HOUR_MS = 3_600_000

/** A store of a process of its own; `lateMs`: how far its clock is ahead, so that files look that old. */
function storeIn(root: string, lateMs = 0): Store {
  const clock = { nowMs: () => Date.now() + lateMs }
  return fileStoreOn({ ...nodeDisk }, { dir: root, completedDir: join(root, 'completed'), clock })
}

function engineOn(store: Store, catalog: Catalog): Rig {
  return rig({ store, catalog: lasting(catalog) })
}

async function sweep({ engine }: Rig): Promise<Swept[]> {
  const all: Swept[] = []
  await engine.sweep({ onSwept: (swept) => all.push(swept) })
  return all
}

const died = new Error('the process died here')

/** Uploads that take the different ways into the completed directory. */
const kinds: readonly { readonly kind: string; readonly make: (one: Rig) => Promise<UploadRecord> }[] = [
  {
    kind: 'linked',
    make: async ({ engine }) => {
      const { id } = await engine.create(creation({ length: SIZE }))
      return engine.append(id, appending(0, BYTES))
    },
  },
  {
    kind: 'written out',
    make: ({ engine }) => engine.create(creation({ length: 1000, content: bytesOf(1000) })),
  },
  {
    kind: 'flattened',
    make: async ({ engine }) => {
      const first = { length: SIZE / 2, content: HALF, concat: { kind: 'partial' } } as const
      const parts = [await engine.create(creation(first)), await engine.create(creation(first))]
      const upload = { dialect: 'tus1', metadata: {}, echo: {} } as const
      const whole = await engine.concatenate({ upload, parts: parts.map(({ id }) => id) })
      for (const { id } of parts) await engine.cancel(id)
      return whole
    },
  },
]

test.each(kinds)(
  'a crash between the record of a finished upload and tidying ($kind): its leftovers go after an hour',
  async ({ make }) => {
    const root = await temporaryDirectory()
    const catalog = memoryCatalog()
    const unlucky = engineOn(withFaults(storeIn(root), { tidy: () => Promise.reject(died) }), catalog)
    const { id } = await make(unlucky)
    await unlucky.engine.close(0)
    const record = await recorded(unlucky, id)
    expect(record).toMatchObject({ status: 'complete', chore: undefined })
    const leftovers = await filesIn(root)
    expect(leftovers).not.toEqual([])
    const before = await contentsOf(join(root, 'completed'))

    expect(await sweep(engineOn(storeIn(root), catalog))).toEqual([])
    const heir = engineOn(storeIn(root, 2 * HOUR_MS), catalog)
    const swept = await sweep(heir)
    expect(swept.map(({ kind, name }) => `${kind} ${name}`).sort()).toEqual(
      leftovers.map((name) => `orphan ${name}`),
    )
    expect(await filesIn(root)).toEqual([])
    expect(await contentsOf(join(root, 'completed'))).toEqual(before)
    expect(before.get(id)).toBe(fingerprint(await contentOf(heir, record)))
    expect(await recorded(heir, id)).toEqual(record)
    expect(await sweep(heir)).toEqual([])
  },
)

test.each(kinds)(
  'a crash between finishing and the record ($kind): everything stays until that is repeated',
  async ({ make }) => {
    const root = await temporaryDirectory()
    const catalog = memoryCatalog()
    const real = storeIn(root)
    const unlucky = engineOn(
      withFaults(real, {
        async finish(records) {
          await real.finish(records)
          throw died
        },
      }),
      catalog,
    )
    await make(unlucky).catch((error: unknown) => expect(error).toBe(died))
    await unlucky.engine.close(0)
    const [open] = await catalog.list({ withChore: true, limit: 10 })
    expect(await filesIn(join(root, 'completed'))).toEqual([open?.id])

    const heir = engineOn(storeIn(root, 2 * HOUR_MS), catalog)
    expect(await sweep(heir)).toEqual([])
    await heir.engine.recover()
    await heir.engine.close(0)
    // A temporary file that was swept would have made this a second file, with another name.
    expect(await filesIn(join(root, 'completed'))).toEqual([open?.id])
    expect(await filesIn(root)).toEqual([])
  },
)

test('files of an unfinished upload stay however old they are', async () => {
  const root = await temporaryDirectory()
  const catalog = memoryCatalog()
  const one = engineOn(storeIn(root), catalog)
  const { id } = await one.engine.create(creation({ length: SIZE, content: HALF.subarray(0, 100_000) }))
  // Another process has died over it, so that this one begins another file.
  const stranger = withFaults(lasting(catalog), { mayExtend: () => false })
  const two = rig({ store: storeIn(root, 2 * HOUR_MS), catalog: stranger })
  await two.engine.append(id, appending(100_000, HALF.subarray(100_000)))
  expect(await filesIn(root)).toHaveLength(2)
  expect(await sweep(two)).toEqual([])
  expect(await filesIn(root)).toHaveLength(2)
  sameBytes(await contentOf(two, await recorded(two, id)), HALF)
})

test('what another process has just begun stays; once it is old and nobody writes, it goes', async () => {
  const root = await temporaryDirectory()
  const catalog = memoryCatalog()
  const one = engineOn(storeIn(root), catalog)
  const record = await one.engine.create(creation({ length: SIZE, content: HALF.subarray(0, 100_000) }))
  const right = { epoch: 2, writer: 'another', mayExtend: () => false }
  const appender = await storeIn(root).open(record, right)
  await appender.write([HALF.subarray(100_000)])
  expect(await filesIn(root)).toHaveLength(2)
  expect(await sweep(one)).toEqual([])

  // It is slow with its first record, an hour slow, but it still holds the upload.
  const held = withFaults(lasting(catalog), { heldElsewhere: () => Promise.resolve(true) })
  expect(await sweep(rig({ store: storeIn(root, 2 * HOUR_MS), catalog: held }))).toEqual([])
  expect(await filesIn(root)).toHaveLength(2)

  const heir = engineOn(storeIn(root, 2 * HOUR_MS), catalog)
  expect(await sweep(heir)).toMatchObject([{ kind: 'orphan', sizeBytes: SIZE / 2 - 100_000 }])
  expect(await filesIn(root)).toEqual([record.id])
  sameBytes(await contentOf(heir, record), HALF.subarray(0, 100_000))
  await appender.close()
})

const nobody: FindRecord = async () => undefined

test('another name makes an old file young: a final upload is made of it and has no record yet', async () => {
  const { root, scene } = await sceneOn()
  const part = await scene.complete(BYTES)
  await utimes(join(root, part.record.id), 1, 1)
  const whole = scene.upload(SIZE)
  whole.change({ placement: await scene.store.concatenate!([part.record], whole.record), offset: SIZE })
  for await (const orphan of scene.store.orphans!(nobody, HOUR_MS)) await orphan.remove()
  await whole.holds(BYTES)
  expect(await filesIn(root)).toContain(segmentsOf(whole)[0]?.file)
})

test('a file that was made anew under the name of an orphan is not removed with it', async () => {
  let lateMs = 2 * HOUR_MS
  const disk: Disk = {
    ...nodeDisk,
    lstat: async (path) => {
      const facts = await nodeDisk.lstat(path)
      return { ...facts, changedAtMs: facts.changedAtMs - lateMs }
    },
  }
  const { root, scene } = await sceneOn(disk)
  const lost = await scene.complete(BYTES)
  const path = join(root, lost.record.id)
  const orphans = []
  for await (const orphan of scene.store.orphans!(nobody, HOUR_MS)) orphans.push(orphan)
  expect(orphans).toHaveLength(1)
  await unlink(path)
  await writeFile(path, 'new')
  lateMs = 0
  for (const orphan of orphans) await orphan.remove()
  expect(await filesIn(root)).toEqual([lost.record.id])
})

test('a record that cannot be understood keeps its files', async () => {
  const { root, scene } = await sceneOn()
  const upload = await scene.complete(BYTES)
  upload.change({ placement: { where: 'somewhere' } })
  const orphans = []
  for await (const orphan of scene.store.orphans!(async () => upload.record, 0)) orphans.push(orphan)
  expect(orphans).toEqual([])
  expect(await filesIn(root)).toEqual([upload.record.id])
})
