import { describe, expect, test } from 'vitest'
import type { Reservations as Kept } from '../../src/core/reservations.ts'
import { Reservations } from '../../src/core/reservations.ts'
import type { Store } from '../../src/core/ports/store.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { bytes } from '../support/bytes.ts'
import { FakeClock, quiet } from '../support/fake-clock.ts'
import { withFaults } from '../support/faults.ts'
import { anId, anotherId } from '../support/ids.ts'
import { PushBody } from '../support/push-body.ts'
import { appending, codeOf, creation, recorded, rig } from '../support/rig.ts'

const TEN_MINUTES_MS = 600_000

function setup(freeBytes = 1000): { clock: FakeClock; kept: Kept; disk: { freeBytes: number } } {
  const clock = new FakeClock()
  const disk = { freeBytes }
  const store = withFaults(memoryStore(), { freeBytes: () => Promise.resolve(disk.freeBytes) })
  return { clock, kept: new Reservations(store, clock), disk }
}

test('what fits is promised, what does not is refused with 507 and a time to come back', async () => {
  const { kept } = setup()
  expect(await codeOf(kept.check(anId, 1000))).toBe('none')
  expect(await codeOf(kept.check(anId, 1001))).toBe('ERR_STORE_FULL')
  await expect(kept.check(anId, 1001)).rejects.toMatchObject({
    status: 507,
    details: { retryAfterSeconds: 60 },
  })
})

test('two uploads are not promised the same bytes', async () => {
  const { kept } = setup()
  await kept.reserve(anId, 600)
  expect(await codeOf(kept.reserve(anotherId, 500))).toBe('ERR_STORE_FULL')
  expect(await codeOf(kept.reserve(anotherId, 400))).toBe('none')
})

test('nor if both ask in the same moment', async () => {
  const { kept } = setup()
  const codes = await Promise.all([codeOf(kept.reserve(anId, 600)), codeOf(kept.reserve(anotherId, 600))])
  expect(codes.sort()).toEqual(['ERR_STORE_FULL', 'none'])
})

test('its own promise does not stand in an upload’s way', async () => {
  const { kept } = setup()
  await kept.reserve(anId, 900)
  expect(await codeOf(kept.reserve(anId, 1000))).toBe('none')
})

test('what has been written is free no more, and promised no more', async () => {
  const { kept, disk } = setup()
  await kept.reserve(anId, 600)
  disk.freeBytes = 500
  kept.progress(anId, 100)
  expect(await codeOf(kept.check(anotherId, 400))).toBe('none')
  expect(await codeOf(kept.check(anotherId, 401))).toBe('ERR_STORE_FULL')
})

test('a refused upload gives up what it was promised before', async () => {
  const { kept } = setup()
  await kept.reserve(anId, 600)
  await codeOf(kept.reserve(anId, 2000))
  expect(await codeOf(kept.check(anotherId, 1000))).toBe('none')
})

test('ten silent minutes end a promise, activity renews it', async () => {
  const { kept, clock } = setup()
  await kept.reserve(anId, 600)
  await clock.advance(TEN_MINUTES_MS - 1)
  expect(await codeOf(kept.check(anotherId, 1000))).toBe('ERR_STORE_FULL')
  kept.progress(anId, 500)
  await clock.advance(TEN_MINUTES_MS - 1)
  expect(await codeOf(kept.check(anotherId, 1000))).toBe('ERR_STORE_FULL')
  await clock.advance(1)
  expect(await codeOf(kept.check(anotherId, 1000))).toBe('none')
})

test('a store that does not know its space refuses nothing', async () => {
  const { freeBytes: _, ...rest } = withFaults(memoryStore(), {})
  const kept = new Reservations(rest, new FakeClock())
  await kept.reserve(anId, 1e15)
  expect(await codeOf(kept.reserve(anotherId, 1e15))).toBe('none')
})

describe('in the engine', () => {
  /** A disk on which the space is counted, with some of it used by others. */
  function onDisk(totalBytes: number): ReturnType<typeof rig> {
    const clock = new FakeClock()
    return rig({ clock, store: memoryStore({ clock, maxBytes: totalBytes }) })
  }

  test('creations alone reserve nothing', async () => {
    const { engine } = onDisk(1000)
    for (let i = 0; i < 5; i += 1)
      expect(await codeOf(engine.create(creation({ length: 1000 })))).toBe('none')
  })

  test('an upload that is received keeps its space, also between two requests', async () => {
    const one = onDisk(1000)
    const second = await one.engine.create(creation({ length: 800 }))
    const first = await one.engine.create(creation({ length: 800, content: bytes(400) }))
    expect(await codeOf(one.engine.append(second.id, appending(0, bytes(210))))).toBe('ERR_STORE_FULL')
    expect(await recorded(one, second.id)).toMatchObject({ offset: 0, status: 'receiving' })
    await one.engine.append(first.id, appending(400, bytes(300)))
    expect(await codeOf(one.engine.append(second.id, appending(0, bytes(210))))).toBe('ERR_STORE_FULL')
    await one.engine.cancel(first.id)
    expect(await codeOf(one.engine.append(second.id, appending(0, bytes(210))))).toBe('none')
  })

  test('but no more than it has brought: one byte of a large upload holds up nobody', async () => {
    const one = onDisk(1000)
    const { id } = await one.engine.create(creation({ length: 999 }))
    await one.engine.append(id, appending(0, bytes(1)))
    expect(await codeOf(one.engine.create(creation({ length: 900, content: bytes(900) })))).toBe('none')
  })

  test('a final that could never become a file is refused', async () => {
    const one = onDisk(1000)
    const { id } = await one.engine.create(
      creation({ length: 400, content: bytes(400), concat: { kind: 'partial' } }),
    )
    const join = (times: number): Promise<string> =>
      codeOf(
        one.engine.concatenate({
          upload: { dialect: 'tus1', metadata: {}, echo: {} },
          parts: Array.from({ length: times }, () => id),
        }),
      )
    expect(await join(2)).toBe('ERR_STORE_FULL')
    expect(await join(1)).toBe('none')
  })

  test('a complete upload needs no more', async () => {
    const one = onDisk(1000)
    await one.engine.create(creation({ length: 400, content: bytes(400) }))
    expect(await codeOf(one.engine.create(creation({ length: 600, content: bytes(600) })))).toBe('none')
  })

  test('a request that breaks off before the store is open leaves no promise behind for ever', async () => {
    const clock = new FakeClock()
    const real = memoryStore({ clock, maxBytes: 1000 })
    let fails = true
    const store = withFaults(real, {
      open: (record, right) => (fails ? Promise.reject(new Error('no')) : real.open(record, right)),
    })
    const one = rig({ clock, store })
    const { id } = await one.engine.create(creation({ length: undefined }))
    expect(await codeOf(one.engine.append(id, appending(0, bytes(900))))).toBe('unknown')
    fails = false
    const other = await one.engine.create(creation({ length: 900 }))
    expect(await codeOf(one.engine.append(other.id, appending(0, bytes(900))))).toBe('none')
  })

  test('a long request gives space back as it writes, and is not taken for silent', async () => {
    const clock = new FakeClock()
    const pace = { minRateBytesPerSecond: 0 }
    const one = rig({ clock, pace, store: memoryStore({ clock, maxBytes: 1000 }) })
    const { id } = await one.engine.create(creation({ length: 800 }))
    const body = new PushBody(800)
    const code = codeOf(one.engine.append(id, appending(0, body)))
    await quiet()
    const trickle = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second += 1) {
        body.push(bytes(1))
        await clock.advance(1000)
      }
    }
    const store = (size: number): Promise<string> =>
      codeOf(one.engine.create(creation({ length: size, content: bytes(size) })))
    await trickle(300)
    expect(await store(150), 'free are 700, promised about 500').toBe('none')
    await trickle(400)
    expect(await store(60), 'free are 150, promised still about 100').toBe('ERR_STORE_FULL')
    expect(await store(40)).toBe('none')
    body.cut()
    await code
  })

  test('a disk that fills up on the way keeps what it took', async () => {
    const clock = new FakeClock()
    const { freeBytes: _, ...real } = { ...pick(memoryStore({ clock, maxBytes: 150_000 })) }
    const one = rig({ clock, store: real, memoryBytes: 65_536 })
    const { id } = await one.engine.create(creation({ length: 200_000 }))
    expect(await codeOf(one.engine.append(id, appending(0, bytes(200_000))))).toBe('ERR_STORE_FULL')
    const { offset, status } = await recorded(one, id)
    expect(status).toBe('receiving')
    expect(offset).toBeGreaterThan(60_000)
    expect(offset).toBeLessThanOrEqual(150_000)
  })
})

/** The port of a store as a plain object, so that parts of it can be left out. */
function pick(store: Store): Store {
  const { concatenate, orphans, freeBytes } = store
  return {
    place: (record) => store.place(record),
    open: (record, right) => store.open(record, right),
    read: (record, range, signal) => store.read(record, range, signal),
    finishing: (record) => store.finishing(record),
    finish: (records) => store.finish(records),
    tidy: (before, after) => store.tidy(before, after),
    remove: (record) => store.remove(record),
    close: () => store.close(),
    ...(concatenate === undefined ? {} : { concatenate: concatenate.bind(store) }),
    ...(orphans === undefined ? {} : { orphans: orphans.bind(store) }),
    ...(freeBytes === undefined ? {} : { freeBytes }),
  }
}
