import {
  another,
  check,
  type ContractCase,
  FAR_AWAY_MS,
  fullEntry,
  same,
  sameEntries,
  sampleEntry,
} from './case.ts'

const TEXTS = [
  'Grüße 🎉 日本語 مرحبا',
  'a\nb\tc\r\u0000\u001f\u007f\u2028',
  '"\\/\'`%_*?[]{}<>&;--',
  '../../etc/passwd',
  '__proto__',
  'cut \ud83c in two',
  'e\u0301 and é',
  'x'.repeat(10_000),
]

/** What is stored comes back, and nothing else does. */
export const contentCases: readonly ContractCase[] = [
  {
    name: 'content: nothing is there at first, and removing nothing is no error',
    async run({ storage }) {
      sameEntries(await storage.list(), [], 'list')
      sameEntries(await storage.find('fingerprint'), [], 'find')
      await storage.remove('nobody')
    },
  },
  {
    name: 'content: an entry comes back as it was stored',
    async run({ storage }) {
      for (const entry of [sampleEntry({ url: undefined, sizeBytes: undefined }), fullEntry()]) {
        await storage.put(entry)
        sameEntries(await storage.find(entry.fingerprint), [entry], 'find')
        sameEntries(await storage.list(), [entry], 'list')
        await storage.remove(entry.key)
        sameEntries(await storage.list(), [], 'after remove')
      }
    },
  },
  {
    name: 'content: put replaces the whole entry with this key and no other',
    async run({ storage }) {
      const other = sampleEntry()
      const before = fullEntry()
      await storage.put(other)
      await storage.put(before)
      const after = sampleEntry({ key: before.key, createdAtMs: before.createdAtMs, fingerprint: 'changed' })
      await storage.put(after)
      sameEntries(await storage.list(), [after, other], 'list')
      sameEntries(await storage.find('changed'), [after], 'find by the new fingerprint')
      sameEntries(await storage.find('fingerprint'), [other], 'find by the old fingerprint')
    },
  },
  {
    name: 'content: an entry does not change with the object that was stored or handed out',
    async run({ storage }) {
      const metadata: Record<string, string> = { filename: 'a' }
      const entry = sampleEntry({ metadata })
      await storage.put(entry)
      metadata['filename'] = 'b'
      const [found] = await storage.list()
      check(found !== undefined, 'the entry is lost')
      same(found.metadata, { filename: 'a' }, 'metadata after its object was changed')
      Reflect.set(found.metadata, 'filename', 'c')
      same((await storage.list())[0]?.metadata, { filename: 'a' }, 'metadata after the answer was changed')
    },
  },
  {
    name: 'content: find takes the fingerprint as a whole, never as a prefix or a pattern',
    async run({ storage }) {
      const fingerprints = ['a', 'a:', 'a::b', 'ab', 'A', 'b', '%', 'a%', '_', '*', 'a.', '']
      const entries = fingerprints.map((fingerprint) => sampleEntry({ fingerprint }))
      for (const entry of entries) await storage.put(entry)
      for (const entry of entries) {
        sameEntries(
          await storage.find(entry.fingerprint),
          [entry],
          `find ${JSON.stringify(entry.fingerprint)}`,
        )
      }
    },
  },
  {
    name: 'content: remove takes the key as a whole, never as a prefix or a pattern',
    async run({ storage }) {
      const entries = ['1', '11', '1:1', '%', '*', 'a', 'A'].map((key) => sampleEntry({ key }))
      for (const entry of entries) await storage.put(entry)
      const left = entries.toReversed()
      for (const { key } of entries) {
        await storage.remove(key)
        left.splice(
          left.findIndex((entry) => entry.key === key),
          1,
        )
        sameEntries(await storage.list(), left, `after remove ${key}`)
      }
    },
  },
  {
    name: 'content: any text, in every field',
    async run({ storage }) {
      for (const text of TEXTS) {
        const metadata = Object.fromEntries([
          ['filename', text],
          [text, ''],
        ])
        const entry = sampleEntry({
          key: text,
          fingerprint: text,
          endpoint: text,
          url: text,
          path: text,
          metadata,
        })
        const neighbour = sampleEntry({ fingerprint: `${text}.` })
        await storage.put(entry)
        await storage.put(neighbour)
        sameEntries(await storage.find(text), [entry], `find ${text.slice(0, 40)}`)
        await storage.remove(text)
        sameEntries(await storage.find(text), [], `removed ${text.slice(0, 40)}`)
        sameEntries(await storage.list(), [neighbour], 'the neighbour')
        await storage.remove(neighbour.key)
      }
    },
  },
  {
    name: 'content: an upload that has expired long ago is not offered; one that has not, is',
    async run({ storage }) {
      const expired = sampleEntry({ fingerprint: 'a', expiresAtMs: Date.UTC(2001, 0, 1) })
      const later = sampleEntry({ fingerprint: 'a', expiresAtMs: FAR_AWAY_MS })
      await storage.put(expired)
      await storage.put(later)
      sameEntries(await storage.find('a'), [later], 'find')
      sameEntries(await storage.list(), [later], 'list')
    },
  },
  {
    name: 'content: reopened, it holds what was there; or it has nowhere to reopen from',
    async run(subject) {
      const { storage, reopen } = subject
      const entries = [fullEntry(), sampleEntry(), sampleEntry()]
      for (const entry of entries) await storage.put(entry)
      await storage.remove(entries[1]!.key)
      const again = reopen === undefined ? await another(subject) : await reopen()
      sameEntries(await again.list(), [entries[2]!, entries[0]!], 'list')
      sameEntries(await again.find('fingerprint'), [entries[2]!, entries[0]!], 'find')
      await again.put({ ...entries[0]!, url: 'https://example.com/other' })
      same((await again.list())[1]?.url, 'https://example.com/other', 'changed after reopening')
    },
  },
  {
    name: 'content: close waits for what was put, and may be called twice',
    async run(subject) {
      const { storage, reopen } = subject
      const entry = sampleEntry()
      const put = storage.put(entry)
      if (storage.close === undefined) await put
      else {
        await put
        await storage.close()
        await storage.close()
      }
      if (reopen !== undefined) sameEntries(await (await reopen()).list(), [entry], 'list')
    },
  },
]
