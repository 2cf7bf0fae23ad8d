/* Runs inside a page. Frames of the same origin play other tabs: their locks go with them. */
import type { StoredUpload, UrlStorage } from '../../../src/client/ports/url-storage.ts'
import { indexedDbUrlStorage } from '../../../src/client/url-storage/indexed-db.ts'
import { localStorageUrlStorage } from '../../../src/client/url-storage/local-storage.ts'
import { urlStorageContract, type UrlStorageUnderTest } from '../../../src/testing/url-storage-contract.ts'

type Kind = 'indexedDb' | 'localStorage'

let made = 0

/** Runs one case of the contract. */
export async function run(kind: Kind, wanted: string): Promise<string> {
  let found: (() => Promise<void>) | undefined
  urlStorageContract({
    test(name, run) {
      if (name === wanted) found = run
    },
    factory: () => underTest(kind),
  })
  if (found === undefined) return 'there is no such case'
  return found().then(
    () => 'passed',
    (error: unknown) => (error instanceof Error ? `${error.message}\n${error.stack}` : String(error)),
  )
}

async function underTest(kind: Kind): Promise<UrlStorageUnderTest> {
  made += 1
  const name = `contract-${made}`
  const opened = new Map<UrlStorage, HTMLIFrameElement>()
  const join = async (): Promise<UrlStorage> => {
    const frame = document.createElement('iframe')
    document.body.append(frame)
    const tab = frame.contentWindow as Window & typeof globalThis
    const { locks } = tab.navigator
    const storage =
      kind === 'indexedDb'
        ? indexedDbUrlStorage({ name, maxEntries: 20_000, factory: tab.indexedDB, locks })
        : localStorageUrlStorage({ prefix: `${name}:`, maxEntries: 20_000, storage: tab.localStorage, locks })
    opened.set(storage, frame)
    return storage
  }
  return {
    storage: await join(),
    join,
    reopen: join,
    kill: (storage) => opened.get(storage)?.remove(),
    plant: (key, value) => (kind === 'indexedDb' ? plant(name, key, value) : plantText(name, key, value)),
    async dispose() {
      for (const frame of opened.values()) frame.remove()
      localStorage.clear()
      await settled(indexedDB.deleteDatabase(name))
    },
  }
}

/** The browser refuses what has no key, so what is damaged in that way is wrapped. */
async function plant(name: string, key: string, value: unknown): Promise<void> {
  const hasKey =
    typeof value === 'object' && value !== null && 'key' in value && typeof value.key === 'string'
  const damaged = hasKey && value.key !== '' ? value : { wrapped: value }
  const database = (await settled(indexedDB.open(name))) as IDBDatabase
  const transaction = database.transaction('uploads', 'readwrite')
  transaction.objectStore('uploads').put({ ...damaged, key })
  await new Promise((resolve, reject) => {
    transaction.addEventListener('complete', resolve)
    transaction.addEventListener('abort', reject)
  })
  database.close()
}

async function plantText(name: string, key: string, value: unknown): Promise<void> {
  localStorage.setItem(`${name}:${key}`, JSON.stringify(value))
}

function settled(request: IDBRequest): Promise<unknown> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error))
  })
}

function entryOf(key: string, filename = ''): StoredUpload {
  return { key, fingerprint: 'fingerprint', endpoint: '', metadata: { filename }, createdAtMs: Date.now() }
}

/** Puts one entry too many, then deletes the database below an open connection. */
export async function limits(): Promise<unknown> {
  let nowMs = Date.now()
  const storage = indexedDbUrlStorage({ name: 'limits', nowMs: () => (nowMs += 1) })
  for (let index = 0; index <= 500; index += 1) await storage.put(entryOf(`key-${index}`))
  const keys = (await storage.list()).map(({ key }) => key)
  await settled(indexedDB.deleteDatabase('limits'))
  await storage.put(entryOf('after'))
  const after = (await storage.list()).length
  return { held: keys.length, hasOldest: keys.includes('key-0'), hasNewest: keys.includes('key-500'), after }
}

/** Puts what does not fit. */
export async function fill(): Promise<string> {
  const storage = indexedDbUrlStorage({ name: 'full' })
  const noise = Array.from(crypto.getRandomValues(new Uint32Array(16_000)), String).join()
  for (let index = 0; index < 100; index += 1) {
    try {
      await storage.put(entryOf(`${index}`, noise))
    } catch (error) {
      return String(error)
    }
  }
  return 'everything fitted'
}

export async function inWorker(): Promise<unknown> {
  const storage = indexedDbUrlStorage({ name: 'worker' })
  await storage.put(entryOf('a'))
  return { keys: (await storage.list()).map(({ key }) => key), hasLock: storage.lock !== undefined }
}
