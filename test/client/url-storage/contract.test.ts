import { describe, test } from 'vitest'
import { memoryUrlStorage } from '../../../src/client/url-storage/memory.ts'
import { urlStorageContract } from '../../../src/testing/url-storage-contract.ts'
import { fileUnderTest, localStorageUnderTest, sqliteUnderTest } from './fixtures.ts'

describe('uploads remembered in memory', () => {
  urlStorageContract({
    test,
    factory: async () => ({ storage: memoryUrlStorage(), dispose: async () => undefined }),
  })
})

describe('uploads remembered in a file', () => {
  urlStorageContract({ test, factory: fileUnderTest })
})

describe('uploads remembered in a database', () => {
  urlStorageContract({ test, factory: sqliteUnderTest })
})

describe('uploads remembered in localStorage', () => {
  urlStorageContract({ test, factory: () => localStorageUnderTest(true) })
})

describe('uploads remembered in localStorage of an insecure context', () => {
  urlStorageContract({ test, factory: () => localStorageUnderTest(false) })
})
