import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { StoredUpload, UrlStorage } from '../../../src/client/ports/url-storage.ts'
import { fileUrlStorage } from '../../../src/client/url-storage/file.ts'
import { sqliteUrlStorage } from '../../../src/client/url-storage/sqlite.ts'
import type { Clock } from '../../../src/core/ports/clock.ts'
import { systemClock } from '../../../src/core/system-clock.ts'
import { endChildren, startChild, startWaiter, type StorageChild, type Telling } from './child-process.ts'
import { temporaryDirectory } from './fixtures.ts'

const never = new AbortController().signal

let looks = 0
/** Counts how often this process has looked at a right that is held. */
const countingClock: Clock = {
  nowMs: () => Date.now(),
  after(delayMs, callback) {
    if (delayMs === 200) looks += 1
    return systemClock.after(delayMs, callback)
  },
}

/** Whoever looks as often as this process has looked by then. */
function severalLooks(): Promise<void> {
  const soFar = looks
  return expect.poll(() => looks, { timeout: 10_000 }).toBeGreaterThan(soFar + 3)
}

describe.each([
  { kind: 'file', open: (path: string) => fileUrlStorage(path, { clock: countingClock }) },
  { kind: 'sqlite', open: (path: string) => sqliteUrlStorage(path, { clock: countingClock }) },
])('processes that share a storage: $kind', ({ kind, open }) => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  let path: string
  let storage: UrlStorage

  beforeEach(async () => {
    directory = await temporaryDirectory()
    path = join(directory.path, 'not', 'there', 'uploads')
    storage = open(path)
  })

  afterEach(async () => {
    await endChildren()
    await storage.close?.()
    await directory.remove()
  })

  /** Waits as another process does. */
  async function severalRounds(): Promise<void> {
    const own = new AbortController()
    const waiting = storage.lock?.('upload', { signal: own.signal }).catch(() => 'aborted')
    await severalLooks()
    own.abort()
    expect(await waiting).toBe('aborted')
  }

  const start = (telling: Telling = {}): Promise<StorageChild> => startChild(kind, path, telling)

  test('four of them put at once, the storage being made at the same time: nothing is lost', async () => {
    const children = await Promise.all([start(), start(), start(), start()])
    const entries = children.map((_, child) =>
      Array.from({ length: 25 }, (_, index) => entryOf(`child-${child}-${index}`)),
    )
    await Promise.all(children.map((child, index) => child.call('putMany', entries[index]!)))
    const keys = (await storage.list()).map(({ key }) => key)
    expect(new Set(keys)).toEqual(new Set(entries.flat().map(({ key }) => key)))
    for (const child of children) expect(await child.call('list')).toHaveLength(100)
  })

  test('SIGKILL of two that put as fast as they can: what was answered is there, the others go on at once', async () => {
    const answered: string[] = []
    const onPut = (key: string): void => void answered.push(key)
    for (let round = 0; round < 3; round += 1) {
      const children = await Promise.all([start({ onPut }), start({ onPut })])
      for (const [index, child] of children.entries()) {
        child.call('putForEver', entryOf(`round-${round}-${index}`)).catch(() => undefined)
      }
      const soFar = answered.length
      await expect.poll(() => answered.length, { timeout: 20_000 }).toBeGreaterThan(soFar + 20)
      for (const child of children) child.signal('SIGKILL')
      await Promise.all(children.map(({ ended }) => ended))
      await storage.put(entryOf(`after-${round}`))
    }
    const keys = new Set((await storage.list()).map(({ key }) => key))
    expect([...answered, 'after-0', 'after-1', 'after-2'].filter((key) => !keys.has(key))).toEqual([])
    // Neither the halves of killed writers nor their locks stay.
    const left = await readdir(dirname(path))
    expect(
      left.filter((name) => name.endsWith('.tmp') || name.endsWith('.lock') || name.endsWith('.taking')),
    ).toEqual([])
  }, 60_000)

  test('a right held by another process is waited for, and had when it is given back', async () => {
    const [holder, waiter] = await Promise.all([start(), start()])
    await holder.call('lock', 'upload')
    const taken = waiter.call('lock', 'upload')
    await expect.poll(() => waiter.call('waits')).toBe(1)
    await holder.call('lock', 'another upload')
    expect(await Promise.race([taken, holder.call('waits')])).toBe(0)
    await holder.call('release', 'upload')
    await taken
  })

  test('SIGKILL of the holder: the one that waits has the right, and only one of several', async () => {
    const [holder, ...waiters] = await Promise.all([start(), start(), start(), start()])
    await holder.call('lock', 'upload')
    const taken = waiters.map(async (child) => {
      await child.call('lock', 'upload')
      return child
    })
    for (const child of waiters) await expect.poll(() => child.call('waits')).toBe(1)
    holder.signal('SIGKILL')
    const first = await Promise.race(taken)
    let others = 0
    for (const one of taken) void one.then(() => (others += 1)).catch(() => undefined)
    await severalRounds()
    expect(others).toBe(1)
    await first.call('release', 'upload')
    await expect.poll(() => others).toBe(2)
  })

  test('a process that does nothing but wait for a right stays alive, and ends after it', async () => {
    const release = await storage.lock?.('upload', { signal: never })
    const { lines, ended } = startWaiter(kind, path)
    expect((await lines.next()).value).toBe('waits')
    await severalRounds()
    await release?.()
    expect((await lines.next()).value).toBe('has it')
    expect(await ended).toEqual([0, null])
  })

  test('SIGSTOP of the holder: it is alive, so nobody takes its right; after SIGCONT it gives it back', async () => {
    const holder = await start()
    await holder.call('lock', 'upload')
    holder.signal('SIGSTOP')
    let [isTaken, taken] = [false, Promise.resolve()]
    await new Promise<void>((waits) => {
      taken = Promise.resolve(storage.lock?.('upload', { signal: never, onWait: waits })).then(
        async (release) => {
          isTaken = true
          await release?.()
        },
      )
    })
    await severalLooks()
    expect(isTaken).toBe(false)
    holder.signal('SIGCONT')
    await holder.call('release', 'upload')
    await taken
  })

  test('three take turns, one is killed in the middle: never two at once', async () => {
    const counts = [0, 0, 0]
    let [most, isKilled] = [0, false]
    const children = await Promise.all(
      counts.map((_, index) =>
        start({
          onCount(by) {
            counts[index]! += by
            // The last word of a killed holder may come after the first one of its successor.
            most = Math.max(most, (isKilled ? 0 : counts[0]!) + counts[1]! + counts[2]!)
          },
        }),
      ),
    )
    const turns = children.map((child) => child.call('turns', 'upload', 6))
    const doomed = turns[0]!.catch(() => 'killed')
    await expect.poll(() => most).toBe(1)
    isKilled = true
    children[0]!.signal('SIGKILL')
    await doomed
    await Promise.all(turns.slice(1))
    expect(most).toBe(1)
  })
})

function entryOf(key: string): StoredUpload {
  return {
    key,
    fingerprint: 'fingerprint',
    endpoint: 'https://example.com/files/',
    metadata: { filename: key },
    createdAtMs: Date.now(),
  }
}
