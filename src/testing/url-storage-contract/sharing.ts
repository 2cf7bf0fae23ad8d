import { another, check, type ContractCase, sameEntries, sampleEntry } from './case.ts'

/** Many handles on the same content, or many calls at once where there can be only one. */
export const sharingCases: readonly ContractCase[] = [
  {
    name: 'sharing: each handle sees what another has done',
    async run(subject) {
      const { storage } = subject
      const other = await another(subject)
      const entry = sampleEntry()
      await storage.put(entry)
      sameEntries(await other.find('fingerprint'), [entry], 'find by the other')
      await other.put({ ...entry, sizeBytes: 5 })
      sameEntries(await storage.list(), [{ ...entry, sizeBytes: 5 }], 'list after the other has changed it')
      await other.remove(entry.key)
      sameEntries(await storage.list(), [], 'list after the other has removed it')
    },
  },
  {
    name: 'sharing: puts and removes of several handles at once, and none is lost',
    async run(subject) {
      const handles = [subject.storage]
      for (let count = 0; count < 3; count += 1) handles.push(await another(subject))
      const doomed = sampleEntry()
      await subject.storage.put(doomed)
      const entries = handles.map(() => Array.from({ length: 40 }, () => sampleEntry()))
      await Promise.all([
        ...handles.flatMap((handle, index) => entries[index]!.slice(0, 20).map((entry) => handle.put(entry))),
        ...handles.map(async (handle, index) => {
          for (const entry of entries[index]!.slice(20)) await handle.put(entry)
        }),
        handles[1]!.remove(doomed.key),
      ])
      const expected = entries.flat().toSorted((a, b) => b.createdAtMs - a.createdAtMs)
      for (const handle of handles) sameEntries(await handle.list(), expected, 'list')
    },
  },
  {
    name: 'sharing: a reader sees an entry as it was before or after a put, never none and never a mixture',
    async run(subject) {
      const reader = await another(subject)
      const small = sampleEntry({ sizeBytes: 1, metadata: { filename: 'a' } })
      const large = { ...small, sizeBytes: 2, metadata: { filename: 'b'.repeat(20_000) } }
      await subject.storage.put(small)
      const progress = { isOver: false }
      const writing = (async () => {
        for (let round = 0; round < 20; round += 1) await subject.storage.put(round % 2 === 0 ? large : small)
      })().finally(() => {
        progress.isOver = true
      })
      const reading = (async () => {
        do {
          const [found, ...more] = await reader.find('fingerprint')
          check(found !== undefined, 'the entry was gone for a moment')
          check(more.length === 0, 'the entry was there twice')
          sameEntries([found], [found.sizeBytes === 1 ? small : large], 'found')
        } while (!progress.isOver)
      })()
      await Promise.all([writing, reading])
    },
  },
]
