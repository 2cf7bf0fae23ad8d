import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import type { UrlStorage } from '../../../src/client/ports/url-storage.ts'
import { fileUrlStorage } from '../../../src/client/url-storage/file.ts'
import { localStorageUrlStorage } from '../../../src/client/url-storage/local-storage.ts'
import type { Processes, ProcessIdentity } from '../../../src/client/url-storage/process-node.ts'
import { sqliteUrlStorage } from '../../../src/client/url-storage/sqlite.ts'
import type { Clock } from '../../../src/core/ports/clock.ts'
import { systemClock } from '../../../src/core/system-clock.ts'
import type { UrlStorageUnderTest } from '../../../src/testing/url-storage-contract.ts'
import { FakeLocks, FakeStorage } from './fake-browser.ts'

/** Looks at a right that is held 40 times as often. */
const hastyClock: Clock = {
  nowMs: () => Date.now(),
  after: (delayMs, callback) => systemClock.after(delayMs === 200 ? 5 : delayMs, callback),
}

/** A directory for one test. */
export async function temporaryDirectory(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'carryon-urls-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

interface World {
  readonly clock: Clock
  readonly processes: Processes
}

/** Handles that play processes of their own; `kill` lets one of them be dead. */
async function playedProcesses(
  open: (directory: string, world: World) => UrlStorage,
  plant: (directory: string, key: string, value: unknown) => Promise<void>,
): Promise<UrlStorageUnderTest> {
  const directory = await temporaryDirectory()
  const opened: UrlStorage[] = []
  const dead = new Set<number>()
  const make = async (): Promise<UrlStorage> => {
    const self: ProcessIdentity = { pid: opened.length + 1, started: '', boot: '', host: '', namespace: '' }
    const processes: Processes = { self, judge: ({ pid }) => (dead.has(pid) ? 'dead' : 'alive') }
    const storage = open(directory.path, { clock: hastyClock, processes })
    opened.push(storage)
    return storage
  }
  return {
    storage: await make(),
    join: make,
    reopen: make,
    kill: (storage) => void dead.add(opened.indexOf(storage) + 1),
    plant: (key, value) => plant(directory.path, key, value),
    async dispose() {
      for (const storage of opened) await storage.close?.()
      await directory.remove()
    },
  }
}

export function fileUnderTest(): Promise<UrlStorageUnderTest> {
  const pathIn = (directory: string): string => join(directory, 'new', 'uploads.json')
  return playedProcesses(
    (directory, world) => fileUrlStorage(pathIn(directory), world),
    async (directory, _, value) => {
      const path = pathIn(directory)
      const text = await readFile(path, 'utf8').catch(() => '{"uploads":[]}')
      const { uploads } = JSON.parse(text) as { uploads: unknown[] }
      await writeFile(path, JSON.stringify({ uploads: [...uploads, value] }))
    },
  )
}

export function sqliteUnderTest(): Promise<UrlStorageUnderTest> {
  return playedProcesses(
    (directory, world) => sqliteUrlStorage(join(directory, 'uploads.db'), world),
    async (directory, key, value) => {
      const database = new DatabaseSync(join(directory, 'uploads.db'))
      try {
        const row = [JSON.stringify(key), JSON.stringify('fingerprint'), JSON.stringify(value)]
        database.prepare('REPLACE INTO uploads (key, fingerprint, entry) VALUES (?, ?, ?)').run(...row)
      } finally {
        database.close()
      }
    },
  )
}

/** A page's storage with rights, or as in an insecure context without. */
export async function localStorageUnderTest(hasLocks: boolean): Promise<UrlStorageUnderTest> {
  const storage = new FakeStorage()
  storage.setItem('carryon:foreign', 'not ours')
  const rights = new FakeLocks()
  const tabs = new Map<UrlStorage, LockManager>()
  const make = async (): Promise<UrlStorage> => {
    const locks = rights.tab()
    const options = { storage, maxEntries: 20_000, locks: hasLocks ? locks : undefined }
    const handle = localStorageUrlStorage(options)
    tabs.set(handle, locks)
    return handle
  }
  return {
    storage: await make(),
    join: make,
    reopen: make,
    kill: (handle) => rights.closeTab(tabs.get(handle)!),
    plant: async (key, value) => storage.setItem(`carryon:${key}`, JSON.stringify(value)),
    dispose: async () => undefined,
  }
}
