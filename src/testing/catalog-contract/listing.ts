import assert from 'node:assert/strict'
import type { Catalog, ListQuery } from '../../core/ports/catalog.ts'
import type { UploadId } from '../../core/upload-id.ts'
import type { UploadRecord, UploadStatus } from '../../core/upload.ts'
import { assertSameRecord, type ContractCase, guardOf, insertSample, sampleRecord } from './case.ts'

const STATUSES: readonly UploadStatus[] = [
  'receiving',
  'finishing',
  'complete',
  'cancelled',
  'expired',
  'failed',
]

/** All pages of a listing, two records at a time. */
async function allPages(
  catalog: Catalog,
  query: Omit<ListQuery, 'limit' | 'after'>,
): Promise<UploadRecord[]> {
  const all: UploadRecord[] = []
  for (let after: UploadId | undefined; ;) {
    const page = await catalog.list({ ...query, after, limit: 2 })
    assert(page.length <= 2, 'a page is longer than its limit')
    all.push(...page)
    if (page.length < 2) return all
    after = page.at(-1)?.id
  }
}

async function assertListed(
  catalog: Catalog,
  query: Omit<ListQuery, 'limit'>,
  expected: readonly UploadRecord[],
): Promise<void> {
  const ids = (records: readonly UploadRecord[]): string[] => records.map(({ id }) => id)
  const once = await catalog.list({ ...query, limit: 100 })
  assert.deepEqual(ids(once), ids(expected))
  assert.deepEqual(ids(await allPages(catalog, query)), ids(expected))
}

export const listCases: readonly ContractCase[] = [
  {
    name: 'list: all records in the order of their ids, whole, a page at a time',
    async run({ catalog }) {
      const records = Array.from({ length: 7 }, (_, index) =>
        sampleRecord({ offset: index, placement: { where: index, inline: new Uint8Array([index]) } }),
      )
      for (const record of records.toReversed()) await catalog.insert(record)
      await assertListed(catalog, {}, records)
      const pages = await allPages(catalog, {})
      for (const [index, record] of records.entries()) assertSameRecord(pages[index], record)
    },
  },
  {
    name: 'list: by status, one or several',
    async run({ catalog }) {
      const records: UploadRecord[] = []
      for (const status of [...STATUSES, ...STATUSES]) records.push(await insertSample(catalog, { status }))
      const combinations = [
        ...STATUSES.map((status) => [status]),
        ['receiving', 'finishing'],
        ['complete', 'failed'],
      ]
      for (const wanted of combinations) {
        const status = STATUSES.filter((candidate) => wanted.includes(candidate))
        await assertListed(
          catalog,
          { status },
          records.filter((record) => status.includes(record.status)),
        )
      }
      await assertListed(catalog, { status: [] }, [])
    },
  },
  {
    name: 'list: what expires before a time, which excludes that time and what never expires',
    async run({ catalog }) {
      const early = await insertSample(catalog, { expiresAtMs: 99 })
      await insertSample(catalog, { expiresAtMs: 100 })
      await insertSample(catalog, { expiresAtMs: undefined })
      const complete = await insertSample(catalog, { expiresAtMs: 5, status: 'complete' })
      await assertListed(catalog, { expiresBeforeMs: 100 }, [early, complete])
      await assertListed(catalog, { expiresBeforeMs: 100, status: ['receiving'] }, [early])
    },
  },
  {
    name: 'list: tombstones that ended before a time, and nothing that lives',
    async run({ catalog }) {
      const old: UploadRecord[] = []
      for (const status of STATUSES) {
        const record = await insertSample(catalog, { status, lastWriteAtMs: 99 })
        if (!['receiving', 'finishing', 'complete'].includes(status)) old.push(record)
        await insertSample(catalog, { status, lastWriteAtMs: 100 })
      }
      await assertListed(catalog, { lastWriteBeforeMs: 100 }, old)
    },
  },
  {
    name: 'list: complete uploads that finished before a time, and nothing else',
    async run({ catalog }) {
      const old: UploadRecord[] = []
      for (const status of STATUSES) {
        const record = await insertSample(catalog, { status, finishedAtMs: 99 })
        if (status === 'complete') old.push(record)
        await insertSample(catalog, { status, finishedAtMs: 100 })
        await insertSample(catalog, { status })
      }
      await assertListed(catalog, { finishedBeforeMs: 100 }, old)
      const receiving = await insertSample(catalog)
      await catalog.update(receiving.id, guardOf(receiving), { status: 'complete', finishedAtMs: 5 })
      await assertListed(catalog, { finishedBeforeMs: 100 }, [...old, receiving])
      await assertListed(catalog, { finishedBeforeMs: 99 }, [receiving])
      await assertListed(catalog, { finishedBeforeMs: 100, status: ['receiving'] }, [])
    },
  },
  {
    name: 'list: what has a chore, following its changes',
    async run({ catalog }) {
      const settle = await insertSample(catalog, { chore: 'settle', status: 'complete' })
      const later = await insertSample(catalog)
      await insertSample(catalog)
      await assertListed(catalog, { withChore: true }, [settle])
      await catalog.update(later.id, guardOf(later), { chore: 'remove' })
      await assertListed(catalog, { withChore: true }, [settle, later])
      await catalog.update(settle.id, guardOf(settle), { chore: undefined })
      await assertListed(catalog, { withChore: true }, [later])
    },
  },
  {
    name: 'list: goes on behind an id that was forgotten meanwhile',
    async run({ catalog }) {
      const [first, second, third] = [
        await insertSample(catalog),
        await insertSample(catalog),
        await insertSample(catalog),
      ]
      await catalog.forget(second.id, guardOf(second))
      assert.deepEqual(
        (await catalog.list({ after: second.id, limit: 5 })).map(({ id }) => id),
        [third.id],
      )
      await assertListed(catalog, {}, [first, third])
    },
  },
]
