import { describe, expect, test } from 'vitest'
import { RecordCache } from '../../src/catalogs/sqlite/record-cache.ts'
import { newUploadId } from '../../src/core/new-upload-id.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import type { UploadId } from '../../src/core/upload-id.ts'

function record(id: UploadId, inline?: Uint8Array): UploadRecord {
  return {
    id,
    dialect: 'tus1',
    status: 'receiving',
    offset: 0,
    length: 10,
    metadata: {},
    echo: {},
    concat: undefined,
    placement: { where: null, ...(inline && { inline }) },
    durability: 'power',
    epoch: 0,
    chore: undefined,
    createdAtMs: 0,
    lastWriteAtMs: 0,
    expiresAtMs: undefined,
    finishedAtMs: undefined,
  }
}

const ids = (count: number): UploadId[] =>
  Array.from({ length: count }, () => newUploadId((bytes) => crypto.getRandomValues(bytes)))

describe('the records used last', () => {
  test('a committed change is applied to what is kept, and only to that', () => {
    const cache = new RecordCache()
    const [kept, other] = ids(2) as [UploadId, UploadId]
    cache.put(record(kept))
    cache.change(kept, { offset: 7 })
    cache.change(other, { offset: 7 })
    expect(cache.get(kept)?.offset).toBe(7)
    expect(cache.get(other)).toBeUndefined()
  })

  test('the least recently used goes first', () => {
    const cache = new RecordCache()
    const [first, second, ...rest] = ids(1025) as [UploadId, UploadId, ...UploadId[]]
    for (const id of [first, second]) cache.put(record(id))
    cache.get(first)
    for (const id of rest) cache.put(record(id))
    expect(cache.get(first)).toBeDefined()
    expect(cache.get(second)).toBeUndefined()
  })

  test('inline bytes are counted: 40 bodies of 64 KiB do not stay', () => {
    const cache = new RecordCache()
    const all = ids(40)
    for (const id of all) {
      cache.put(record(id))
      cache.change(id, { placement: { where: null, inline: new Uint8Array(64 * 1024) } })
    }
    expect(all.filter((id) => cache.get(id) !== undefined)).toHaveLength(32)
    for (const id of all) cache.delete(id)
    for (const id of all) cache.put(record(id))
    expect(all.filter((id) => cache.get(id) !== undefined)).toHaveLength(40)
  })
})
