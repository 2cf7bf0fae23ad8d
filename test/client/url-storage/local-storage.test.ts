import { afterEach, expect, test } from 'vitest'
import type { StoredUpload } from '../../../src/client/ports/url-storage.ts'
import { localStorageUrlStorage } from '../../../src/client/url-storage/local-storage.ts'
import { FakeStorage } from './fake-browser.ts'

const DAY_MS = 86_400_000
const START_MS = Date.UTC(2026, 0, 1)

let nowMs = START_MS
const options = { locks: undefined, nowMs: (): number => nowMs }

afterEach(() => {
  nowMs = START_MS
  Reflect.deleteProperty(globalThis, 'localStorage')
})

function entryOf(key: string, overrides: Partial<StoredUpload> = {}): StoredUpload {
  return {
    key,
    fingerprint: 'fingerprint',
    endpoint: 'https://example.com/files/',
    metadata: {},
    createdAtMs: START_MS,
    ...overrides,
  }
}

test('500 entries at most: those unused for longest go, whenever they were created', async () => {
  const storage = new FakeStorage()
  storage.setItem('foreign', 'not ours')
  const urls = localStorageUrlStorage({ ...options, storage })
  for (let index = 0; index < 500; index += 1) {
    nowMs += 1
    await urls.put(entryOf(`key-${index}`, { createdAtMs: START_MS - index }))
  }
  nowMs += 1
  await urls.put(entryOf('key-0'))
  nowMs += 1
  await urls.put(entryOf('key-500', { createdAtMs: START_MS - 500 }))
  const keys = (await urls.list()).map(({ key }) => key)
  expect(keys).toHaveLength(500)
  expect(keys).toContain('key-0')
  expect(keys).toContain('key-500')
  expect(keys).not.toContain('key-1')
  expect(storage.length).toBe(501)
})

test('an entry goes a day after the server’s end, or 30 days after its last put where there is none', async () => {
  const storage = new FakeStorage()
  const urls = localStorageUrlStorage({ ...options, storage })
  await urls.put(entryOf('ends', { expiresAtMs: START_MS + DAY_MS }))
  await urls.put(entryOf('ends late', { expiresAtMs: START_MS + 90 * DAY_MS }))
  await urls.put(entryOf('no end'))
  await urls.put(entryOf('no end, used'))
  const keys = async (): Promise<string[]> => (await urls.list()).map(({ key }) => key).toSorted()
  nowMs = START_MS + 2 * DAY_MS - 1
  expect(await keys()).toContain('ends')
  nowMs = START_MS + 2 * DAY_MS
  expect(await keys()).toEqual(['ends late', 'no end', 'no end, used'])
  await urls.put(entryOf('no end, used'))
  nowMs = START_MS + 30 * DAY_MS
  expect(await urls.find('fingerprint')).toHaveLength(2)
  expect(await keys()).toEqual(['ends late', 'no end, used'])
  expect(storage.length).toBe(2)
})

test('a full storage rejects and keeps what it has', async () => {
  const storage = new FakeStorage(1000)
  const urls = localStorageUrlStorage({ ...options, storage })
  await urls.put(entryOf('a'))
  await expect(urls.put(entryOf('a', { metadata: { filename: 'x'.repeat(1000) } }))).rejects.toThrow('full')
  await expect(urls.put(entryOf('b', { metadata: { filename: 'x'.repeat(1000) } }))).rejects.toThrow('full')
  expect(await urls.list()).toEqual([entryOf('a')])
})

test('a storage that may not even be looked at rejects, and only when it is used', async () => {
  Object.defineProperty(globalThis, 'localStorage', {
    configurable: true,
    get() {
      throw new DOMException('forbidden', 'SecurityError')
    },
  })
  const urls = localStorageUrlStorage(options)
  await expect(urls.list()).rejects.toThrow('forbidden')
  await expect(urls.put(entryOf('a'))).rejects.toThrow('forbidden')
  await expect(urls.remove('a')).rejects.toThrow('forbidden')
})

test('prefixes that begin alike share nothing', async () => {
  const storage = new FakeStorage()
  const prefixes = ['a', 'a:', 'a:b', 'ab']
  const all = prefixes.map((prefix) => localStorageUrlStorage({ ...options, storage, prefix }))
  for (const [index, urls] of all.entries()) await urls.put(entryOf(`${index}`))
  for (const [index, urls] of all.entries()) {
    expect((await urls.list()).map(({ key }) => key)).toEqual([`${index}`])
  }
})

test('what is no JSON is passed over and left alone', async () => {
  const storage = new FakeStorage()
  storage.setItem('carryon:broken', '{"key":')
  const urls = localStorageUrlStorage({ ...options, storage })
  await urls.put(entryOf('a'))
  expect(await urls.list()).toEqual([entryOf('a')])
  expect(storage.getItem('carryon:broken')).toBe('{"key":')
})

test('without locks the method is not there', () => {
  expect('lock' in localStorageUrlStorage({ ...options, storage: new FakeStorage() })).toBe(false)
})
