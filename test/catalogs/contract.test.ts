import { describe, test } from 'vitest'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import { catalogContract } from '../../src/testing/catalog-contract.ts'
import { sqliteUnderTest } from './sqlite-fixture.ts'

describe('memory catalog', () => {
  catalogContract({
    test,
    factory: async () => {
      const catalog = memoryCatalog()
      return { catalog, dispose: () => catalog.close() }
    },
  })
})

describe('SQLite catalog', () => {
  catalogContract({ test, factory: () => sqliteUnderTest('worker') })
})

describe('SQLite catalog without a worker', () => {
  catalogContract({ test, factory: () => sqliteUnderTest('same') })
})
