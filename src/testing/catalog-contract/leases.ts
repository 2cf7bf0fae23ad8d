import assert from 'node:assert/strict'
import type { Catalog } from '../../core/ports/catalog.ts'
import type { UploadId } from '../../core/upload-id.ts'
import {
  acquireSoon,
  assertSameRecord,
  type CatalogSharing,
  type CatalogUnderTest,
  type ContractCase,
  guardOf,
  heldRecord,
  insertSample,
  newId,
  until,
} from './case.ts'

/** Runs `shared` with a second process; a catalog that cannot be shared is shown to be always alone. */
export function withOthers(
  shared: (subject: CatalogUnderTest, sharing: CatalogSharing) => Promise<void>,
): (subject: CatalogUnderTest) => Promise<void> {
  return async (subject) => {
    if (subject.sharing === undefined) await assertAlone(subject.catalog)
    else await shared(subject, subject.sharing)
  }
}

async function assertAlone(catalog: Catalog): Promise<void> {
  const { id } = await insertSample(catalog)
  heldRecord(await catalog.acquire(id))
  assert.equal(await catalog.heldElsewhere(id, true), false)
  assert.equal(catalog.mayExtend('anybody'), true)
}

/** Ids the catalog was asked to let go of. */
export function wantedBy(catalog: Catalog): UploadId[] {
  const wanted: UploadId[] = []
  catalog.onWanted((id) => wanted.push(id))
  return wanted
}

export const leaseCases: readonly ContractCase[] = [
  {
    name: 'lease: missing for an unknown id',
    async run({ catalog }) {
      assert.deepEqual(await catalog.acquire(newId()), { kind: 'missing' })
      await catalog.release(newId())
    },
  },
  {
    name: 'lease: held with the record as it is now, again and again',
    async run({ catalog }) {
      let record = await insertSample(catalog, { placement: { where: 1, inline: new Uint8Array([9]) } })
      for (const offset of [10, 20, 30]) {
        const held = heldRecord(await catalog.acquire(record.id))
        assertSameRecord(held, { ...record, epoch: held.epoch })
        assert(held.epoch >= record.epoch)
        assert.equal(await catalog.heldElsewhere(record.id, true), false)
        assert.equal(await catalog.update(record.id, guardOf(held), { offset }), true)
        record = { ...held, offset }
        await catalog.release(record.id)
      }
      assert.equal(catalog.mayExtend(catalog.writer), true)
    },
  },
  {
    name: 'lease: another process gets it when the first lets go, and the first is fenced off',
    run: withOthers(async ({ catalog: first }, sharing) => {
      const second = await sharing.join()
      assert.notEqual(first.writer, second.writer)
      const { id } = await insertSample(first)
      const held = heldRecord(await first.acquire(id))
      assert.deepEqual(await second.acquire(id), { kind: 'busy' })
      assert.equal(await second.heldElsewhere(id, false), true)
      assert.equal(await first.heldElsewhere(id, false), false)
      await first.release(id)
      assert.equal(await second.heldElsewhere(id, false), false)
      const taken = heldRecord(await second.acquire(id))
      assert(taken.epoch > held.epoch, 'the epoch did not grow')
      assert.equal(await first.update(id, guardOf(held), { offset: 5 }), false)
      assert.equal(await first.forget(id, guardOf(held)), false)
      assert.equal(await second.update(id, guardOf(taken), { offset: 6 }), true)
      assertSameRecord(await first.get(id), { ...taken, offset: 6 })
    }),
  },
  {
    name: 'lease: one taken before anybody else came is respected by the newcomer',
    run: withOthers(async ({ catalog: first }, sharing) => {
      const { id } = await insertSample(first)
      const held = heldRecord(await first.acquire(id))
      const second = await sharing.join()
      assert.deepEqual(await second.acquire(id), { kind: 'busy' })
      assert.equal(await first.update(id, guardOf(held), { offset: 5 }), true)
      await first.release(id)
      assert.equal((await acquireSoon(second, id)).offset, 5)
    }),
  },
  {
    name: 'lease: acquiring, and asking with preempt, tell the holder; looking does not',
    run: withOthers(async ({ catalog: first }, sharing) => {
      const second = await sharing.join()
      const [looked, asked, acquired] = [
        await insertSample(first),
        await insertSample(first),
        await insertSample(first),
      ]
      const wanted = wantedBy(first)
      for (const { id } of [looked, asked, acquired]) heldRecord(await first.acquire(id))
      assert.equal(await second.heldElsewhere(looked.id, false), true)
      assert.equal(await second.heldElsewhere(asked.id, true), true)
      assert.deepEqual(await second.acquire(acquired.id), { kind: 'busy' })
      await until('the holder is asked', () => wanted.includes(asked.id) && wanted.includes(acquired.id))
      assert(!wanted.includes(looked.id))
      await first.release(acquired.id)
      await acquireSoon(second, acquired.id)
    }),
  },
  {
    name: 'lease: of two processes that ask at once, one gets it',
    run: withOthers(async ({ catalog: first }, sharing) => {
      const second = await sharing.join()
      const records = []
      for (let index = 0; index < 10; index += 1) records.push(await insertSample(first))
      const outcomes = await Promise.all(
        records.map(({ id }) => Promise.all([first.acquire(id), second.acquire(id)])),
      )
      for (const [one, other] of outcomes) {
        assert.deepEqual([one.kind, other.kind].sort(), ['busy', 'held'])
      }
    }),
  },
  {
    name: 'lease: what a process held goes with it when it leaves, and those that stay go on alone',
    run: withOthers(async ({ catalog: first }, sharing) => {
      const second = await sharing.join()
      const { id } = await insertSample(first)
      heldRecord(await first.acquire(id))
      const kept = await insertSample(second)
      heldRecord(await second.acquire(kept.id))
      await first.close()
      await acquireSoon(second, id)
      await second.release(id)
      const third = await sharing.join()
      assert.deepEqual(await third.acquire(kept.id), { kind: 'busy' })
      await acquireSoon(third, id)
    }),
  },
]
