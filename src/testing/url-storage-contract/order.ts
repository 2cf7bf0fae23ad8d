import type { StoredUpload } from '../../client/ports/url-storage.ts'
import { check, type ContractCase, same, sameEntries, sampleEntry } from './case.ts'

const MANY = 10_000

/** The newest upload comes first, however the entries got there. */
export const orderCases: readonly ContractCase[] = [
  {
    name: 'order: newest first by the time of creation, not by the order of puts',
    async run({ storage }) {
      const times = [5, 1, 9, 3, 7, 10, 2]
      const entries = times.map((time) => sampleEntry({ createdAtMs: 1_700_000_000_000 + time }))
      for (const entry of entries) await storage.put(entry)
      const expected = entries.toSorted(newestFirst)
      sameEntries(await storage.list(), expected, 'list')
      sameEntries(await storage.find('fingerprint'), expected, 'find')
      const oldest = expected.at(-1)!
      const replaced = { ...oldest, sizeBytes: 2000 }
      await storage.put(replaced)
      sameEntries(
        await storage.list(),
        [...expected.slice(0, -1), replaced],
        'after the oldest was put again',
      )
    },
  },
  {
    name: 'order: entries of the same moment are all there, always in the same order',
    async run({ storage }) {
      const entries = Array.from({ length: 20 }, () => sampleEntry({ createdAtMs: 1_700_000_000_000 }))
      for (const entry of entries) await storage.put(entry)
      const first = await storage.list()
      check(new Set(first.map(({ key }) => key)).size === 20, 'an entry is lost')
      sameEntries(await storage.list(), first, 'the second list')
    },
  },
  {
    name: `order: ${MANY} entries`,
    async run({ storage }) {
      const entries = Array.from({ length: MANY }, (_, index) =>
        sampleEntry({ fingerprint: `fingerprint-${index % 1000}`, createdAtMs: 1_700_000_000_000 + index }),
      )
      await Promise.all(entries.map((entry) => storage.put(entry)))
      const expected = entries.toReversed()
      sameEntries(await storage.list(), expected, 'list')
      const found = await storage.find('fingerprint-7')
      sameEntries(
        found,
        expected.filter(({ fingerprint }) => fingerprint === 'fingerprint-7'),
        'find',
      )
      await storage.remove(found[0]!.key)
      same((await storage.find('fingerprint-7')).length, found.length - 1, 'found after remove')
      same((await storage.list()).length, MANY - 1, 'listed after remove')
    },
  },
]

function newestFirst(one: StoredUpload, other: StoredUpload): number {
  return other.createdAtMs - one.createdAtMs
}
