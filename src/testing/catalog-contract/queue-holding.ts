import assert from 'node:assert/strict'
import { type ContractCase, newId } from './case.ts'
import {
  assertNotOurs,
  event,
  LEASE_MS,
  listedTypes,
  NOW_MS,
  QUEUE,
  take,
  takeOne,
  tell,
  tellOfOne,
  types,
} from './queue-case.ts'

export const holdingCases: readonly ContractCase[] = [
  {
    name: 'held: until its time has passed; then it is taken again and the first can do nothing more',
    async run({ catalog }) {
      await tell(catalog, event('a'))
      const first = await takeOne(catalog)
      assert.deepEqual(await take(catalog, { nowMs: first.dueAtMs - 1 }), [])
      const second = await takeOne(catalog, { nowMs: first.dueAtMs })
      assert.deepEqual(second, { ...first, attempts: 2, dueAtMs: first.dueAtMs + LEASE_MS })
      await assertNotOurs(catalog, first)
      assert.deepEqual(await catalog.queues.list({ limit: 10 }), [second])
      assert.equal(await catalog.queues.done(second), true)
      assert.deepEqual(await listedTypes(catalog), [])
    },
  },
  {
    name: 'held: past its time too, as long as nobody else has taken it',
    async run({ catalog }) {
      await tell(catalog, event('a'), event('b'), event('c'))
      const [first, second, third] = await take(catalog)
      assert(first !== undefined && second !== undefined && third !== undefined)
      const lateMs = first.dueAtMs + 1
      assert.deepEqual(types(await take(catalog, { nowMs: lateMs, limit: 1 })), ['a'])
      assert.equal(await catalog.queues.extend(second, lateMs + LEASE_MS), true)
      assert.equal(await catalog.queues.done(third), true)
      assert.deepEqual(await take(catalog, { nowMs: lateMs }), [])
    },
  },
  {
    name: 'held: extended for longer, once and again',
    async run({ catalog }) {
      await tell(catalog, event('a'))
      const entry = await takeOne(catalog)
      for (const untilMs of [entry.dueAtMs + 5, entry.dueAtMs + 10]) {
        assert.equal(await catalog.queues.extend(entry, untilMs), true)
        assert.deepEqual(await take(catalog, { nowMs: untilMs - 1 }), [])
      }
      const again = await takeOne(catalog, { nowMs: entry.dueAtMs + 10 })
      assert.equal(again.attempts, 2)
      // A time that was computed may have a fraction, or no end.
      assert.equal(await catalog.queues.extend(again, NOW_MS + 0.5), true)
      const third = await takeOne(catalog, { nowMs: NOW_MS + 1 })
      assert.equal(await catalog.queues.release(third, { dueAtMs: Infinity, isDead: false }), true)
      assert.deepEqual(await take(catalog, { nowMs: NOW_MS * 2 }), [])
    },
  },
  {
    name: 'held: given back, it is due when it was said, tells what went wrong, and is nobody’s until then',
    async run({ catalog }) {
      await tell(catalog, event('a'))
      const first = await takeOne(catalog)
      const dueAtMs = NOW_MS + 5
      const { queues } = catalog
      assert.equal(await queues.release(first, { dueAtMs, isDead: false, error: 'no answer 📦' }), true)
      await assertNotOurs(catalog, first)
      assert.deepEqual(await queues.list({ limit: 1 }), [{ ...first, dueAtMs, lastError: 'no answer 📦' }])
      assert.deepEqual(await take(catalog, { nowMs: dueAtMs - 1 }), [])
      const second = await takeOne(catalog, { nowMs: dueAtMs })
      assert.equal(second.attempts, 2)
      assert.equal(second.lastError, 'no answer 📦')
      await queues.release(second, { dueAtMs: 0, isDead: false })
      assert.equal((await takeOne(catalog)).lastError, 'no answer 📦')
    },
  },
  {
    name: 'held: done once; what is unknown or was never taken is nobody’s',
    async run({ catalog }) {
      await tell(catalog, event('a'))
      const [untaken] = await catalog.queues.list({ limit: 1 })
      assert(untaken !== undefined)
      await assertNotOurs(catalog, untaken)
      const entry = await takeOne(catalog)
      await assertNotOurs(catalog, { ...entry, sequence: entry.sequence + 1000 })
      await assertNotOurs(catalog, { ...entry, attempts: entry.attempts + 1 })
      assert.equal(await catalog.queues.done(entry), true)
      await assertNotOurs(catalog, entry)
    },
  },
  {
    name: 'next due: now for what can be taken, else the earliest time, and nothing for what waits or was given up',
    async run({ catalog }) {
      const { queues } = catalog
      const next = (): Promise<number | undefined> => queues.nextDueMs(QUEUE)
      assert.equal(await next(), undefined)
      await tellOfOne(catalog, 'a', 'b')
      await tell(catalog, event('other', newId(), 'other'))
      assert(((await next()) ?? Infinity) <= NOW_MS)
      const first = await takeOne(catalog)
      assert.equal(await next(), first.dueAtMs)
      await queues.extend(first, NOW_MS + 7)
      assert.equal(await next(), NOW_MS + 7)
      await tell(catalog, event('c'))
      const second = await takeOne(catalog)
      await queues.release(second, { dueAtMs: NOW_MS + 3, isDead: false })
      assert.equal(await next(), NOW_MS + 3)
      await queues.done(first)
      assert(((await next()) ?? Infinity) <= NOW_MS)
      for (const entry of await take(catalog, { nowMs: NOW_MS + 3 })) {
        await queues.release(entry, { dueAtMs: NOW_MS, isDead: true })
      }
      assert.equal(await next(), undefined)
    },
  },
]

export const givenUpCases: readonly ContractCase[] = [
  {
    name: 'given up: nobody takes it, and what comes later of its upload goes on',
    async run({ catalog }) {
      const { queues } = catalog
      const uploadId = await tellOfOne(catalog, 'a', 'b')
      const first = await takeOne(catalog)
      assert.equal(await queues.release(first, { dueAtMs: 0, isDead: true, error: 'gone' }), true)
      await assertNotOurs(catalog, first)
      for (const type of ['b', 'c']) {
        const next = await takeOne(catalog)
        assert.equal(next.type, type)
        await queues.done(next)
        if (type === 'b') await tell(catalog, event('c', uploadId))
      }
      assert.deepEqual(await take(catalog, { nowMs: NOW_MS + 10 * LEASE_MS }), [])
      const dead = await queues.list({ isDead: true, limit: 10 })
      assert.deepEqual(dead, [{ ...first, dueAtMs: 0, isDead: true, lastError: 'gone' }])
    },
  },
  {
    name: 'given up: replayed as if it had never been tried, and once',
    async run({ catalog }) {
      const { queues } = catalog
      await tell(catalog, event('a'), event('b'), event('c'))
      const taken = await take(catalog)
      for (const entry of taken) {
        await queues.release(entry, { dueAtMs: NOW_MS, isDead: entry.type !== 'c', error: 'e' })
      }
      const sequences = taken.map(({ sequence }) => sequence).toReversed()
      assert.equal(await queues.replay([...sequences, ...sequences, 123_456]), 2)
      assert.equal(await queues.replay(sequences), 0)
      assert.deepEqual(await queues.list({ isDead: true, limit: 10 }), [])
      assert.equal(((await queues.nextDueMs(QUEUE)) ?? Infinity) <= NOW_MS, true)
      const again = (await take(catalog)).filter(({ type }) => type !== 'c')
      assert.deepEqual(types(again), ['a', 'b'])
      for (const { attempts, lastError } of again) assert.deepEqual([attempts, lastError], [1, undefined])
      // The attempt has the same number as before.
      for (const entry of taken) await assertNotOurs(catalog, entry)
      for (const entry of again) assert.equal(await queues.done(entry), true)
    },
  },
  {
    name: 'given up: replayed while a later one of its upload is held, it waits for that',
    async run({ catalog }) {
      const { queues } = catalog
      await tellOfOne(catalog, 'a', 'b')
      const first = await takeOne(catalog)
      await queues.release(first, { dueAtMs: NOW_MS, isDead: true })
      const second = await takeOne(catalog)
      assert.equal(await queues.replay([first.sequence]), 1)
      assert.deepEqual(await take(catalog), [])
      await queues.done(second)
      assert.equal((await takeOne(catalog)).type, 'a')
    },
  },
]
