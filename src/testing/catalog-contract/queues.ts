import assert from 'node:assert/strict'
import { assertRejects, type ContractCase, guardOf, newId, sampleRecord } from './case.ts'
import {
  event,
  LEASE_MS,
  listedTypes,
  NOW_MS,
  QUEUE,
  take,
  takeAtOnce,
  takeOne,
  tell,
  tellOfOne,
  types,
} from './queue-case.ts'

const writingCases: readonly ContractCase[] = [
  {
    name: 'queue: events of inserts and updates, whole and in the order of the changes',
    async run({ catalog }) {
      const record = sampleRecord()
      const told = [
        event('post-create', record.id),
        event('post-receive', record.id),
        event('post-finish', record.id, 'another queue'),
      ]
      await catalog.insert(record, told.slice(0, 1))
      await catalog.update(record.id, guardOf(record), { offset: 10 }, told.slice(1))
      const listed = await catalog.queues.list({ limit: 10 })
      const expected = { attempts: 0, isDead: false, lastError: undefined }
      assert.deepEqual(
        listed.map(({ sequence: _sequence, dueAtMs: _dueAtMs, ...entry }) => entry),
        told.map((one) => ({ ...one, ...expected })),
      )
      const sequences = listed.map(({ sequence }) => sequence)
      assert(sequences.every((sequence, index) => sequence > (sequences[index - 1] ?? 0)))
    },
  },
  {
    name: 'queue: nothing is told of a change that did not happen',
    async run({ catalog }) {
      const record = sampleRecord({ owner: 'o' })
      await catalog.insert(record)
      await assertRejects(catalog.insert(record, [event('post-create', record.id)]), 'ERR_UPLOAD_EXISTS')
      const second = sampleRecord({ owner: 'o' })
      const refused = catalog.insert(second, [event('post-create', second.id)], { maxUploads: 1 })
      await assertRejects(refused, 'ERR_TOO_MANY_UPLOADS')
      const stale = { ...guardOf(record), offset: 5 }
      const told = [event('post-receive', record.id)]
      assert.equal(await catalog.update(record.id, stale, { offset: 6 }, told), false)
      assert.deepEqual(await listedTypes(catalog), [])
    },
  },
  {
    name: 'queue: concurrent changes keep the order in which they were asked for',
    async run({ catalog }) {
      const names = Array.from({ length: 50 }, (_, index) => `event-${index}`)
      await Promise.all(names.map((name) => catalog.insert(sampleRecord(), [event(name)])))
      assert.deepEqual(types(await take(catalog)), names)
    },
  },
  {
    name: 'queue: no sequence is given out twice',
    async run({ catalog }) {
      await tell(catalog, event('a'), event('b'))
      const taken = await take(catalog)
      for (const entry of taken) assert.equal(await catalog.queues.done(entry), true)
      assert.deepEqual(await listedTypes(catalog), [])
      await tell(catalog, event('c'))
      const next = await takeOne(catalog)
      assert(next.sequence > Math.max(...taken.map(({ sequence }) => sequence)), 'a sequence was used again')
    },
  },
  {
    name: 'queue: a listing pages, and picks by queue, upload and what was given up',
    async run({ catalog }) {
      const { queues } = catalog
      const one = await tellOfOne(catalog, 'a', 'b')
      await tell(catalog, event('c'), event('d', one, 'other'), event('e'))
      const [dead] = await take(catalog, { limit: 1 })
      assert(dead !== undefined)
      await queues.release(dead, { dueAtMs: NOW_MS, isDead: true })
      const listed = async (query: Omit<Parameters<typeof queues.list>[0], 'limit'>): Promise<string> =>
        types(await queues.list({ ...query, limit: 100 })).join('')
      assert.equal(await listed({}), 'abcde')
      assert.equal(await listed({ queue: QUEUE }), 'abce')
      assert.equal(await listed({ uploadId: one }), 'abd')
      assert.equal(await listed({ uploadId: one, queue: 'other' }), 'd')
      assert.equal(await listed({ isDead: true }), 'a')
      assert.equal(await listed({ isDead: true, queue: 'other' }), '')
      assert.equal(await listed({ isDead: false, queue: QUEUE }), 'bce')
      assert.equal(await listed({ queue: 'unknown' }), '')
      const first = await queues.list({ limit: 2 })
      assert.equal(types(first).join(''), 'ab')
      assert.equal(await listed({ after: first.at(-1)?.sequence }), 'cde')
      assert.equal(await listed({ after: first.at(-1)?.sequence, queue: 'other' }), 'd')
    },
  },
]

const takingCases: readonly ContractCase[] = [
  {
    name: 'take: oldest first, no more than asked for, of one queue alone, and each once',
    async run({ catalog }) {
      await tell(catalog, event('a'), event('other', newId(), 'other'), event('b'), event('c'))
      assert.deepEqual(types(await take(catalog, { limit: 2 })), ['a', 'b'])
      assert.deepEqual(types(await take(catalog, { limit: 2 })), ['c'])
      assert.deepEqual(await take(catalog), [])
      assert.deepEqual(types(await take(catalog, { queue: 'other' })), ['other'])
      assert.deepEqual(await take(catalog, { queue: 'unknown' }), [])
    },
  },
  {
    name: 'take: an entry as it is listed, with its attempt counted and its time',
    async run({ catalog }) {
      await tell(catalog, event('a'))
      const [before] = await catalog.queues.list({ limit: 1 })
      const taken = await takeOne(catalog)
      assert.deepEqual(taken, { ...before, attempts: 1, dueAtMs: NOW_MS + LEASE_MS })
      assert.deepEqual(await catalog.queues.list({ limit: 1 }), [taken])
    },
  },
  {
    name: 'take: of many at once, each entry goes to one',
    async run({ catalog }) {
      const names = Array.from({ length: 30 }, (_, index) => `event-${String(index).padStart(2, '0')}`)
      await tell(catalog, ...names.map((name) => event(name)))
      assert.deepEqual(types(await takeAtOnce([catalog], 10, 6)).sort(), names)
    },
  },
  {
    name: 'take: what is new can be taken at once, even when the clock was set back since',
    async run({ catalog }) {
      await tell(catalog, event('a'))
      const early = 1_600_000_000_000
      assert(((await catalog.queues.nextDueMs(QUEUE)) ?? Infinity) <= early)
      assert.equal((await takeOne(catalog, { nowMs: early })).dueAtMs, early + LEASE_MS)
    },
  },
  {
    name: 'take: of one upload and queue, what comes later waits until what came before is done',
    async run({ catalog }) {
      const uploadId = await tellOfOne(catalog, 'a', 'b', 'c')
      await tell(catalog, event('of another upload'), event('of another queue', uploadId, 'other'))
      const [first] = await take(catalog)
      assert(first !== undefined)
      assert.deepEqual(types(await catalog.queues.list({ queue: QUEUE, limit: 10 })).length, 4)
      assert.deepEqual(await take(catalog), [])
      assert.equal((await takeOne(catalog, { queue: 'other' })).type, 'of another queue')
      // Nor does it overtake one that is to be tried again.
      await catalog.queues.release(first, { dueAtMs: NOW_MS + 10, isDead: false })
      assert.deepEqual(await take(catalog, { nowMs: NOW_MS + 9 }), [])
      const again = await takeOne(catalog, { nowMs: NOW_MS + 10 })
      assert.equal(again.type, 'a')
      await tell(catalog, event('d', uploadId))
      for (const type of ['a', 'b', 'c', 'd']) {
        const entry = type === 'a' ? again : await takeOne(catalog)
        assert.equal(entry.type, type)
        assert.deepEqual(await take(catalog), [])
        assert.equal(await catalog.queues.done(entry), true)
      }
      assert.deepEqual(await take(catalog), [])
    },
  },
  {
    name: 'take: those that are due again come before younger ones',
    async run({ catalog }) {
      await tell(catalog, event('a'), event('b'), event('c'))
      for (const entry of await take(catalog, { limit: 2 })) {
        await catalog.queues.release(entry, { dueAtMs: NOW_MS + 10 - entry.sequence, isDead: false })
      }
      assert.deepEqual(types(await take(catalog, { nowMs: NOW_MS + 10 })), ['a', 'b', 'c'])
    },
  },
]

export const queueCases: readonly ContractCase[] = [...writingCases, ...takingCases]
