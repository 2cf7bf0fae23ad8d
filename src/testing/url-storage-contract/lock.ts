import type { UrlStorage } from '../../client/ports/url-storage.ts'
import {
  another,
  check,
  type ContractCase,
  rejection,
  sameEntries,
  sampleEntry,
  type UrlStorageUnderTest,
} from './case.ts'

type Release = () => Promise<void>
type Lock = NonNullable<UrlStorage['lock']>

/** Runs with what takes rights; a storage without rights must not have the method at all. */
function withLock(run: (lock: Taking, subject: UrlStorageUnderTest) => Promise<void>): ContractCase['run'] {
  return async (subject) => {
    if (subject.storage.lock !== undefined) return run(takingOf(subject.storage), subject)
    check(!('lock' in subject.storage), 'lock is there without being a method')
  }
}

interface Taking {
  /** Takes a right that nobody holds. */
  free(name: string): Promise<Release>
  /** Takes a right that was given back: among several processes that may take a moment to be known. */
  sooner(name: string): Promise<Release>
  /** Asks for a right that is held, and comes back once it waits. */
  held(name: string, signal?: AbortSignal): Promise<Request>
}

interface Request {
  readonly taken: Promise<Release>
  isTaken(): boolean
}

/** A signal that is never aborted. */
function never(): AbortSignal {
  return new AbortController().signal
}

function takingOf(storage: UrlStorage): Taking {
  const lock: Lock = (name, options) => {
    check(storage.lock !== undefined, 'a handle has no lock, where another has one')
    return storage.lock(name, options)
  }
  return {
    free: (name) =>
      lock(name, {
        signal: never(),
        onWait() {
          throw new Error(`the right ${name.slice(0, 40)} is not free`)
        },
      }),
    sooner: (name) => lock(name, { signal: never() }),
    async held(name, signal = never()) {
      let [isTaken, waits] = [false, 0]
      let taken: Promise<Release> | undefined
      const waiting = new Promise<'waits'>((resolve) => {
        const onWait = (): void => {
          waits += 1
          resolve('waits')
        }
        taken = lock(name, { signal, onWait }).then((release) => {
          isTaken = true
          check(waits === 1, `onWait was called ${waits} times`)
          return release
        })
      })
      check(taken !== undefined, 'lock was not called')
      const first = await Promise.race([waiting, taken.then(() => 'taken' as const)])
      check(first === 'waits', 'a right was given that somebody else holds')
      return { taken, isTaken: () => isTaken }
    },
  }
}

/** Whoever could go on without waiting for anybody has done so by then. */
async function breathe(storage: UrlStorage): Promise<void> {
  for (let count = 0; count < 5; count += 1) await storage.list()
}

/** The right to work on an upload. */
export const lockCases: readonly ContractCase[] = [
  {
    name: 'lock: exclusive; the second waits, is told so once, and has it when the first gives it back',
    run: withLock(async (lock, subject) => {
      const other = takingOf(await another(subject))
      const release = await lock.free('upload')
      const request = await other.held('upload')
      await breathe(subject.storage)
      check(!request.isTaken(), 'a right was given twice')
      await release()
      await (
        await request.taken
      )()
    }),
  },
  {
    name: 'lock: exclusive within one handle, too',
    run: withLock(async (lock, { storage }) => {
      const release = await lock.free('upload')
      const request = await lock.held('upload')
      await breathe(storage)
      check(!request.isTaken(), 'a right was given twice')
      await release()
      await (
        await request.taken
      )()
    }),
  },
  {
    name: 'lock: given back, it can be had again, by anybody, again and again',
    run: withLock(async (lock, subject) => {
      const other = takingOf(await another(subject))
      for (let round = 0; round < 10; round += 1)
        await (
          await (round % 2 === 0 ? lock : other).sooner('upload')
        )()
    }),
  },
  {
    name: 'lock: each name is a right of its own, whatever is in it',
    run: withLock(async (lock, subject) => {
      const names = [
        'a',
        'A',
        'a/b',
        '../a',
        '',
        '-',
        'Grüße 🎉',
        'a\n\u0000',
        'x'.repeat(5000),
        `${'x'.repeat(5000)}y`,
      ]
      const other = takingOf(await another(subject))
      const releases: Release[] = []
      for (const [index, name] of names.entries())
        releases.push(await (index % 2 === 0 ? lock : other).free(name))
      const request = await lock.held('a/b')
      check(!request.isTaken(), 'a right was given twice')
      for (const release of releases) await release()
      await (
        await request.taken
      )()
    }),
  },
  {
    name: 'lock: releasing twice gives back one right, not that of the next holder',
    run: withLock(async (lock, subject) => {
      const other = takingOf(await another(subject))
      const release = await lock.free('upload')
      await Promise.all([release(), release()])
      const next = await other.sooner('upload')
      await release()
      const request = await lock.held('upload')
      await breathe(subject.storage)
      check(!request.isTaken(), 'the second release gave back what was not its own')
      await next()
      await (
        await request.taken
      )()
    }),
  },
  {
    name: 'lock: aborted while waiting, it rejects with the reason and takes nothing later',
    run: withLock(async (lock, subject) => {
      const other = takingOf(await another(subject))
      const release = await lock.free('upload')
      const abort = new AbortController()
      const request = await other.held('upload', abort.signal)
      const reason = new Error('no more')
      abort.abort(reason)
      check(
        (await rejection(request.taken, 'lock')) === reason,
        'rejected with something else than the reason',
      )
      await release()
      await (
        await lock.sooner('upload')
      )()
    }),
  },
  {
    name: 'lock: with a signal that was aborted before, it rejects with the reason and takes nothing',
    run: withLock(async (lock, { storage }) => {
      const reason = new Error('no more')
      const taken = Promise.resolve(storage.lock?.('upload', { signal: AbortSignal.abort(reason) }))
      check((await rejection(taken, 'lock')) === reason, 'rejected with something else than the reason')
      await (
        await lock.free('upload')
      )()
    }),
  },
  {
    name: 'lock: aborting after it was given changes nothing',
    run: withLock(async (lock, { storage }) => {
      const abort = new AbortController()
      const release = await storage.lock?.('upload', { signal: abort.signal })
      abort.abort()
      const request = await lock.held('upload')
      await breathe(storage)
      check(!request.isTaken(), 'the right was lost')
      await release?.()
      await (
        await request.taken
      )()
    }),
  },
  {
    name: 'lock: many that ask at once have it one after the other',
    run: withLock(async (_, subject) => {
      const handles = [subject.storage, await another(subject), await another(subject)]
      let [holders, turns] = [0, 0]
      const work = async (handle: UrlStorage): Promise<void> => {
        const release = await handle.lock?.('upload', { signal: never() })
        holders += 1
        turns += 1
        check(holders === 1, 'two have the right at once')
        await breathe(handle)
        check(holders === 1, 'two have the right at once')
        holders -= 1
        await release?.()
      }
      await Promise.all(handles.flatMap((handle) => [work(handle), work(handle)]))
      check(turns === 6, `${turns} of 6 had their turn`)
    }),
  },
  {
    name: 'lock: a holder that is gone is followed by one that waits, and by one that comes later',
    run: withLock(async (lock, subject) => {
      const { join, kill } = subject
      // Where nobody else takes part, a holder goes only with all the others.
      if (join === undefined || kill === undefined) return (await lock.free('upload'))()
      const first = await join()
      const second = await join()
      await takingOf(first).free('upload')
      const request = await takingOf(second).held('upload')
      await kill(first)
      await request.taken
      await kill(second)
      const release = await lock.sooner('upload')
      const last = await takingOf(await join()).held('upload')
      await breathe(subject.storage)
      check(!last.isTaken(), 'a right was given twice after it had been taken over')
      await release()
      await (
        await last.taken
      )()
    }),
  },
  {
    name: 'lock: of many that find the same dead holder, one has it at a time',
    run: withLock(async (lock, subject) => {
      const { join, kill } = subject
      if (join === undefined || kill === undefined) return (await lock.free('upload'))()
      const dead = await join()
      await takingOf(dead).free('upload')
      await kill(dead)
      const handles = await Promise.all(Array.from({ length: 5 }, join))
      let [holders, turns] = [0, 0]
      const work = async (handle: UrlStorage): Promise<void> => {
        const release = await handle.lock?.('upload', { signal: never() })
        holders += 1
        turns += 1
        check(holders === 1, 'two have taken over from one')
        await breathe(handle)
        check(holders === 1, 'two have taken over from one')
        holders -= 1
        await release?.()
      }
      await Promise.all(handles.map(work))
      check(turns === 5, `${turns} of 5 had their turn`)
    }),
  },
  {
    name: 'lock: closing a storage gives its rights back',
    run: withLock(async (lock, { storage, join }) => {
      const other = join === undefined ? storage : await join()
      const release = await takingOf(other).free('upload')
      if (other === storage || other.close === undefined) await release()
      else await other.close()
      await (
        await lock.sooner('upload')
      )()
    }),
  },
  {
    name: 'lock: entries can be read and written by everybody while it is held',
    run: withLock(async (lock, subject) => {
      const release = await lock.free('upload')
      const other = await another(subject)
      const entry = sampleEntry()
      await other.put(entry)
      sameEntries(await other.find('fingerprint'), [entry], 'find')
      await other.remove(entry.key)
      sameEntries(await subject.storage.list(), [], 'list')
      await release()
    }),
  },
]
