import { expect, test } from 'vitest'

import type { Appender, ByteRange, Store, WriteRight } from '../../src/core/ports/store.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { storeContract } from '../../src/testing/store-contract.ts'

/** A memory store with a part replaced. */
function broken(change: (store: Store) => Partial<Store>): () => Store {
  return () => {
    const store = memoryStore()
    return { ...delegate(store), ...change(store) }
  }
}

function delegate(store: Store): Store {
  const { concatenate, orphans } = store
  return {
    place: (record) => store.place(record),
    open: (record, right) => store.open(record, right),
    read: (record, range, signal) => store.read(record, range, signal),
    finishing: (record) => store.finishing(record),
    finish: (records) => store.finish(records),
    tidy: (before, after) => store.tidy(before, after),
    remove: (record) => store.remove(record),
    close: () => store.close(),
    ...(concatenate && { concatenate: concatenate.bind(store) }),
    ...(orphans && { orphans: orphans.bind(store) }),
  }
}

function brokenAppender(change: (inner: Appender) => Partial<Appender>): () => Store {
  return broken((store) => ({
    open: async (record: UploadRecord, right: WriteRight) => {
      const inner = await store.open(record, right)
      const whole: Appender = {
        write: (chunks) => inner.write(chunks),
        commit: () => inner.commit(),
        rollback: () => inner.rollback(),
        close: () => inner.close(),
      }
      return { ...whole, ...change(inner) }
    },
  }))
}

async function failuresOf(make: () => Store): Promise<string[]> {
  const tests: { name: string; run: () => Promise<void> }[] = []
  storeContract({
    test: (name, run) => void tests.push({ name, run }),
    factory: async () => ({ store: make(), dispose: async () => {} }),
  })
  const failed: string[] = []
  for (const { name, run } of tests) await run().catch(() => failed.push(name))
  return failed
}

const cases: readonly { readonly fault: string; readonly make: () => Store; readonly noticedBy: RegExp }[] = [
  {
    fault: 'an offset that is one too high',
    make: brokenAppender((inner) => ({
      commit: async () => {
        const { offset, placement } = await inner.commit()
        return { offset: offset + 1, placement }
      },
    })),
    noticedBy: /bytes come back/,
  },
  {
    fault: 'an offset that is one too low',
    make: brokenAppender((inner) => ({
      commit: async () => {
        const { offset, placement } = await inner.commit()
        return { offset: Math.max(0, offset - 1), placement }
      },
    })),
    noticedBy: /bytes come back/,
  },
  {
    fault: 'a lost tail',
    make: brokenAppender((inner) => ({
      write: (chunks) => inner.write(chunks.map((chunk) => chunk.subarray(0, Math.ceil(chunk.length * 0.9)))),
    })),
    noticedBy: /bytes come back/,
  },
  {
    fault: 'a commit that counts bytes it does not have',
    make: brokenAppender((inner) => {
      const held: Uint8Array[] = []
      return {
        write: (chunks) => void held.push(...chunks.map((chunk) => Uint8Array.from(chunk))),
        commit: async () => {
          const { offset, placement } = await inner.commit()
          return { offset: offset + held.reduce((sum, chunk) => sum + chunk.length, 0), placement }
        },
        rollback: async () => void held.splice(0),
      }
    }),
    noticedBy: /go on after a restart/,
  },
  {
    fault: 'a rollback that does nothing',
    make: brokenAppender(() => ({ rollback: async () => {} })),
    noticedBy: /rollback/,
  },
  {
    fault: 'chunks that are kept instead of copied',
    make: brokenAppender((inner) => {
      const held: Uint8Array[] = []
      return {
        write: (chunks) => void held.push(...chunks),
        commit: async () => {
          await inner.write(held.splice(0))
          return inner.commit()
        },
        rollback: async () => void held.splice(0),
      }
    }),
    noticedBy: /reused/,
  },
  {
    fault: 'an open that keeps what was never committed',
    make: () => {
      const offsets = new Map<string, number>()
      return broken((store) => ({
        open: async (record: UploadRecord, right: WriteRight) => {
          const offset = Math.max(record.offset, offsets.get(record.id) ?? 0)
          const inner = await store.open({ ...record, offset }, right)
          return {
            write: async (chunks) => {
              await inner.write(chunks)
              offsets.set(record.id, (await inner.commit()).offset)
            },
            commit: () => inner.commit(),
            rollback: () => inner.rollback(),
            close: () => inner.close(),
          }
        },
      }))()
    },
    noticedBy: /not committed/,
  },
  {
    fault: 'one appender for all who open',
    make: () => {
      const open = new Map<string, Promise<Appender>>()
      return broken((store) => ({
        open: (record: UploadRecord, right: WriteRight) => {
          const appender = open.get(record.id) ?? store.open(record, right)
          open.set(record.id, appender)
          return appender
        },
      }))()
    },
    noticedBy: /late writes/,
  },
  {
    fault: 'missing bytes that nobody notices',
    make: broken((store) => ({
      open: async (record, right) => {
        const inner = await store.open({ ...record, offset: 0 }, right).catch(() => undefined)
        return inner ?? store.open({ ...record, offset: 0 }, right)
      },
    })),
    noticedBy: /claims more than is stored/,
  },
  {
    fault: 'ranges that begin at zero',
    make: broken((store) => ({
      read: (record: UploadRecord, range: ByteRange, signal: AbortSignal) =>
        store.read(record, { start: 0, end: range.end - range.start }, signal),
    })),
    noticedBy: /ranges/,
  },
  {
    fault: 'reads that cannot be aborted',
    make: broken((store) => ({
      read: (record: UploadRecord, range: ByteRange) =>
        store.read(record, range, new AbortController().signal),
    })),
    noticedBy: /abort/,
  },
  {
    fault: 'outcomes in the wrong order',
    make: broken((store) => ({ finish: async (records) => (await store.finish(records)).toReversed() })),
    noticedBy: /one outcome per record/,
  },
  {
    fault: 'a batch that fails as a whole',
    make: broken((store) => ({
      finish: async (records) => {
        const outcomes = await store.finish(records)
        return outcomes.find(({ ok }) => !ok) === undefined ? outcomes : records.map(() => outcomes[3]!)
      },
    })),
    noticedBy: /spoils no other/,
  },
  {
    fault: 'a tidy that removes the upload',
    make: broken((store) => ({ tidy: (before) => store.remove(before) })),
    noticedBy: /finished upload keeps/,
  },
  {
    fault: 'a remove that does nothing',
    make: broken(() => ({ remove: async () => {} })),
    noticedBy: /removed/,
  },
  {
    fault: 'parts joined in reverse',
    make: broken((store) => ({
      concatenate: (parts, into) => store.concatenate!(parts.toReversed(), into),
    })),
    noticedBy: /joined in order/,
  },
  {
    fault: 'a part that is joined once only',
    make: broken((store) => ({
      concatenate: (parts, into) => store.concatenate!([...new Set(parts)], into),
    })),
    noticedBy: /same part twice/,
  },
  {
    fault: 'orphans that are known',
    make: broken((store) => ({ orphans: (_find, age) => store.orphans!(async () => undefined, age) })),
    noticedBy: /no record refers to/,
  },
  {
    fault: 'orphans of unfinished uploads',
    make: broken((store) => ({
      orphans: (find, age) =>
        store.orphans!(async (id) => {
          const found = await find(id)
          return found !== 'in-use' && found?.status === 'receiving' ? undefined : found
        }, age),
    })),
    noticedBy: /unfinished upload holds/,
  },
  {
    fault: 'orphans that are in use',
    make: broken((store) => ({
      orphans: (find, age) =>
        store.orphans!(async (id) => {
          const found = await find(id)
          return found === 'in-use' ? undefined : found
        }, age),
    })),
    noticedBy: /no record refers to/,
  },
  {
    fault: 'orphans that are too young',
    make: broken((store) => ({ orphans: (find) => store.orphans!(find, 0) })),
    noticedBy: /no record refers to/,
  },
  {
    fault: 'orphans that are not recorded yet',
    make: broken((store) => ({
      orphans: (find) =>
        store.orphans!(async (id) => {
          const found = await find(id)
          return found !== 'in-use' && found?.offset === 0 ? undefined : found
        }, 0),
    })),
    noticedBy: /begun and not recorded/,
  },
]

test('the contract finds nothing wrong with the store that is broken below', async () => {
  expect(await failuresOf(broken(() => ({})))).toEqual([])
})

test.each(cases)('the contract notices $fault', async ({ make, noticedBy }) => {
  const failed = await failuresOf(make)
  expect(failed.filter((name) => noticedBy.test(name))).not.toEqual([])
})
