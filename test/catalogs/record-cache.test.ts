import { describe, expect, test } from 'vitest'
import { RecordCache } from '../../src/catalogs/sqlite/record-cache.ts'
import { newUploadId } from '../../src/core/new-upload-id.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import type { UploadId } from '../../src/core/upload-id.ts'
import { sampleRecord } from '../../src/testing/catalog-contract/case.ts'

function record(id: UploadId, inline?: Uint8Array): UploadRecord {
  return sampleRecord({ id, placement: { where: null, ...(inline && { inline }) } })
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
  test('answers are counted too: of 10 with 1 MiB each, 2 stay', () => {
    const cache = new RecordCache()
    const all = ids(10)
    const answer = { status: 200, headers: {}, body: new Uint8Array(1024 * 1024) }
    for (const id of all) {
      cache.put(record(id))
      cache.change(id, { handling: { attempts: 1, answer } })
    }
    expect(all.filter((id) => cache.get(id) !== undefined)).toHaveLength(2)
    for (const id of all) cache.change(id, { handling: { attempts: 1 } })
    for (const id of all) cache.put(record(id))
    expect(all.filter((id) => cache.get(id) !== undefined)).toHaveLength(10)
  })
})
