/* The contract itself is tested: each broken catalog below must turn the named cases red. */
import { describe, expect, test } from 'vitest'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import type { Catalog } from '../../src/core/ports/catalog.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import { catalogContract, type CatalogUnderTest } from '../../src/testing/catalog-contract.ts'
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

/** The catalog with some of its methods replaced. */
function broken(catalog: Catalog, breakage: Breakage): Catalog {
  const replaced = breakage(catalog)
  return new Proxy(catalog, {
    get(target, name) {
      const own: unknown = Reflect.get(name in replaced ? replaced : target, name)
      return typeof own === 'function' ? own.bind(name in replaced ? replaced : target) : own
    },
  })
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

  test('the outbox is lost', async () => {
    const factory = brokenMemory((catalog) => ({
      update: (id, guard, change) => catalog.update(id, guard, change),
    }))
    expect(await failures('outbox', factory)).not.toEqual([])
  })

  test('the outbox tells of a change that did not happen', async () => {
    const factory = brokenMemory((catalog) => ({
      async update(id, guard, change, events) {
        const changed = await catalog.update(id, guard, change, events)
        const record = await catalog.get(id)
        if (!changed && record !== undefined) await catalog.update(id, record, {}, events)
        return changed
      },
    }))
    expect(await failures('outbox', factory)).toContain(
      'outbox: nothing is told of a change that did not happen',
    )
  })

  test('a page leaves one out', async () => {
    const factory = brokenMemory((catalog) => ({
      async list(query) {
        return (await catalog.list(query)).slice(query.after === undefined ? 0 : 1)
      },
    }))
    expect(await failures('list', factory)).not.toEqual([])
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
