import assert from 'node:assert/strict'
import {
  acquireSoon,
  assertRejects,
  assertSameRecord,
  type ContractCase,
  guardOf,
  heldRecord,
  insertSample,
  sampleRecord,
  until,
} from './case.ts'
import { wantedBy, withOthers } from './leases.ts'

export const takeoverCases: readonly ContractCase[] = [
  {
    name: 'takeover: what a dead process held is free at once, and its files may be extended',
    run: withOthers(async ({ catalog: first }, sharing) => {
      const second = await sharing.join()
      const { id } = await insertSample(first)
      const held = heldRecord(await first.acquire(id))
      const { writer } = first
      sharing.kill(first)
      const taken = heldRecord(await second.acquire(id))
      assert(taken.epoch > held.epoch)
      assert.equal(second.mayExtend(writer), true)
    }),
  },
  {
    name: 'takeover: a newcomer does not wait for a process that died alone',
    run: withOthers(async ({ catalog: first }, sharing) => {
      const record = await insertSample(first)
      heldRecord(await first.acquire(record.id))
      const { writer } = first
      sharing.kill(first)
      const second = await sharing.join()
      assertSameRecord(await second.get(record.id), record)
      const taken = heldRecord(await second.acquire(record.id))
      assert.equal(second.mayExtend(writer), true)
      assert.equal(await second.update(record.id, guardOf(taken), { offset: 9 }), true)
    }),
  },
  {
    name: 'takeover: a frozen holder is expelled, its changes are refused, its files are left alone',
    run: withOthers(async ({ catalog: first }, sharing) => {
      const second = await sharing.join()
      const record = await insertSample(first)
      const untouched = await insertSample(first)
      const held = heldRecord(await first.acquire(record.id))
      heldRecord(await first.acquire(untouched.id))
      const { writer } = first
      sharing.freeze(first)
      const taken = await acquireSoon(second, record.id)
      assert(taken.epoch > held.epoch)
      assert.equal(second.mayExtend(writer), false)
      assert.equal(second.mayExtend(second.writer), true)
      assert.equal(await second.update(record.id, guardOf(taken), { offset: 10 }), true)
      // Even what nobody else has touched, and what is new.
      const other = heldRecord({ kind: 'held', record: untouched })
      const current = (await second.get(untouched.id)) ?? other
      await assertRejects(first.update(untouched.id, guardOf(current), { offset: 3 }), 'ERR_LEASE_LOST')
      assert.equal((await second.get(untouched.id))?.offset, 0)
      assertSameRecord(await second.get(record.id), { ...taken, offset: 10 })
    }),
  },
  {
    name: 'takeover: an expelled process comes back under a new name, without its leases',
    run: withOthers(async ({ catalog: first }, sharing) => {
      const second = await sharing.join()
      const record = await insertSample(first)
      const { id } = record
      const wanted = wantedBy(first)
      heldRecord(await first.acquire(id))
      const { writer } = first
      sharing.freeze(first)
      const taken = await acquireSoon(second, id)
      sharing.thaw(first)
      await until('the old leases are known to be lost', () => wanted.includes(id))
      await until('it is back', () => first.writer !== writer)
      await assertRejects(first.update(id, guardOf(taken), { offset: 5 }), 'ERR_LEASE_LOST')
      assert.equal(second.mayExtend(writer), false)
      await first.release(id)
      await until('its old files can be trusted', () => second.mayExtend(writer))
      await first.insert(sampleRecord())
      assert.deepEqual(await first.acquire(id), { kind: 'busy' })
      await second.release(id)
      assert((await acquireSoon(first, id)).epoch > taken.epoch)
    }),
  },
  {
    name: 'takeover: a process that froze alone is expelled by a newcomer and takes nothing by looking',
    run: withOthers(async ({ catalog: first }, sharing) => {
      const record = await insertSample(first)
      const other = await insertSample(first)
      heldRecord(await first.acquire(record.id))
      const { writer } = first
      sharing.freeze(first)
      const second = await sharing.join()
      heldRecord(await second.acquire(record.id))
      heldRecord(await second.acquire(other.id))
      assert.equal(second.mayExtend(writer), false)
      assert.deepEqual(await first.acquire(other.id), { kind: 'busy' })
      assert.notEqual(first.writer, writer)
    }),
  },
  {
    name: 'takeover: files of before an expulsion are left alone until the frozen process is dead',
    run: withOthers(async ({ catalog: first }, sharing) => {
      const second = await sharing.join()
      const [older, { writer }] = [second.writer, first]
      const { id } = await insertSample(first)
      heldRecord(await first.acquire(id))
      sharing.freeze(first)
      await acquireSoon(second, id)
      // The frozen process may have been extending a file that the second one had begun.
      assert.equal(second.mayExtend(older), false)
      assert.equal(second.mayExtend(second.writer), true)
      sharing.kill(first)
      await until('the death is noticed', () => second.mayExtend(writer))
      assert.equal(second.mayExtend(older), true)
    }),
  },
]
