import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { StoredUpload, UrlStorage } from '../../../src/client/ports/url-storage.ts'
import type { Processes } from '../../../src/client/url-storage/process-node.ts'
import { sqliteUrlStorage } from '../../../src/client/url-storage/sqlite.ts'
import type { Clock } from '../../../src/core/ports/clock.ts'
import { systemClock } from '../../../src/core/system-clock.ts'
import { temporaryDirectory } from './fixtures.ts'

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let path: string
let opened: UrlStorage[]

beforeEach(async () => {
  directory = await temporaryDirectory()
  path = join(directory.path, 'state', 'uploads.db')
  opened = []
})

afterEach(async () => {
  for (const storage of opened) await storage.close?.()
  await directory.remove()
})

function open(options: Parameters<typeof sqliteUrlStorage>[1] = {}): UrlStorage {
  const storage = sqliteUrlStorage(path, options)
  opened.push(storage)
  return storage
}

const never = new AbortController().signal
const entry: StoredUpload = {
  key: 'a',
  fingerprint: 'fingerprint',
  endpoint: 'https://example.com/files/',
  metadata: {},
  createdAtMs: 1_700_000_000_000,
}
const self = { pid: 1, started: '', boot: '', host: 'here', namespace: '' }
const unknown: Processes = { self, judge: () => 'unknown' }

test('file and directory are readable by their owner alone, the log too', async () => {
  await open().put(entry)
  const mode = async (name: string): Promise<number> => (await stat(name)).mode & 0o777
  expect(await mode(path)).toBe(0o600)
  expect(await mode(`${path}-wal`)).toBe(0o600)
  expect(await mode(join(path, '..'))).toBe(0o700)
})

test('nothing is opened before it is needed; what cannot be opened rejects, and works again later', async () => {
  await writeFile(join(directory.path, 'state'), 'a file where the directory should be')
  const storage = open()
  await expect(storage.list()).rejects.toThrow('EEXIST')
  await expect(storage.put(entry)).rejects.toThrow('EEXIST')
  path = join(directory.path, 'other', 'uploads.db')
  await mkdir(join(path, '..'))
  await writeFile(path, 'this is no database '.repeat(100))
  const other = open()
  await expect(other.find('fingerprint')).rejects.toThrow('not a database')
  await writeFile(path, '')
  await other.put(entry)
  expect(await other.list()).toEqual([entry])
})

test('after close every call rejects', async () => {
  const storage = open()
  await storage.put(entry)
  await storage.close?.()
  await expect(storage.list()).rejects.toThrow('closed')
})

test('an expired entry leaves the database', async () => {
  const storage = open()
  await storage.put({ ...entry, expiresAtMs: 1_700_000_000_001 })
  expect(await storage.list()).toEqual([])
  const database = new DatabaseSync(path)
  expect(database.prepare('SELECT count(*) AS count FROM uploads').all()).toEqual([{ count: 0 }])
  database.close()
})

test('a dead holder whose right was taken over in the very moment is not followed by two', async () => {
  await open({ processes: { self, judge: () => 'alive' } }).lock?.('upload', { signal: never })
  let judged = 0
  const processes: Processes = {
    self,
    judge() {
      judged += 1
      if (judged > 1) return 'alive'
      const database = new DatabaseSync(path)
      database.exec("UPDATE rights SET token = 'faster'")
      database.close()
      return 'dead'
    },
  }
  const abort = new AbortController()
  const slower = open({ processes })
  await new Promise<void>((onWait, reject) => {
    const taking = slower.lock?.('upload', { signal: abort.signal, onWait })
    taking?.then(() => reject(new Error('two have the right')), onWait)
  })
  abort.abort()
})

test('a right whose holder cannot be judged stays with a holder that beats, and passes on when it is silent', async () => {
  let [isSilent, looks] = [false, 0]
  const holderClock: Clock = {
    nowMs: () => Date.now(),
    after: (delayMs, callback) => systemClock.after(delayMs / 100, () => isSilent || callback()),
  }
  const waiterClock: Clock = {
    nowMs: () => Date.now(),
    after(delayMs, callback) {
      looks += 1
      return systemClock.after(delayMs / 100, callback)
    },
  }
  await open({ clock: holderClock, processes: unknown }).lock?.('upload', { signal: never })
  const other = open({ clock: waiterClock, processes: unknown })
  let isTaken = false
  const taking = other.lock?.('upload', { signal: never }).then(() => {
    isTaken = true
  })
  // Twice as many as silence needs.
  await expect.poll(() => looks, { timeout: 20_000 }).toBeGreaterThan(600)
  expect(isTaken).toBe(false)
  isSilent = true
  await taking
})
