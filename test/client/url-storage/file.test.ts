import { writeFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { StoredUpload } from '../../../src/client/ports/url-storage.ts'
import { fileUrlStorage } from '../../../src/client/url-storage/file.ts'
import type { Processes } from '../../../src/client/url-storage/process-node.ts'
import type { Clock } from '../../../src/core/ports/clock.ts'
import { systemClock } from '../../../src/core/system-clock.ts'
import { temporaryDirectory } from './fixtures.ts'

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let path: string
let troubles: string[]

beforeEach(async () => {
  directory = await temporaryDirectory()
  path = join(directory.path, 'state', 'carryon', 'uploads.json')
  troubles = []
})

afterEach(() => directory.remove())

const onTrouble = (error: Error): void => void troubles.push(error.message)

/** Everything takes a hundredth of its time. */
const fastClock: Clock = {
  nowMs: () => Date.now(),
  after: (delayMs, callback) => systemClock.after(delayMs / 100, callback),
}

/** As above, for tests in which nobody gives up. */
const patientClock: Clock = {
  nowMs: () => Date.now(),
  after: (delayMs, callback) => (delayMs >= 15_000 ? () => undefined : fastClock.after(delayMs, callback)),
}

/** Everybody else is `verdict`. */
function processes(verdict: 'alive' | 'dead' | 'unknown'): Processes {
  return { self: { pid: 1, started: '', boot: '', host: 'here', namespace: '' }, judge: () => verdict }
}

function entryOf(key: string): StoredUpload {
  return {
    key,
    fingerprint: 'fingerprint',
    endpoint: 'https://example.com/files/',
    metadata: {},
    createdAtMs: 1_700_000_000_000,
  }
}

async function write(text: string): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, text)
}

test('file and directories are readable by their owner alone', async () => {
  const storage = fileUrlStorage(path)
  await storage.put(entryOf('a'))
  const release = await storage.lock?.('upload', { signal: new AbortController().signal })
  const mode = async (name: string): Promise<number> => (await stat(name)).mode & 0o777
  expect(await mode(path)).toBe(0o600)
  expect(await mode(join(path, '..'))).toBe(0o700)
  expect(await mode(join(path, '..', '..'))).toBe(0o700)
  expect(await mode(`${path}.lock.d`)).toBe(0o700)
  const [right] = await readdir(`${path}.lock.d`)
  expect(await mode(join(`${path}.lock.d`, right!))).toBe(0o600)
  await release?.()
  expect(await readdir(`${path}.lock.d`)).toEqual([])
  expect((await readdir(join(path, '..'))).toSorted()).toEqual(['uploads.json', 'uploads.json.lock.d'])
})

describe('a damaged file', () => {
  test.each(['{"uploads": [', 'no JSON', '[]', '{}', '{"uploads": {}}', 'null', '\u0000\u0000'])(
    'is moved aside, and the storage goes on: %j',
    async (text) => {
      await write(text)
      const storage = fileUrlStorage(path, { onTrouble })
      expect(await storage.find('fingerprint')).toEqual([])
      expect(troubles).toEqual([expect.stringContaining(`${path}.corrupt-1`)])
      expect(await readFile(`${path}.corrupt-1`, 'utf8')).toBe(text)
      await storage.put(entryOf('a'))
      await write(text)
      await storage.put(entryOf('b'))
      expect(await storage.list()).toEqual([entryOf('b')])
      expect(await readFile(`${path}.corrupt-2`, 'utf8')).toBe(text)
      expect(troubles).toHaveLength(2)
    },
  )

  test('is moved aside once by many that find it at the same time', async () => {
    await write('no JSON')
    const storages = Array.from({ length: 5 }, () => fileUrlStorage(path, { onTrouble }))
    await Promise.all(
      storages.map((storage, index) => (index % 2 === 0 ? storage.list() : storage.put(entryOf(`${index}`)))),
    )
    expect(troubles).toHaveLength(1)
    expect(await storages[0]!.list()).toHaveLength(2)
  })

  test('that is only empty is no trouble', async () => {
    await write('\n')
    const storage = fileUrlStorage(path, { onTrouble })
    await storage.put(entryOf('a'))
    expect(await storage.list()).toEqual([entryOf('a')])
    expect(troubles).toEqual([])
  })
})

test('what cannot be written rejects, leaves nothing behind, and works again later', async () => {
  await mkdir(path, { recursive: true })
  const storage = fileUrlStorage(path)
  const puts = [storage.put(entryOf('a')), storage.put(entryOf('b'))]
  expect((await Promise.allSettled(puts)).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  await expect(storage.list()).rejects.toThrow('EISDIR')
  await rm(path, { recursive: true })
  await storage.put(entryOf('c'))
  expect(await storage.list()).toEqual([entryOf('c')])
  expect(await readdir(join(path, '..'))).toEqual(['uploads.json'])
})

test('what is no entry is refused alone', async () => {
  const storage = fileUrlStorage(path)
  const wrong = { ...entryOf('wrong'), sizeBytes: -1 }
  const puts = await Promise.allSettled([
    storage.put(entryOf('a')),
    storage.put(wrong),
    storage.put(entryOf('b')),
  ])
  expect(puts.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect((await storage.list()).map(({ key }) => key)).toEqual(['b', 'a'])
})

describe('the lock of a writer', () => {
  const leftBehind = JSON.stringify({
    token: '00000000-0000-4000-8000-000000000000',
    pid: 4_000_000,
    started: '1',
    boot: 'another',
    host: 'here',
    namespace: '',
  })

  async function leave(text: string): Promise<void> {
    await write('{"uploads":[]}')
    await writeFile(`${path}.lock`, text)
    await writeFile(`${path}.00000000-0000-4000-8000-000000000000.tmp`, '{"uplo')
  }

  test('that is dead is taken over, and its half-written file is removed', async () => {
    await leave(leftBehind)
    const storage = fileUrlStorage(path, { processes: processes('dead') })
    await storage.put(entryOf('a'))
    expect(await readdir(join(path, '..'))).toEqual(['uploads.json'])
  })

  test('that died while it took over from a dead one is taken over, too', async () => {
    await leave(leftBehind)
    const second = leftBehind.replace('00000000-', '11111111-')
    await writeFile(`${path}.lock.00000000-0000-4000-8000-000000000000.taking`, second)
    const storages = Array.from({ length: 4 }, () => fileUrlStorage(path, { processes: deadOnly('another') }))
    await Promise.all(storages.map((storage, index) => storage.put(entryOf(`${index}`))))
    expect(await storages[0]!.list()).toHaveLength(4)
    expect(await readdir(join(path, '..'))).toEqual(['uploads.json'])
  })

  test('that lives and does not end: others give up with a reason, and reading goes on', async () => {
    await leave(leftBehind)
    const storage = fileUrlStorage(path, { clock: fastClock, processes: processes('alive') })
    await expect(storage.put(entryOf('a'))).rejects.toThrow(`holding ${path}.lock`)
    expect(await storage.list()).toEqual([])
  })

  test.each([leftBehind, '', '{"token":"../x"}'])(
    'that cannot be judged is taken over after silence: %j',
    async (text) => {
      await leave(text)
      const storage = fileUrlStorage(path, { clock: patientClock, processes: processes('unknown') })
      await storage.put(entryOf('a'))
      expect(await storage.list()).toEqual([entryOf('a')])
    },
  )
})

/** Dead are those of that boot. */
function deadOnly(boot: string): Processes {
  const { self } = processes('alive')
  return { self, judge: (other) => (other.boot === boot ? 'dead' : 'alive') }
}

test('a dead holder whose right was taken over in the very moment is not followed by two', async () => {
  const signal = new AbortController().signal
  const dead = fileUrlStorage(path, { processes: identified('dead') })
  await dead.lock?.('upload', { signal })
  const [right] = await readdir(`${path}.lock.d`)
  const file = join(`${path}.lock.d`, right!)
  const faster: Processes = {
    ...identified('slower'),
    judge(other) {
      if (other.host !== 'dead') return 'alive'
      const token = '22222222-0000-4000-8000-000000000000'
      writeFileSync(file, JSON.stringify({ token, ...identified('faster').self }))
      return 'dead'
    },
  }
  const abort = new AbortController()
  const slower = fileUrlStorage(path, { processes: faster })
  await new Promise<void>((onWait, reject) => {
    const taking = slower.lock?.('upload', { signal: abort.signal, onWait })
    taking?.then(() => reject(new Error('two have the right')), onWait)
  })
  abort.abort()
  expect(await readFile(file, 'utf8')).toContain('faster')
  expect(await readdir(`${path}.lock.d`)).toEqual([right])
})

function identified(host: string): Processes {
  const others = processes('alive')
  return { ...others, self: { ...others.self, host } }
}

describe('a right whose holder cannot be judged', () => {
  const never = new AbortController().signal
  const options = { clock: patientClock, processes: processes('unknown') }

  test('stays with a holder that beats', async () => {
    const holder = fileUrlStorage(path, options)
    const release = await holder.lock?.('upload', { signal: never })
    let looks = 0
    const counting: Clock = {
      nowMs: () => Date.now(),
      after(delayMs, callback) {
        looks += 1
        return fastClock.after(delayMs, callback)
      },
    }
    const abort = new AbortController()
    const other = fileUrlStorage(path, { ...options, clock: counting })
    const taking = other.lock?.('upload', { signal: abort.signal }).catch(() => 'aborted')
    // Twice as many as silence needs.
    await expect.poll(() => looks, { timeout: 20_000 }).toBeGreaterThan(600)
    abort.abort()
    expect(await taking).toBe('aborted')
    await release?.()
  })

  test('passes on when it is silent, and its late release takes nothing from the next', async () => {
    const frozen: Clock = { nowMs: () => Date.now(), after: () => () => undefined }
    const holder = fileUrlStorage(path, { ...options, clock: frozen })
    const late = await holder.lock?.('upload', { signal: never })
    const other = fileUrlStorage(path, options)
    await other.lock?.('upload', { signal: never })
    await late?.()
    expect(await readdir(`${path}.lock.d`)).toHaveLength(1)
  })
})
