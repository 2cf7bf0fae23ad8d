import { expect, test } from 'vitest'

import { memoryStore } from '../../src/stores/memory/index.ts'
import { storeContract } from '../../src/testing/store-contract.ts'
import { bytesOf, Scene } from '../../src/testing/store-contract/scene.ts'

storeContract({
  test,
  factory: async () => ({ store: memoryStore(), dispose: async () => {} }),
})

test('a full memory store refuses bytes and keeps what it has', async () => {
  const store = memoryStore({ maxBytes: 1000 })
  const scene = new Scene({ store, dispose: async () => {} })
  const upload = scene.upload(2000)
  await upload.append([bytesOf(900)])
  expect(await store.freeBytes?.()).toBe(100)
  await expect(upload.append([bytesOf(101)])).rejects.toMatchObject({ code: 'ERR_STORE_FULL' })
  await upload.holds(bytesOf(900))
  await store.remove(upload.record)
  expect(await store.freeBytes?.()).toBe(1000)
})

test('a limit that is no number of bytes is refused', () => {
  expect(() => memoryStore({ maxBytes: -1 })).toThrow(RangeError)
  expect(() => memoryStore({ maxBytes: 1.5 })).toThrow(RangeError)
})
