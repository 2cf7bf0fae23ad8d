import assert from 'node:assert/strict'
import { assertRejects, type ContractCase, until } from './case.ts'
import { wantedBy, withOthers } from './leases.ts'
import {
  assertNotOurs,
  event,
  NOW_MS,
  take,
  takeAtOnce,
  takeOne,
  tell,
  tellOfOne,
  types,
} from './queue-case.ts'

export const queueSharingCases: readonly ContractCase[] = [
  {
    name: 'shared queue: of two processes that take at once, each entry goes to one',
    run: withOthers(async ({ catalog: first }, sharing) => {
      const second = await sharing.join()
      const names = Array.from({ length: 40 }, (_, index) => `event-${String(index).padStart(2, '0')}`)
      await tell(first, ...names.map((name) => event(name)))
      assert.deepEqual(types(await takeAtOnce([first, second], 10, 8)).sort(), names)
    }),
  },
  {
    name: 'shared queue: one order within an upload, whoever takes',
    run: withOthers(async ({ catalog: first }, sharing) => {
      const second = await sharing.join()
      await tellOfOne(first, 'a', 'b')
      const entry = await takeOne(first)
      assert.deepEqual(await take(second), [])
      await assertNotOurs(second, { ...entry, attempts: entry.attempts + 1 })
      assert.equal(await first.queues.done(entry), true)
      assert.equal((await takeOne(second)).type, 'b')
      assert.deepEqual(await take(first), [])
    }),
  },
  {
    name: 'shared queue: what a process took before it died is taken again once its time has passed',
    run: withOthers(async ({ catalog: first }, sharing) => {
      const second = await sharing.join()
      await tellOfOne(first, 'a', 'b')
      const lost = await takeOne(first)
      sharing.kill(first)
      assert.deepEqual(await take(second), [])
      assert.equal(await second.queues.nextDueMs(lost.queue), lost.dueAtMs)
      const again = await takeOne(second, { nowMs: lost.dueAtMs })
      assert.deepEqual([again.sequence, again.attempts], [lost.sequence, 2])
      await assertNotOurs(second, lost)
      assert.equal(await second.queues.done(again), true)
      assert.equal((await takeOne(second)).type, 'b')
    }),
  },
  {
    name: 'shared queue: a process that was taken for dead changes nothing, and goes on when it is back',
    run: withOthers(async ({ catalog: first }, sharing) => {
      const second = await sharing.join()
      await tell(first, event('a'), event('b'))
      const [entry] = await take(first, { limit: 1 })
      assert(entry !== undefined)
      const { writer } = first
      wantedBy(first)
      sharing.freeze(first)
      // Others see a frozen process expelled when they may no longer extend its files.
      await until('the frozen process is expelled', () => !second.mayExtend(writer))
      await assertRejects(first.queues.done(entry), 'ERR_LEASE_LOST')
      sharing.thaw(first)
      await until('it is back', () => first.writer !== writer)
      assert.equal(await first.queues.done(entry), true)
      assert.equal((await takeOne(second, { nowMs: NOW_MS })).type, 'b')
    }),
  },
]
