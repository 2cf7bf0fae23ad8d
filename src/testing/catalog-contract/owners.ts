import assert from 'node:assert/strict'
import type { Catalog, OwnerBounds, OwnerUsage, RecordChange } from '../../core/ports/catalog.ts'
import { assertRejects, type ContractCase, guardOf, insertSample, sampleRecord } from './case.ts'
import { withOthers } from './leases.ts'

const OWNER = 'näme "quoted" \\ \u2028 \uD83D \u0000'

async function assertUsage(catalog: Catalog, bytes: number, uploads: number, owner = OWNER): Promise<void> {
  assert.deepEqual(await catalog.usage(owner), { bytes, uploads } satisfies OwnerUsage)
}

/** What one upload may go through, and what it adds to what its owner has after each step. */
type Life = readonly (readonly [RecordChange, bytes: number, uploads: number])[]

const LIVES: readonly Life[] = [
  [
    [{ offset: 10 }, 1000, 1],
    [{ status: 'finishing' }, 1000, 1],
    [{ status: 'complete' }, 1000, 0],
    [{ quotaBytes: 400 }, 400, 0],
    [{ chore: 'remove' }, 400, 0],
    [{ status: 'cancelled', quotaBytes: 0 }, 0, 0],
  ],
  [
    [{ quotaBytes: 0 }, 0, 1],
    [{ status: 'complete' }, 0, 0],
    [{ quotaBytes: 7 }, 7, 0],
  ],
  // Whatever the record says: what is gone takes no space.
  [
    [{ status: 'expired' }, 0, 0],
    [{ quotaBytes: 5 }, 0, 0],
  ],
  [[{ status: 'failed', quotaBytes: 3 }, 0, 0]],
  [[{ status: 'cancelled' }, 0, 0]],
]

export const ownerCases: readonly ContractCase[] = [
  {
    name: 'usage: nothing for an owner without uploads, and none of others',
    async run({ catalog }) {
      await insertSample(catalog, { quotaBytes: 5 })
      await insertSample(catalog, { owner: 'somebody', quotaBytes: 5 })
      await insertSample(catalog, { owner: `${OWNER} else`, quotaBytes: 5 })
      await insertSample(catalog, { owner: OWNER.slice(0, -1), quotaBytes: 5 })
      await assertUsage(catalog, 0, 0)
      await assertUsage(catalog, 0, 0, '')
      await assertUsage(catalog, 5, 1, 'somebody')
    },
  },
  {
    name: 'usage: follows an upload through its life, and is back where it was when that is forgotten',
    async run({ catalog }) {
      for (const life of LIVES) await assertLife(catalog, life, 0, 0)
      await insertSample(catalog, { owner: OWNER, quotaBytes: 3 })
      for (const life of LIVES) await assertLife(catalog, life, 3, 1)
    },
  },
  {
    name: 'usage: of an upload that is inserted in another state, and of one that is forgotten in each',
    async run({ catalog }) {
      const cases = [
        ['receiving', 10, 1],
        ['finishing', 10, 1],
        ['complete', 10, 0],
        ['cancelled', 0, 0],
        ['expired', 0, 0],
        ['failed', 0, 0],
      ] as const
      for (const [status, bytes, uploads] of cases) {
        const record = await insertSample(catalog, { owner: OWNER, quotaBytes: 10, status })
        await assertUsage(catalog, bytes, uploads)
        await catalog.forget(record.id, guardOf(record))
        await assertUsage(catalog, 0, 0)
      }
    },
  },
  {
    name: 'usage: sums that no number holds are large, and come back to nothing',
    async run({ catalog }) {
      const most = Number.MAX_SAFE_INTEGER
      const records = []
      for (let count = 0; count < 3; count += 1) {
        records.push(await insertSample(catalog, { owner: OWNER, quotaBytes: most }))
        assert.equal((await catalog.usage(OWNER)).bytes, most)
      }
      const more = sampleRecord({ owner: OWNER, quotaBytes: 1 })
      await assertRejects(catalog.insert(more, [], { maxBytes: most }), 'ERR_QUOTA_EXCEEDED')
      for (const record of records) await catalog.update(record.id, guardOf(record), { status: 'cancelled' })
      await assertUsage(catalog, 0, 0)
    },
  },
  {
    name: 'bounds: bytes up to the bound and not one more, with what the owner has',
    async run({ catalog }) {
      const bounds = { maxBytes: 100 }
      await catalog.insert(sampleRecord({ owner: OWNER, quotaBytes: 60 }), [], bounds)
      const tooMuch = sampleRecord({ owner: OWNER, quotaBytes: 41 })
      await assertRejects(catalog.insert(tooMuch, [], bounds), 'ERR_QUOTA_EXCEEDED')
      assert.equal(await catalog.get(tooMuch.id), undefined)
      await assertUsage(catalog, 60, 1)
      await catalog.insert({ ...tooMuch, quotaBytes: 40 }, [], bounds)
      await assertUsage(catalog, 100, 2)
      await catalog.insert(sampleRecord({ owner: 'another', quotaBytes: 100 }), [], bounds)
      await assertRejects(
        catalog.insert(sampleRecord({ owner: 'a third', quotaBytes: 101 }), [], bounds),
        'ERR_QUOTA_EXCEEDED',
      )
    },
  },
  {
    name: 'bounds: unfinished uploads up to the bound and not one more; a finished one makes room',
    async run({ catalog }) {
      const bounds = { maxUploads: 2 }
      const first = sampleRecord({ owner: OWNER })
      await catalog.insert(first, [], bounds)
      await catalog.insert(sampleRecord({ owner: OWNER, status: 'finishing' }), [], bounds)
      await assertRejects(catalog.insert(sampleRecord({ owner: OWNER }), [], bounds), 'ERR_TOO_MANY_UPLOADS')
      await catalog.update(first.id, guardOf(first), { status: 'complete' })
      await catalog.insert(sampleRecord({ owner: OWNER }), [], bounds)
      await assertUsage(catalog, 0, 2)
      await assertRejects(
        catalog.insert(sampleRecord({ owner: OWNER }), [], { maxUploads: 0 }),
        'ERR_TOO_MANY_UPLOADS',
      )
    },
  },
  {
    name: 'bounds: nothing is asked of records without an owner, and of what adds nothing',
    async run({ catalog }) {
      const bounds = { maxBytes: 1, maxUploads: 0 }
      await catalog.insert(sampleRecord({ quotaBytes: 1000 }), [], bounds)
      await catalog.insert(sampleRecord({ owner: OWNER, quotaBytes: 1000 }))
      await catalog.insert(sampleRecord({ owner: OWNER, status: 'complete', quotaBytes: 0 }), [], bounds)
      await catalog.insert(sampleRecord({ owner: OWNER, status: 'expired', quotaBytes: 50 }), [], bounds)
      await assertUsage(catalog, 1000, 1)
    },
  },
  {
    name: 'bounds: a taken id is told as such, whatever the owner has',
    async run({ catalog }) {
      const record = await insertSample(catalog, { owner: OWNER, quotaBytes: 5 })
      await assertRejects(catalog.insert(record, [], { maxBytes: 6, maxUploads: 5 }), 'ERR_UPLOAD_EXISTS')
      await assertRejects(catalog.insert(record, [], { maxBytes: 5, maxUploads: 1 }), 'ERR_UPLOAD_EXISTS')
      await assertUsage(catalog, 5, 1)
    },
  },
  {
    name: 'bounds: of many inserts at once, just as many go through as fit',
    async run({ catalog }) {
      await assertNoMoreThanFit(catalog, catalog)
    },
  },
  {
    name: 'bounds: of inserts by two processes at once, just as many go through as fit',
    run: withOthers(async ({ catalog: first }, sharing) => {
      await assertNoMoreThanFit(first, await sharing.join())
    }),
  },
  {
    name: 'usage: reopened, it is what it was',
    async run({ catalog, reopen }) {
      await insertSample(catalog, { owner: OWNER, quotaBytes: 12 })
      await catalog.close()
      if (reopen !== undefined) await assertUsage(await reopen(), 12, 1)
    },
  },
]

/** Leads an upload through a life while its owner has something else. */
async function assertLife(
  catalog: Catalog,
  life: Life,
  otherBytes: number,
  otherUploads: number,
): Promise<void> {
  let record = await insertSample(catalog, { owner: OWNER, quotaBytes: 1000 })
  await assertUsage(catalog, otherBytes + 1000, otherUploads + 1)
  for (const [change, bytes, uploads] of life) {
    const stale = { ...guardOf(record), epoch: 99 }
    assert.equal(await catalog.update(record.id, stale, change), false)
    assert.equal(await catalog.update(record.id, guardOf(record), change), true)
    record = { ...record, ...change }
    await assertUsage(catalog, otherBytes + bytes, otherUploads + uploads)
  }
  await catalog.forget(record.id, guardOf(record))
  await assertUsage(catalog, otherBytes, otherUploads)
}

async function assertNoMoreThanFit(first: Catalog, second: Catalog): Promise<void> {
  const cases: readonly (readonly [OwnerBounds, string])[] = [
    [{ maxBytes: 100 }, 'by bytes'],
    [{ maxUploads: 10 }, 'by count'],
  ]
  for (const [bounds, owner] of cases) {
    const inserts = Array.from({ length: 40 }, (_, index) =>
      (index % 2 === 0 ? first : second).insert(sampleRecord({ owner, quotaBytes: 10 }), [], bounds),
    )
    const results = await Promise.allSettled(inserts)
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 10)
    for (const catalog of [first, second]) await assertUsage(catalog, 100, 10, owner)
    const records = await first.list({ limit: 1000 })
    assert.equal(records.filter((record) => record.owner === owner).length, 10)
  }
}
