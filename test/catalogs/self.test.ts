/* The contract itself is tested: each broken catalog below must turn the named cases red. */
import { describe, expect, test } from 'vitest'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import { type Catalog, CLAIMS_QUEUE, type Queues, type TakenEntry } from '../../src/core/ports/catalog.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import { catalogContract, type CatalogUnderTest } from '../../src/testing/catalog-contract.ts'
import { sampleRecord } from '../../src/testing/catalog-contract/case.ts'
import { sqliteUnderTest } from './sqlite-fixture.ts'

/** Names of the cases that fail, of those whose name starts with `area`. */
async function failures(area: string, factory: () => Promise<CatalogUnderTest>): Promise<string[]> {
  const cases: [string, () => Promise<void>][] = []
  catalogContract({ factory, test: (name, run) => cases.push([name, run]) })
  const failed: string[] = []
  for (const [name, run] of cases) {
    if (!name.startsWith(area)) continue
    await run().catch(() => failed.push(name))
  }
  return failed
}

type Breakage = (catalog: Catalog) => Partial<Catalog>

/** An object with some of its members replaced. */
function withReplaced<T extends object>(target: T, replaced: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      const holder = name in replaced ? replaced : target
      const own: unknown = Reflect.get(holder, name)
      return typeof own === 'function' ? own.bind(holder) : own
    },
  })
}

function broken(catalog: Catalog, breakage: Breakage): Catalog {
  return withReplaced(catalog, breakage(catalog))
}

/** A catalog of which only the queues are broken. */
function brokenQueues(breakage: (queues: Queues) => Partial<Queues>): Breakage {
  return ({ queues }) => ({ queues: withReplaced(queues, breakage(queues)) })
}

function brokenMemory(breakage: Breakage): () => Promise<CatalogUnderTest> {
  return async () => {
    const catalog = memoryCatalog()
    return { catalog: broken(catalog, breakage), dispose: () => catalog.close() }
  }
}

/** A SQLite catalog of which every process is broken in the same way. */
function brokenSqlite(breakage: Breakage): () => Promise<CatalogUnderTest> {
  return async () => {
    const subject = await sqliteUnderTest('same')
    const originals = new Map<Catalog, Catalog>()
    const wrap = (catalog: Catalog): Catalog => {
      const wrapped = broken(catalog, breakage)
      originals.set(wrapped, catalog)
      return wrapped
    }
    const original = (catalog: Catalog): Catalog => originals.get(catalog) ?? catalog
    const { sharing } = subject
    return {
      ...subject,
      catalog: wrap(subject.catalog),
      reopen: async () => wrap((await subject.reopen?.()) ?? subject.catalog),
      sharing: sharing && {
        join: async () => wrap(await sharing.join()),
        freeze: (catalog) => sharing.freeze(original(catalog)),
        thaw: (catalog) => sharing.thaw(original(catalog)),
        kill: (catalog) => sharing.kill(original(catalog)),
      },
    }
  }
}

describe('a broken catalog turns the contract red', () => {
  for (const part of ['epoch', 'offset', 'status'] as const) {
    test(`${part} is left out of the guard`, async () => {
      const factory = brokenMemory((catalog) => ({
        async update(id, guard, change, events) {
          const record = await catalog.get(id)
          return catalog.update(
            id,
            record === undefined ? guard : { ...guard, [part]: record[part] },
            change,
            events,
          )
        },
      }))
      expect(await failures('update', factory)).toContain(
        'update: each part of the guard refuses by itself and changes nothing',
      )
    })
  }

  test('forget ignores its guard', async () => {
    const factory = brokenMemory((catalog) => ({
      async forget(id, guard) {
        return catalog.forget(id, (await catalog.get(id)) ?? guard)
      },
    }))
    expect(await failures('forget', factory)).not.toEqual([])
  })

  test('an update that lies: answers and stores nothing', async () => {
    const factory = brokenMemory(() => ({ update: async () => true }))
    expect(await failures('update', factory)).toContain(
      'update: each field changes, alone and together, and nothing else does',
    )
  })

  test('an insert that answers before it is stored, and a close that does not wait', async () => {
    const factory = brokenSqlite((catalog) => {
      const waiting = new Map<string, UploadRecord>()
      return {
        insert: async (record) => void waiting.set(record.id, record),
        get: (id) => waiting.get(id) ?? catalog.get(id),
      }
    })
    expect(await failures('reopened', factory)).not.toEqual([])
    expect(await failures('close:', factory)).not.toEqual([])
  })

  test('an insert that replaces', async () => {
    const factory = brokenMemory((catalog) => ({
      async insert(record, events) {
        const before = await catalog.get(record.id)
        if (before !== undefined) await catalog.forget(record.id, before)
        await catalog.insert(record, events)
      },
    }))
    expect(await failures('insert', factory)).toContain(
      'insert: a taken id is refused and the first record stays',
    )
  })

  test('inline bytes are cut', async () => {
    const factory = brokenMemory((catalog) => ({
      insert(record, events) {
        const { where, inline } = record.placement
        return catalog.insert(
          { ...record, placement: { where, inline: inline?.subarray(0, 60_000) } },
          events,
        )
      },
    }))
    expect(await failures('insert', factory)).toHaveLength(1)
  })

  test('a change of what an application has said is lost', async () => {
    const factory = brokenMemory((catalog) => ({
      update: (id, guard, change, events) =>
        catalog.update(id, guard, 'handling' in change ? {} : change, events),
    }))
    expect(await failures('update', factory)).toContain(
      'update: each field changes, alone and together, and nothing else does',
    )
  })

  for (const field of ['owner', 'serverMetadata', 'limits', 'request', 'handling', 'quotaBytes'] as const) {
    test(`an insert forgets ${field}`, async () => {
      const factory = brokenMemory((catalog) => ({
        insert: (record, events, bounds) =>
          catalog.insert({ ...record, [field]: sampleRecord()[field] }, events, bounds),
      }))
      expect(await failures('insert', factory)).toContain(
        'insert: every field comes back as it was, awkward keys and text included',
      )
    })
  }

  test('a page leaves one out', async () => {
    const factory = brokenMemory((catalog) => ({
      async list(query) {
        return (await catalog.list(query)).slice(query.after === undefined ? 0 : 1)
      },
    }))
    expect(await failures('list', factory)).not.toEqual([])
  })

  test('a listing of old files shows what is not complete', async () => {
    const factory = brokenMemory((catalog) => ({
      async list({ finishedBeforeMs = Infinity, ...query }) {
        return (await catalog.list(query)).filter(({ finishedAtMs = 0 }) => finishedAtMs < finishedBeforeMs)
      },
    }))
    expect(await failures('list', factory)).toContain(
      'list: complete uploads that finished before a time, and nothing else',
    )
  })

  test('a lease that never waits', async () => {
    const factory = brokenSqlite((catalog) => ({
      async acquire(id) {
        const record = await catalog.get(id)
        return record === undefined ? { kind: 'missing' } : { kind: 'held', record }
      },
    }))
    expect((await failures('lease', factory)).length).toBeGreaterThanOrEqual(4)
  })

  test('a lease that passes on without a new epoch', async () => {
    const factory = brokenSqlite((catalog) => ({
      async acquire(id) {
        const acquired = await catalog.acquire(id)
        return acquired.kind === 'held' ? { ...acquired, record: { ...acquired.record, epoch: 1 } } : acquired
      },
    }))
    expect(await failures('lease', factory)).toContain(
      'lease: another process gets it when the first lets go, and the first is fenced off',
    )
  })

  test('a holder that is never told', async () => {
    const factory = brokenSqlite(() => ({ onWanted: () => undefined }))
    expect(await failures('takeover: an expelled', factory)).not.toEqual([])
  }, 60_000)

  test('files of a frozen process are extended', async () => {
    const factory = brokenSqlite(() => ({ mayExtend: () => true }))
    expect((await failures('takeover', factory)).length).toBeGreaterThanOrEqual(3)
  })

  test('changes of an expelled process go through', async () => {
    const factory = brokenSqlite((catalog) => ({
      update: (id, guard, change) => catalog.update(id, guard, change).catch(() => true),
    }))
    expect(await failures('takeover', factory)).toContain(
      'takeover: a frozen holder is expelled, its changes are refused, its files are left alone',
    )
  })
})

describe('broken queues turn the contract red', () => {
  test('events are lost', async () => {
    const factory = brokenMemory((catalog) => ({
      update: (id, guard, change) => catalog.update(id, guard, change),
    }))
    expect(await failures('queue', factory)).not.toEqual([])
  })

  test('told of a change that did not happen', async () => {
    const factory = brokenMemory((catalog) => ({
      async update(id, guard, change, events) {
        const changed = await catalog.update(id, guard, change, events)
        const record = await catalog.get(id)
        if (!changed && record !== undefined) await catalog.update(id, record, {}, events)
        return changed
      },
    }))
    expect(await failures('queue', factory)).toContain(
      'queue: nothing is told of a change that did not happen',
    )
  })

  const twice = brokenQueues((queues) => ({
    async take(queue, options) {
      const taken = await queues.take(queue, options)
      for (const entry of taken) await queues.release(entry, { dueAtMs: options.nowMs, isDead: false })
      return taken
    },
  }))

  test('an entry is handed out twice', async () => {
    expect(await failures('take', brokenMemory(twice))).toEqual(
      expect.arrayContaining([
        'take: oldest first, no more than asked for, of one queue alone, and each once',
        'take: of many at once, each entry goes to one',
      ]),
    )
    expect(await failures('shared queue', brokenSqlite(twice))).toContain(
      'shared queue: of two processes that take at once, each entry goes to one',
    )
  }, 60_000)

  test('whoever took an entry before can still change it', async () => {
    const factory = brokenMemory(
      brokenQueues((queues) => {
        const current = async (entry: TakenEntry): Promise<TakenEntry> =>
          (await queues.list({ after: entry.sequence - 1, limit: 1 }))[0] ?? entry
        return {
          done: async (entry) => queues.done(await current(entry)),
          extend: async (entry, untilMs) => queues.extend(await current(entry), untilMs),
          release: async (entry, outcome) => queues.release(await current(entry), outcome),
        }
      }),
    )
    expect(await failures('held', factory)).toContain(
      'held: until its time has passed; then it is taken again and the first can do nothing more',
    )
  })

  test('what comes later of an upload does not wait', async () => {
    const factory = brokenMemory(
      brokenQueues((queues) => ({
        async take(queue, options) {
          const taken = await queues.take(queue, options)
          const waiting = await queues.list({ queue, isDead: false, limit: 1000 })
          return [...taken, ...waiting.filter(({ attempts }) => attempts === 0)]
        },
      })),
    )
    expect(await failures('take', factory)).toContain(
      'take: of one upload and queue, what comes later waits until what came before is done',
    )
  })

  test('what was given up stops its upload', async () => {
    const factory = brokenMemory(
      brokenQueues((queues) => ({
        release: (entry, outcome) =>
          queues.release(entry, {
            ...outcome,
            isDead: false,
            dueAtMs: outcome.isDead ? 9e15 : outcome.dueAtMs,
          }),
      })),
    )
    expect(await failures('given up', factory)).toHaveLength(3)
  })

  test('a lease that never passes', async () => {
    const factory = brokenMemory(
      brokenQueues((queues) => ({
        take: (queue, options) => queues.take(queue, { ...options, leaseMs: 9e14 }),
      })),
    )
    expect(await failures('held', factory)).toContain(
      'held: until its time has passed; then it is taken again and the first can do nothing more',
    )
  })

  test('claims are written without those that were complete before', async () => {
    const factory = brokenMemory(
      brokenQueues((queues) => ({
        async enableClaims() {
          await queues.enableClaims()
          for (const entry of await queues.take(CLAIMS_QUEUE, { limit: 1000, nowMs: 9e15, leaseMs: 1 })) {
            await queues.done(entry)
          }
        },
      })),
    )
    expect(await failures('claims', factory)).toContain(
      'claims: none before they are asked for; then one for each complete upload, oldest first',
    )
  })

  test('claims are made up for again at each start', async () => {
    const factory = brokenMemory((catalog) => ({
      queues: withReplaced(catalog.queues, {
        async enableClaims() {
          await catalog.queues.enableClaims()
          for (const { id } of await catalog.list({ status: ['complete'], limit: 1000 })) {
            const claim = { queue: CLAIMS_QUEUE, uploadId: id, type: 'claim', atMs: 1, payload: '{}' }
            await catalog.insert(sampleRecord(), [claim])
          }
        },
      }),
    }))
    expect(await failures('claims', factory)).not.toEqual([])
  })

  test('a partial upload is claimed', async () => {
    const factory = brokenMemory((catalog) => ({
      insert: (record, events = [], bounds) => {
        const isPartial = record.status === 'complete' && record.concat?.kind === 'partial'
        const claim = { queue: CLAIMS_QUEUE, uploadId: record.id, type: 'claim', atMs: 1, payload: '{}' }
        return catalog.insert(record, isPartial ? [...events, claim] : events, bounds)
      },
    }))
    expect(await failures('claims', factory)).toContain(
      'claims: none for what does not complete, is partial, or was complete before',
    )
  })

  test('a completion in two steps: first the record, then its claim', async () => {
    const factory = brokenMemory((catalog) => ({
      async update(id, guard, change, events) {
        const done = await catalog.update(id, guard, { ...change, status: guard.status }, events)
        // Stands for a crash in between.
        return done && change.status === undefined
      },
    }))
    expect((await failures('claims', factory)).length).toBeGreaterThanOrEqual(3)
  })
})

describe('broken bounds turn the contract red', () => {
  test('nobody checks them', async () => {
    const factory = brokenMemory((catalog) => ({
      insert: (record, events) => catalog.insert(record, events),
    }))
    expect((await failures('bounds', factory)).length).toBeGreaterThanOrEqual(3)
  })

  test('they are checked before the insert instead of in it', async () => {
    const factory = brokenSqlite((catalog) => ({
      async insert(record, events, bounds) {
        const { bytes, uploads } = await catalog.usage(record.owner ?? '')
        const fits =
          bytes + record.quotaBytes <= (bounds?.maxBytes ?? Infinity) &&
          uploads < (bounds?.maxUploads ?? Infinity)
        await catalog.insert(record, events, fits ? undefined : bounds)
      },
    }))
    expect(await failures('bounds: of', factory)).toHaveLength(2)
  }, 60_000)

  test('what is gone still counts', async () => {
    const factory = brokenMemory((catalog) => {
      const most = new Map<string, number>()
      return {
        async usage(owner) {
          const usage = await catalog.usage(owner)
          const bytes = Math.max(most.get(owner) ?? 0, usage.bytes)
          most.set(owner, bytes)
          return { ...usage, bytes }
        },
      }
    })
    expect((await failures('usage', factory)).length).toBeGreaterThanOrEqual(2)
  })
})

test('a catalog that is not broken stays green through the same wrappers', async () => {
  expect(
    await failures(
      '',
      brokenMemory(() => ({})),
    ),
  ).toEqual([])
  expect(
    await failures(
      '',
      brokenSqlite(() => ({})),
    ),
  ).toEqual([])
})
