import { describe, expect, test } from 'vitest'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import { UploadError } from '../../src/core/errors.ts'
import type { FinishOutcome, Store } from '../../src/core/ports/store.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { bytes, collected } from '../support/bytes.ts'
import { FakeClock, quiet } from '../support/fake-clock.ts'
import { gate, withFaults } from '../support/faults.ts'
import { PushBody } from '../support/push-body.ts'
import type { Rig } from '../support/rig.ts'
import { appending, codeOf, contentOf, creation, lasting, recorded, rig, sink, told } from '../support/rig.ts'

const CONTENT = bytes(1000)
const FINAL = { where: 'final place' }

interface Finishing {
  readonly store: Store
  /** The uploads of each call of `finish`. */
  readonly calls: string[][]
  readonly tidied: string[]
  fail: boolean
}

/** A store in which completion takes work that can fail. */
function finishingStore(clock: FakeClock, when: 'before-answer' | 'after-answer'): Finishing {
  const real = memoryStore({ clock })
  const finishing: Finishing = {
    calls: [],
    tidied: [],
    fail: false,
    store: withFaults(real, {
      finishing: (record) => (record.placement.where === FINAL.where ? 'none' : when),
      async finish(records) {
        finishing.calls.push(records.map(({ id }) => id))
        return records.map((): FinishOutcome =>
          finishing.fail ? { ok: false, error: new Error('no') } : { ok: true, placement: FINAL },
        )
      },
      async tidy(before) {
        finishing.tidied.push(before.id)
      },
    }),
  }
  return finishing
}

function setup(when: 'before-answer' | 'after-answer'): { one: Rig; finishing: Finishing } {
  const clock = new FakeClock()
  const finishing = finishingStore(clock, when)
  return {
    one: rig({
      clock,
      store: finishing.store,
      catalog: lasting(memoryCatalog()),
      sinks: [sink('post-finish')],
    }),
    finishing,
  }
}

async function finishEvents({ catalog }: Rig): Promise<number> {
  return (await told({ catalog })).filter(({ type }) => type === 'post-finish').length
}

describe('what is quick is done before the answer', () => {
  test('and the answer says complete', async () => {
    const { one, finishing } = setup('before-answer')
    const record = await one.engine.create(creation({ length: 1000, content: CONTENT }))
    expect(record).toMatchObject({ status: 'complete', placement: FINAL, chore: undefined })
    expect(finishing.calls).toEqual([[record.id]])
    await quiet()
    expect(finishing.tidied).toEqual([record.id])
    expect(await finishEvents(one)).toBe(1)
  })

  test('if it fails the bytes are safe, and it is tried again', async () => {
    const { one, finishing } = setup('before-answer')
    const { id } = await one.engine.create(creation({ length: 1000 }))
    finishing.fail = true
    expect(await codeOf(one.engine.append(id, appending(0, CONTENT)))).toBe('unknown')
    expect(await one.engine.retrieve(id)).toMatchObject({ status: 'finishing', offset: 1000 })
    expect(await finishEvents(one)).toBe(0)
    finishing.fail = false
    await one.clock.advance(6000)
    expect(await recorded(one, id)).toMatchObject({ status: 'complete', placement: FINAL, chore: undefined })
    expect(await finishEvents(one)).toBe(1)
  })

  test('a creation of which it fails leaves nothing: its client has no address to ask at', async () => {
    const { one, finishing } = setup('before-answer')
    finishing.fail = true
    expect(await codeOf(one.engine.create(creation({ length: 1000, content: CONTENT })))).toBe('unknown')
    finishing.fail = false
    await one.clock.advance(20_000)
    expect(await one.catalog.list({ limit: 10 })).toEqual([])
    expect(finishing.calls).toHaveLength(1)
  })

  test('after a crash the next request finishes it', async () => {
    const { one, finishing } = setup('before-answer')
    const { id } = await one.engine.create(creation({ length: 1000 }))
    finishing.fail = true
    await codeOf(one.engine.append(id, appending(0, CONTENT)))
    finishing.fail = false
    const after = rig({ ...one, sinks: [sink('post-finish')], clock: new FakeClock() })
    expect(await after.engine.append(id, appending(1000, new Uint8Array(0)))).toMatchObject({
      status: 'complete',
    })
    expect(await finishEvents(one)).toBe(1)
  })

  test('after a crash the start finishes it', async () => {
    const { one, finishing } = setup('before-answer')
    const { id } = await one.engine.create(creation({ length: 1000 }))
    finishing.fail = true
    await codeOf(one.engine.append(id, appending(0, CONTENT)))
    finishing.fail = false
    const after = rig({ ...one, clock: new FakeClock() })
    await after.engine.recover()
    await after.clock.advance(0)
    expect(await recorded(one, id)).toMatchObject({ status: 'complete', placement: FINAL })
  })

  test('DELETE lets it finish first: states move one way', async () => {
    const { one, finishing } = setup('before-answer')
    const { id } = await one.engine.create(creation({ length: 1000 }))
    finishing.fail = true
    await codeOf(one.engine.append(id, appending(0, CONTENT)))
    expect(await codeOf(one.engine.cancel(id))).toBe('unknown')
    expect((await recorded(one, id)).status).toBe('finishing')
    finishing.fail = false
    await one.engine.cancel(id)
    expect((await recorded(one, id)).status).toBe('cancelled')
  })
})

describe('what takes long is done after the answer', () => {
  test('for many uploads together', async () => {
    const { one, finishing } = setup('after-answer')
    const ids: string[] = []
    for (let i = 0; i < 300; i += 1) {
      const record = await one.engine.create(creation({ length: 10, content: bytes(10, i) }))
      expect(record).toMatchObject({ status: 'complete', chore: 'settle' })
      ids.push(record.id)
    }
    expect(finishing.calls).toEqual([])
    await one.clock.advance(1000)
    expect(finishing.calls.map((call) => call.length)).toEqual([256, 44])
    expect(finishing.calls.flat()).toEqual(ids)
    expect(finishing.tidied).toEqual(ids)
    const left = await one.catalog.list({ withChore: true, limit: 10 })
    expect(left).toEqual([])
    expect(await finishEvents(one)).toBe(300)
  })

  test('and again when it fails; clients notice nothing', async () => {
    const { one, finishing } = setup('after-answer')
    const { id } = await one.engine.create(creation({ length: 1000, content: CONTENT }))
    finishing.fail = true
    await one.clock.advance(200)
    expect(one.reports).toHaveLength(1)
    const before = await recorded(one, id)
    expect(before).toMatchObject({ status: 'complete', chore: 'settle' })
    expect(await contentOf(one, before)).toEqual(CONTENT)
    finishing.fail = false
    await one.clock.advance(6000)
    expect(await recorded(one, id)).toMatchObject({ placement: FINAL, chore: undefined })
  })

  test('an upload that somebody holds is left for later', async () => {
    const { one, finishing } = setup('after-answer')
    const { id } = await one.engine.create(creation({ length: 1000, content: CONTENT }))
    const body = new PushBody()
    const holds = codeOf(one.engine.append(id, appending(1000, body)))
    await one.clock.advance(200)
    expect(finishing.calls).toEqual([])
    body.end()
    expect(await holds).toBe('none')
    await one.clock.advance(6000)
    expect(finishing.calls).toEqual([[id]])
  })

  test('a large copy does not hold small ones up, and shutdown does not wait for it', async () => {
    const clock = new FakeClock()
    const copying = gate()
    const finished: number[] = []
    const store = withFaults(memoryStore({ clock }), {
      finishing: (record) => (record.placement.where === FINAL.where ? 'none' : 'after-answer'),
      async finish(records) {
        if (records.some(({ offset }) => offset > 1000)) await copying.passed
        finished.push(...records.map(({ offset }) => offset))
        return records.map((): FinishOutcome => ({ ok: true, placement: FINAL }))
      },
      tidy: () => Promise.resolve(),
    })
    const one = rig({ clock, store, catalog: lasting(memoryCatalog()) })
    const size = 9 * 1024 * 1024
    const large = await one.engine.create(creation({ length: size, content: bytes(size) }))
    await one.engine.create(creation({ length: 10, content: bytes(10) }))
    await clock.advance(300)
    await one.engine.create(creation({ length: 20, content: bytes(20) }))
    await clock.advance(300)
    expect(finished).toEqual([10, 20])
    await one.engine.close(1000)
    copying.open()
    expect((await recorded(one, large.id)).chore).toBe('settle')
    expect(one.reports).toEqual([])
  })

  test('bytes that are lost are not tried for again and again', async () => {
    const { one, finishing } = setup('after-answer')
    const { id } = await one.engine.create(creation({ length: 1000, content: CONTENT }))
    let calls = 0
    const lost = withFaults(finishing.store, {
      async finish(records) {
        calls += 1
        return records.map((): FinishOutcome => ({ ok: false, error: new UploadError('ERR_CORRUPT_RECORD') }))
      },
    })
    const next = rig({ clock: one.clock, store: lost, catalog: one.catalog })
    await next.engine.recover()
    await one.clock.advance(20_000)
    expect(calls).toBe(1)
    expect((await recorded(next, id)).chore).toBeUndefined()
  })

  test('shutdown does it at once', async () => {
    const { one, finishing } = setup('after-answer')
    const { id } = await one.engine.create(creation({ length: 1000, content: CONTENT }))
    await one.engine.close(1000)
    expect(finishing.calls).toEqual([[id]])
    expect(await recorded(one, id)).toMatchObject({ placement: FINAL, chore: undefined })
  })
})

test('partial uploads are not processed (T-N11)', async () => {
  const { one, finishing } = setup('before-answer')
  const record = await one.engine.create(
    creation({ length: 1000, content: CONTENT, concat: { kind: 'partial' } }),
  )
  expect(record.status).toBe('complete')
  expect(finishing.calls).toEqual([])
})

test('who reads an upload while it is brought to its final place reads it whole', async () => {
  const clock = new FakeClock()
  const real = memoryStore({ clock })
  let isMoved = false
  const halfway = gate()
  const store = withFaults(real, {
    async *read(record, range, signal) {
      if (record.placement.where !== FINAL.where) {
        const middle = 500
        if (range.start < middle) yield* real.read(record, { start: range.start, end: middle }, signal)
        await halfway.passed
        if (isMoved) throw new Error('ENOENT')
        return
      }
      yield* real.read(record, range, signal)
    },
  })
  const one = rig({ clock, store })
  const record = await one.engine.create(creation({ length: 1000, content: CONTENT }))
  const read = contentOf(one, record)
  await quiet()
  isMoved = true
  const { id, epoch, offset, status } = record
  await one.catalog.update(id, { epoch, offset, status }, { placement: FINAL })
  halfway.open()
  expect(await read).toEqual(CONTENT)
})

test('a read that fails for good fails, and an aborted one does not go on', async () => {
  const clock = new FakeClock()
  const store = withFaults(memoryStore({ clock }), {
    // oxlint-disable-next-line require-yield
    async *read(_record: UploadRecord, _range, signal) {
      signal.throwIfAborted()
      throw new Error('disk on fire')
    },
  })
  const one = rig({ clock, store })
  const record = await one.engine.create(creation({ length: 1000, content: CONTENT }))
  await expect(contentOf(one, record)).rejects.toThrow('disk on fire')
  const reason = new Error('gone')
  const aborted = one.engine.read(record, { start: 0, end: 1 }, AbortSignal.abort(reason))
  await expect(collected(aborted)).rejects.toBe(reason)
  expect(() => one.engine.read(record, { start: 0, end: 1001 }, new AbortController().signal)).toThrow(
    RangeError,
  )
})
