import type { StoredUpload } from '../../client/ports/url-storage.ts'
import { type ContractCase, fullEntry, sameEntries, sampleEntry, type UrlStorageUnderTest } from './case.ts'

function damagedForms(): [string, unknown][] {
  const entry = fullEntry()
  const without = (name: string): unknown =>
    Object.fromEntries(Object.entries(entry).filter(([key]) => key !== name))
  const part = { startBytes: 0, endBytes: 1 }
  return [
    ...[null, true, 12, 'text', [], [entry], {}].map((value): [string, unknown] => [
      JSON.stringify(value),
      value,
    ]),
    ...['key', 'fingerprint', 'endpoint', 'metadata', 'createdAtMs'].map((name): [string, unknown] => [
      `without ${name}`,
      without(name),
    ]),
    ...Object.entries({
      key: [5, '', null],
      fingerprint: [5, null],
      endpoint: [{}, null],
      url: [5, null, ['https://example.com/']],
      path: [5],
      sizeBytes: ['12', -1, 1.5, 2 ** 53, null],
      createdAtMs: ['2026-01-01', -1, null],
      expiresAtMs: ['never', -1, null],
      metadata: [null, 'a=b', [], { a: 1 }, { a: null }],
      parts: [
        {},
        'all',
        [null],
        [5],
        [{ startBytes: 0 }],
        [{ ...part, url: 5 }],
        [{ startBytes: 5, endBytes: 2 }],
      ],
    }).flatMap(([name, values]) =>
      values.map((value): [string, unknown] => [
        `${name}: ${JSON.stringify(value)}`,
        { ...entry, [name]: value },
      ]),
    ),
  ]
}

/** Anybody can write into a storage of files or of a browser. */
export const damageCases: readonly ContractCase[] = [
  {
    name: 'damage: an entry that is none is skipped, never thrown, and in nobody’s way',
    async run(subject) {
      const good = [sampleEntry(), fullEntry()]
      await subject.storage.put(good[0]!)
      for (const [index, [, value]] of damagedForms().entries())
        await damage(subject, `damaged-${index}`, value)
      await subject.storage.put(good[1]!)
      const expected = good.toReversed()
      sameEntries(await subject.storage.list(), expected, 'list')
      sameEntries(await subject.storage.find('fingerprint'), expected, 'find')
    },
  },
  {
    name: 'damage: an entry that is none is replaced by a good one, and can be removed',
    async run(subject) {
      const { storage } = subject
      // Now there is a place where damage can be done.
      const first = sampleEntry()
      await storage.put(first)
      await storage.remove(first.key)
      for (const [name, value] of damagedForms()) {
        const good = sampleEntry({ key: keyOf(value) })
        await damage(subject, good.key, value)
        sameEntries(await storage.list(), [], `list: ${name}`)
        await storage.put(good)
        sameEntries(await storage.find('fingerprint'), [good], `find: ${name}`)
        await damage(subject, good.key, value)
        await storage.remove(good.key)
        sameEntries(await storage.list(), [], `after remove: ${name}`)
      }
    },
  },
]

/** Where nobody can reach the content, only a caller without types can damage it. */
async function damage({ storage, plant }: UrlStorageUnderTest, key: string, value: unknown): Promise<void> {
  if (plant !== undefined) await plant(key, value)
  else await storage.put(value as StoredUpload).catch(() => undefined)
}

function keyOf(value: unknown): string {
  const key: unknown = typeof value === 'object' && value !== null && 'key' in value ? value.key : undefined
  return typeof key === 'string' && key !== '' ? key : 'damaged'
}
