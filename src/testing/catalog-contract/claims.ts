import assert from 'node:assert/strict'
import { type Catalog, CLAIMS_QUEUE } from '../../core/ports/catalog.ts'
import type { UploadRecord, UploadStatus } from '../../core/upload.ts'
import {
  assertRejects,
  assertSameRecord,
  type ContractCase,
  guardOf,
  insertSample,
  newId,
  sampleRecord,
} from './case.ts'
import { withOthers } from './leases.ts'
import { take, takeOne } from './queue-case.ts'

const FINISHED_AT_MS = 1_750_000_000_000

async function claimed(catalog: Catalog): Promise<string[]> {
  const entries = await catalog.queues.list({ queue: CLAIMS_QUEUE, limit: 1000 })
  return entries.map(({ uploadId }) => uploadId)
}

const complete = { status: 'complete', offset: 1000, finishedAtMs: FINISHED_AT_MS } as const

async function completeSample(catalog: Catalog, changed: Partial<UploadRecord> = {}): Promise<UploadRecord> {
  const record = await insertSample(catalog, changed)
  assert.equal(await catalog.update(record.id, guardOf(record), complete), true)
  return { ...record, ...complete }
}

const OTHER_STATUSES: readonly UploadStatus[] = ['receiving', 'finishing', 'cancelled', 'expired', 'failed']

export const claimCases: readonly ContractCase[] = [
  {
    name: 'claims: none before they are asked for; then one for each complete upload, oldest first',
    async run({ catalog }) {
      const last = await insertSample(catalog, { ...complete, finishedAtMs: FINISHED_AT_MS + 9 })
      const middle = await completeSample(catalog)
      const final = { kind: 'final', parts: [newId(), newId()] } as const
      const first = await insertSample(catalog, {
        ...complete,
        finishedAtMs: FINISHED_AT_MS - 9,
        concat: final,
      })
      for (const status of OTHER_STATUSES) await insertSample(catalog, { status })
      await insertSample(catalog, { ...complete, concat: { kind: 'partial' } })
      await completeSample(catalog, { concat: { kind: 'partial' } })
      assert.deepEqual(await claimed(catalog), [])
      await catalog.queues.enableClaims()
      assert.deepEqual(await claimed(catalog), [first.id, middle.id, last.id])
      await Promise.all([catalog.queues.enableClaims(), catalog.queues.enableClaims()])
      assert.deepEqual(await claimed(catalog), [first.id, middle.id, last.id])
      const taken = await take(catalog, { queue: CLAIMS_QUEUE })
      assert.deepEqual(
        taken.map(({ uploadId, type, payload, atMs }) => ({ uploadId, type, payload, atMs })),
        [first, middle, last].map(({ id, finishedAtMs }) => ({
          uploadId: id,
          type: 'claim',
          payload: '{}',
          atMs: finishedAtMs,
        })),
      )
      for (const entry of taken) assert.equal(await catalog.queues.done(entry), true)
      await catalog.queues.enableClaims()
      assert.deepEqual(await claimed(catalog), [], 'what was done came back')
    },
  },
  {
    name: 'claims: one for each upload that completes, however it does',
    async run({ catalog }) {
      await catalog.queues.enableClaims()
      const placement = { where: null, inline: new Uint8Array([1, 2, 3]) }
      const atOnce = await insertSample(catalog, { ...complete, placement })
      const received = await completeSample(catalog)
      const finished = await insertSample(catalog, { status: 'finishing', offset: 1000 })
      assert.deepEqual(await claimed(catalog), [atOnce.id, received.id])
      await catalog.update(finished.id, guardOf(finished), complete)
      const parts = [newId(), newId()]
      const concatenated = await insertSample(catalog, { ...complete, concat: { kind: 'final', parts } })
      // Not told when it finished: then it is as old as its last byte.
      const untold = await insertSample(catalog, { status: 'complete', lastWriteAtMs: 77 })
      const ids = [atOnce, received, finished, concatenated, untold].map(({ id }) => id)
      assert.deepEqual(await claimed(catalog), ids)
      const entries = await catalog.queues.list({ queue: CLAIMS_QUEUE, limit: 10 })
      assert.deepEqual(
        entries.map(({ atMs }) => atMs),
        [...Array<number>(4).fill(FINISHED_AT_MS), 77],
      )
      const [entry] = await take(catalog, { queue: CLAIMS_QUEUE, limit: 1 })
      assert.equal(entry?.uploadId, atOnce.id)
      assertSameRecord((await catalog.list({ limit: 1 }))[0], atOnce)
    },
  },
  {
    name: 'claims: none for what does not complete, is partial, or was complete before',
    async run({ catalog }) {
      await catalog.queues.enableClaims()
      for (const status of OTHER_STATUSES) await insertSample(catalog, { status })
      await insertSample(catalog, { ...complete, concat: { kind: 'partial' } })
      await completeSample(catalog, { concat: { kind: 'partial' } })
      for (const status of OTHER_STATUSES) {
        const record = await insertSample(catalog)
        await catalog.update(record.id, guardOf(record), { status })
      }
      assert.deepEqual(await claimed(catalog), [])
      const record = await completeSample(catalog)
      await catalog.update(record.id, guardOf(record), {
        status: 'complete',
        chore: undefined,
        quotaBytes: 5,
      })
      assert.deepEqual(await claimed(catalog), [record.id])
      await catalog.update(record.id, guardOf(record), { status: 'cancelled' })
      assert.deepEqual(await claimed(catalog), [record.id])
    },
  },
  {
    name: 'claims: none for a completion that was refused',
    async run({ catalog }) {
      await catalog.queues.enableClaims()
      const record = await insertSample(catalog, { owner: 'o' })
      await assertRejects(catalog.insert({ ...record, ...complete }), 'ERR_UPLOAD_EXISTS')
      const tooMuch = sampleRecord({ ...complete, owner: 'o', quotaBytes: 2 })
      await assertRejects(catalog.insert(tooMuch, [], { maxBytes: 1 }), 'ERR_QUOTA_EXCEEDED')
      const stale = { ...guardOf(record), offset: 5 }
      assert.equal(await catalog.update(record.id, stale, complete), false)
      assert.equal(await catalog.update(newId(), guardOf(record), complete), false)
      assert.deepEqual(await claimed(catalog), [])
    },
  },
  {
    name: 'claims: of many completions at once, each gets one',
    async run({ catalog }) {
      await catalog.queues.enableClaims()
      const records = []
      for (let index = 0; index < 20; index += 1) records.push(await insertSample(catalog))
      await Promise.all(
        records.flatMap(({ id, ...record }) => [
          catalog.update(id, guardOf({ id, ...record }), complete),
          catalog.update(id, guardOf({ id, ...record }), complete),
        ]),
      )
      assert.deepEqual(
        await claimed(catalog),
        records.map(({ id }) => id),
      )
    },
  },
  {
    name: 'claims: a forgotten upload has none, taken or not, and its id starts anew',
    async run({ catalog }) {
      await catalog.queues.enableClaims()
      const [taken, waiting, kept] = [
        await completeSample(catalog),
        await completeSample(catalog),
        await completeSample(catalog),
      ]
      const event = { queue: 'web', uploadId: taken.id, type: 'post-finish', atMs: 1, payload: '{}' }
      await catalog.update(taken.id, guardOf(taken), {}, [event])
      const [entry] = await take(catalog, { queue: CLAIMS_QUEUE, limit: 1 })
      assert(entry?.uploadId === taken.id)
      for (const record of [taken, waiting]) await catalog.forget(record.id, guardOf(record))
      assert.equal(await catalog.queues.done(entry), false)
      assert.deepEqual(await claimed(catalog), [kept.id])
      assert.equal((await catalog.queues.list({ queue: 'web', limit: 5 })).length, 1)
      await catalog.insert(taken)
      assert.deepEqual(await claimed(catalog), [kept.id, taken.id])
    },
  },
  {
    name: 'claims: reopened, they are still asked for and still there',
    async run({ catalog, reopen }) {
      const first = await completeSample(catalog)
      await catalog.queues.enableClaims()
      await catalog.close()
      if (reopen === undefined) return
      const again = await reopen()
      const second = await completeSample(again)
      assert.deepEqual(await claimed(again), [first.id, second.id])
      await again.queues.enableClaims()
      assert.deepEqual(await claimed(again), [first.id, second.id])
    },
  },
  {
    name: 'claims: asked for by one process, written by all',
    run: withOthers(async ({ catalog: first }, sharing) => {
      const before = await completeSample(first)
      const second = await sharing.join()
      await Promise.all([first.queues.enableClaims(), second.queues.enableClaims()])
      assert.deepEqual(await claimed(second), [before.id])
      const [one, other] = [await completeSample(first), await completeSample(second)]
      assert.deepEqual(await claimed(first), [before.id, one.id, other.id])
      assert.equal((await take(second, { queue: CLAIMS_QUEUE, limit: 2 })).length, 2)
      assert.equal((await takeOne(first, { queue: CLAIMS_QUEUE })).uploadId, other.id)
    }),
  },
]
