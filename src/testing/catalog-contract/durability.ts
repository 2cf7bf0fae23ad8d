import assert from 'node:assert/strict'
import {
  assertRejects,
  assertSameRecord,
  type ContractCase,
  guardOf,
  insertSample,
  newId,
  sampleRecord,
} from './case.ts'
import { event, NOW_MS, take, tell, types } from './queue-case.ts'

export const durabilityCases: readonly ContractCase[] = [
  {
    name: 'reopened: what was promised is there, or nothing at all where nothing outlives the process',
    async run({ catalog, reopen }) {
      const inline = new Uint8Array([1, 2, 3])
      const kept = await insertSample(catalog, { metadata: { name: 'ü' }, placement: { where: 1, inline } })
      const changed = await insertSample(catalog)
      const forgotten = await insertSample(catalog)
      const told = { queue: 'web', uploadId: changed.id, type: 'post-receive', atMs: 1, payload: '{}' }
      await catalog.update(changed.id, guardOf(changed), { offset: 77 }, [told])
      await catalog.forget(forgotten.id, guardOf(forgotten))
      await catalog.close()
      if (reopen === undefined) return
      const again = await reopen()
      assert.equal(again.durability, catalog.durability)
      assertSameRecord(await again.get(kept.id), kept)
      assertSameRecord(await again.get(changed.id), { ...changed, offset: 77 })
      assert.equal(await again.get(forgotten.id), undefined)
      const entries = await again.queues.list({ limit: 10 })
      assert.deepEqual(
        entries.map(({ type }) => type),
        ['post-receive'],
      )
      await again.insert(sampleRecord(), [told])
      const later = await again.queues.list({ after: entries[0]?.sequence, limit: 10 })
      assert.equal(later.length, 1)
    },
  },
  {
    name: 'reopened: queues are as they were, with what is held, to be tried again, and given up',
    async run({ catalog, reopen }) {
      const { queues } = catalog
      await tell(catalog, event('held'), event('dead'), event('later'), event('waiting'))
      const [held, dead, later] = await take(catalog, { limit: 3 })
      assert(held !== undefined && dead !== undefined && later !== undefined)
      await queues.release(dead, { dueAtMs: NOW_MS, isDead: true, error: 'e' })
      await queues.release(later, { dueAtMs: NOW_MS + 5, isDead: false, error: 'f' })
      const before = await queues.list({ limit: 10 })
      await catalog.close()
      if (reopen === undefined) return
      const again = await reopen()
      assert.deepEqual(await again.queues.list({ limit: 10 }), before)
      assert.equal(await again.queues.done(held), true)
      assert.deepEqual(types(await take(again, { nowMs: NOW_MS + 5 })), ['later', 'waiting'])
    },
  },
  {
    name: 'close: what waits is finished first, and closing twice is fine',
    async run({ catalog, reopen }) {
      const records = Array.from({ length: 20 }, () => sampleRecord())
      const inserted = Promise.all(records.map((record) => catalog.insert(record)))
      await Promise.all([catalog.close(), catalog.close()])
      await inserted
      await catalog.close()
      const again = await reopen?.()
      for (const record of records)
        if (again !== undefined) assertSameRecord(await again.get(record.id), record)
    },
  },
  {
    name: 'closed: every method refuses',
    async run({ catalog }) {
      const record = await insertSample(catalog)
      await catalog.close()
      const guard = guardOf(record)
      const entry = { sequence: 1, attempts: 1 }
      const calls: (() => unknown)[] = [
        () => catalog.get(record.id),
        () => catalog.insert(sampleRecord()),
        () => catalog.update(record.id, guard, { offset: 1 }),
        () => catalog.forget(record.id, guard),
        () => catalog.acquire(record.id),
        () => catalog.heldElsewhere(newId(), true),
        () => catalog.list({ limit: 1 }),
        () => catalog.usage('owner'),
        () => catalog.queues.enableClaims(),
        () => catalog.queues.take('web', { limit: 1, nowMs: 1, leaseMs: 1 }),
        () => catalog.queues.extend(entry, 1),
        () => catalog.queues.done(entry),
        () => catalog.queues.release(entry, { dueAtMs: 1, isDead: false }),
        () => catalog.queues.replay([1]),
        () => catalog.queues.list({ limit: 1 }),
        () => catalog.queues.nextDueMs('web'),
      ]
      for (const call of calls) await assertRejects((async () => call())(), 'ERR_STORE_UNAVAILABLE')
    },
  },
  {
    name: 'names: durability and writer are told',
    async run({ catalog }) {
      assert(['power', 'process'].includes(catalog.durability))
      assert(catalog.writer.length > 0)
    },
  },
]
