/* The contract itself is tested: each broken storage below must turn the named cases red. */
import { describe, expect, test } from 'vitest'
import type { LockOptions, StoredUpload, UrlStorage } from '../../../src/client/ports/url-storage.ts'
import { memoryUrlStorage } from '../../../src/client/url-storage/memory.ts'
import { urlStorageContract, type UrlStorageUnderTest } from '../../../src/testing/url-storage-contract.ts'
import { localStorageUnderTest } from './fixtures.ts'

const PATIENCE_MS = 1000

/** Names of the cases that fail, of those whose name starts with `area`. One that hangs fails, too. */
async function failures(area: string, factory: () => Promise<UrlStorageUnderTest>): Promise<string[]> {
  const cases: [string, () => Promise<void>][] = []
  urlStorageContract({ factory, test: (name, run) => cases.push([name, run]) })
  const failed: string[] = []
  for (const [name, run] of cases) {
    if (!name.startsWith(area)) continue
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('it hangs')), area === '' ? 10 * PATIENCE_MS : PATIENCE_MS)
    })
    await Promise.race([run(), late]).catch(() => failed.push(name))
    clearTimeout(timer)
  }
  return failed
}

type Breakage = (storage: UrlStorage) => Partial<Record<keyof UrlStorage, unknown>>

/** Several handles on one storage, each broken in the same way. */
function broken(breakage: Breakage): () => Promise<UrlStorageUnderTest> {
  return async () => {
    const subject = await localStorageUnderTest(true)
    const originals = new Map<UrlStorage, UrlStorage>()
    const wrap = (storage: UrlStorage): UrlStorage => {
      const wrapped = { ...storage, ...breakage(storage) } as UrlStorage
      originals.set(wrapped, storage)
      return wrapped
    }
    return {
      ...subject,
      storage: wrap(subject.storage),
      join: async () => wrap(await subject.join!()),
      reopen: async () => wrap(await subject.reopen!()),
      kill: (storage) => subject.kill!(originals.get(storage)!),
    }
  }
}

describe('a broken storage turns the contract red', () => {
  test('an entry is lost now and then', async () => {
    let puts = 0
    const lossy = broken((storage) => ({
      async put(entry: StoredUpload) {
        puts += 1
        if (puts % 25 !== 0) await storage.put(entry)
      },
    }))
    expect(await failures('sharing: puts and removes', lossy)).toHaveLength(1)
  })

  test('handles overwrite what others have written meanwhile', async () => {
    const subject = async (): Promise<UrlStorageUnderTest> => {
      let whole: readonly StoredUpload[] = []
      const open = (): UrlStorage => {
        const change = async (key: string, added: readonly StoredUpload[]): Promise<void> => {
          const before = whole
          await Promise.resolve()
          whole = [...added, ...before.filter((entry) => entry.key !== key)]
        }
        return {
          list: async () => whole.toSorted((a, b) => b.createdAtMs - a.createdAtMs),
          find: async () => whole,
          put: (entry) => change(entry.key, [entry]),
          remove: (key) => change(key, []),
        }
      }
      return { storage: open(), join: async () => open(), dispose: async () => undefined }
    }
    expect(await failures('sharing: puts and removes', subject)).toHaveLength(1)
  })

  test('a put that is not atomic', async () => {
    const torn = broken((storage) => ({
      async put(entry: StoredUpload) {
        await storage.remove(entry.key)
        await Promise.resolve()
        await storage.put(entry)
      },
    }))
    expect(await failures('sharing: a reader', torn)).toHaveLength(1)
  })

  test('a put that shows one half first', async () => {
    const torn = broken((storage) => ({
      async put(entry: StoredUpload) {
        await storage.put({ ...entry, metadata: {} })
        await Promise.resolve()
        await storage.put(entry)
      },
    }))
    expect(await failures('sharing: a reader', torn)).toHaveLength(1)
  })

  test('a put that merges instead of replacing', async () => {
    const merging = broken((storage) => ({
      async put(entry: StoredUpload) {
        const before = (await storage.list()).find(({ key }) => key === entry.key)
        await storage.put({ ...before, ...entry })
      },
    }))
    expect(await failures('content: put replaces', merging)).toHaveLength(1)
  })

  test('find and remove that match prefixes', async () => {
    const finding = broken((storage) => ({
      find: async (fingerprint: string) =>
        (await storage.list()).filter((entry) => entry.fingerprint.startsWith(fingerprint)),
    }))
    expect(await failures('content: find', finding)).toHaveLength(1)
    const removing = broken((storage) => ({
      async remove(prefix: string) {
        for (const { key } of await storage.list()) if (key.startsWith(prefix)) await storage.remove(key)
      },
    }))
    expect(await failures('content: remove', removing)).toHaveLength(1)
  })

  test('text in another encoding', async () => {
    const latin = broken((storage) => ({
      put: (entry: StoredUpload) =>
        storage.put(JSON.parse(JSON.stringify(entry).replaceAll(/[^ -~]/g, '?')) as StoredUpload),
    }))
    expect(await failures('content: any text', latin)).toHaveLength(1)
  })

  test('the same objects go in and out', async () => {
    const subject = async (): Promise<UrlStorageUnderTest> => {
      const entries = new Map<string, StoredUpload>()
      const storage: UrlStorage = {
        list: async () => [...entries.values()],
        find: async () => [...entries.values()],
        put: async (entry) => void entries.set(entry.key, entry),
        remove: async (key) => void entries.delete(key),
      }
      return { storage, dispose: async () => undefined }
    }
    expect(await failures('content: an entry does not change', subject)).toHaveLength(1)
    expect(await failures('content: an upload that has expired', subject)).toHaveLength(1)
    expect(await failures('damage: an entry that is none is skipped', subject)).toHaveLength(1)
    expect(await failures('order: newest', subject)).toHaveLength(1)
  })

  test('a damaged entry is thrown', async () => {
    const strict = broken((storage) => ({
      async list() {
        const entries = await storage.list()
        if (entries.length > 1) throw new SyntaxError('damaged')
        return entries
      },
    }))
    expect(await failures('damage: an entry that is none is skipped', strict)).toHaveLength(1)
  })

  test('nothing is there after reopening', async () => {
    const forgetful = async (): Promise<UrlStorageUnderTest> => ({
      storage: memoryUrlStorage(),
      reopen: async () => memoryUrlStorage(),
      dispose: async () => undefined,
    })
    expect(await failures('content: reopened', forgetful)).toHaveLength(1)
    expect(await failures('content: close', forgetful)).toHaveLength(1)
  })

  const brokenLocks: readonly [string, (lock: Lock) => unknown, number][] = [
    ['never waits', () => async () => async () => undefined, 9],
    ['is not there, but its name is', () => undefined, 12],
    [
      'waits without telling',
      (lock) =>
        (name: string, { signal }: LockOptions) =>
          lock(name, { signal }),
      5,
    ],
    [
      'tells twice',
      (lock) => (name: string, options: LockOptions) => {
        const onWait = (): void => {
          options.onWait?.()
          options.onWait?.()
        }
        return lock(name, { ...options, onWait })
      },
      5,
    ],
    [
      'cannot be aborted',
      (lock) => (name: string, options: LockOptions) =>
        lock(name, { ...options, signal: new AbortController().signal }),
      2,
    ],
    [
      'rejects with a reason of its own',
      (lock) => (name: string, options: LockOptions) =>
        lock(name, options).catch(() => {
          throw new DOMException('aborted', 'AbortError')
        }),
      2,
    ],
    [
      'takes the right after it was aborted',
      (lock) => async (name: string, options: LockOptions) => {
        const taking = lock(name, { ...options, signal: new AbortController().signal })
        const aborted = new Promise<never>((_, reject) => {
          if (options.signal.aborted) reject(options.signal.reason)
          options.signal.addEventListener('abort', () => reject(options.signal.reason))
        })
        return Promise.race([taking, aborted])
      },
      2,
    ],
    [
      'loses the right when its signal is aborted later',
      (lock) => async (name: string, options: LockOptions) => {
        const release = await lock(name, options)
        options.signal.addEventListener('abort', () => void release())
        return release
      },
      1,
    ],
    ['takes all names for one', (lock) => (_: string, options: LockOptions) => lock('one', options), 1],
    [
      'looks at the first letters of a name only',
      (lock) => (name: string, options: LockOptions) => lock(name.slice(0, 1000), options),
      1,
    ],
    [
      'gives back without giving back',
      (lock) => async (name: string, options: LockOptions) => {
        await lock(name, options)
        return async () => undefined
      },
      8,
    ],
  ]

  for (const [name, breakage, least] of brokenLocks) {
    test(`a lock that ${name}`, async () => {
      const factory = broken((storage) => ({
        lock: breakage((name, options) => storage.lock!(name, options)),
      }))
      expect((await failures('lock:', factory)).length).toBeGreaterThanOrEqual(least)
    }, 60_000)
  }

  test('a lock whose second release gives back the right of the next holder', async () => {
    const factory = async (): Promise<UrlStorageUnderTest> => {
      let held = false
      const waiting: (() => void)[] = []
      const lock = async (_: string, options: LockOptions): Promise<() => Promise<void>> => {
        if (held) {
          options.onWait?.()
          await new Promise<void>((resolve) => waiting.push(resolve))
        }
        held = true
        return async () => {
          held = false
          waiting.shift()?.()
        }
      }
      return { storage: { ...memoryUrlStorage(), lock }, dispose: async () => undefined }
    }
    expect(await failures('lock: releasing twice', factory)).toHaveLength(1)
  })

  test('the right of a dead holder is never taken over', async () => {
    const factory = async (): Promise<UrlStorageUnderTest> => ({
      ...(await broken(() => ({}))()),
      kill: () => undefined,
    })
    expect(await failures('lock: a holder that is gone', factory)).toHaveLength(1)
    expect(await failures('lock: of many', factory)).toHaveLength(1)
  })
})

type Lock = NonNullable<UrlStorage['lock']>

test('a storage that is not broken stays green through the same wrapper', async () => {
  expect(
    await failures(
      '',
      broken(() => ({})),
    ),
  ).toEqual([])
})
