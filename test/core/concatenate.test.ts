import { describe, expect, test } from 'vitest'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import { UploadError } from '../../src/core/errors.ts'
import type { FinishOutcome } from '../../src/core/ports/store.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import type { UploadId } from '../../src/core/upload-id.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { bytes } from '../support/bytes.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { withFaults } from '../support/faults.ts'
import { anId } from '../support/ids.ts'
import type { Rig } from '../support/rig.ts'
import { appending, codeOf, contentOf, creation, recorded, rig, sink, told } from '../support/rig.ts'

const A = bytes(300, 1)
const B = bytes(500, 2)

function both(...contents: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(contents.flatMap((content) => [...content]))
}

async function part(
  { engine }: Rig,
  length: number | undefined,
  content: Uint8Array = bytes(0),
): Promise<UploadId> {
  const record = await engine.create(creation({ length, content, concat: { kind: 'partial' } }))
  return record.id
}

function join({ engine }: Rig, ...parts: readonly UploadId[]): Promise<UploadRecord> {
  const upload = { dialect: 'tus1', metadata: { filename: 'whole' }, echo: {} } as const
  return engine.concatenate({ upload, parts })
}

describe('complete parts', () => {
  test('are joined in the order of the list; the whole has its own metadata (T-N2, T-N9)', async () => {
    const one = rig()
    const [a, b] = [await part(one, 300, A), await part(one, 500, B)]
    const whole = await join(one, a, b)
    expect(whole).toMatchObject({
      status: 'complete',
      offset: 800,
      length: 800,
      metadata: { filename: 'whole' },
      concat: { kind: 'final', parts: [a, b] },
    })
    expect(await contentOf(one, whole)).toEqual(both(A, B))
    const turned = await join(one, b, a)
    expect(await contentOf(one, turned)).toEqual(both(B, A))
  })

  test('may stand in the list twice, and in several finals (T-N3)', async () => {
    const one = rig()
    const a = await part(one, 300, A)
    const twice = await join(one, a, a)
    expect(twice).toMatchObject({ offset: 600, length: 600 })
    expect(await contentOf(one, twice)).toEqual(both(A, A))
    expect(await contentOf(one, await join(one, a))).toEqual(A)
  })

  test('may be deleted afterwards (T-N12, T-D6)', async () => {
    const one = rig()
    const [a, b] = [await part(one, 300, A), await part(one, 500, B)]
    const whole = await join(one, a, b)
    await one.engine.cancel(a)
    await one.engine.cancel(b)
    expect(await contentOf(one, whole)).toEqual(both(A, B))
  })

  test('without a byte are fine', async () => {
    const one = rig()
    const empty = await part(one, 0)
    expect(await join(one, empty, empty)).toMatchObject({ status: 'complete', length: 0 })
  })
})

describe('refused, and nothing is created', () => {
  async function refused(one: Rig, parts: readonly UploadId[], code: string): Promise<void> {
    const before = await one.catalog.list({ limit: 100 })
    expect(await codeOf(join(one, ...parts))).toBe(code)
    expect(await one.catalog.list({ limit: 100 })).toEqual(before)
  }

  test('unknown, cancelled and expired parts (T-N7)', async () => {
    const one = rig({ limits: { expireAfterMs: 1000 } })
    const a = await part(one, 300, A)
    await refused(one, [a, anId], 'ERR_UPLOAD_NOT_FOUND')
    const cancelled = await part(one, 300)
    await one.engine.cancel(cancelled)
    await refused(one, [cancelled], 'ERR_UPLOAD_NOT_FOUND')
    const late = await part(one, 300)
    await one.clock.advance(1001)
    await refused(one, [late], 'ERR_UPLOAD_NOT_FOUND')
  })

  test('uploads that are no parts, finals among them', async () => {
    const one = rig()
    const a = await part(one, 300, A)
    const plain = await one.engine.create(creation({ length: 300, content: A }))
    await refused(one, [a, plain.id], 'ERR_NOT_PARTIAL')
    const whole = await join(one, a)
    await refused(one, [whole.id], 'ERR_NOT_PARTIAL')
  })

  test('more than the server takes (T-N10)', async () => {
    const one = rig({ limits: { maxSizeBytes: 599 } })
    const a = await part(one, 300, A)
    await refused(one, [a, a], 'ERR_MAX_SIZE_EXCEEDED')
  })

  test('a store that cannot join', async () => {
    const one = rig({ store: withFaults(memoryStore(), { concatenate: undefined as never }) })
    expect(one.engine.canConcatenate).toBe(false)
    await refused(one, [await part(one, 300, A)], 'ERR_CONCATENATION_UNSUPPORTED')
  })

  test('a store that fails to join, or to record', async () => {
    const clock = new FakeClock()
    const real = memoryStore({ clock })
    const failing = withFaults(real, { concatenate: () => Promise.reject(new UploadError('ERR_STORE_FULL')) })
    const one = rig({ clock, store: failing })
    await refused(one, [await part(one, 300, A)], 'ERR_STORE_FULL')
  })

  test('one whose final place cannot be made: no record without bytes stays behind', async () => {
    const clock = new FakeClock()
    let fails = true
    const store = withFaults(memoryStore({ clock }), {
      finishing: () => 'before-answer',
      finish: (records) =>
        Promise.resolve(
          records.map((record): FinishOutcome => {
            return fails ? { ok: false, error: new Error('no') } : { ok: true, placement: record.placement }
          }),
        ),
    })
    const one = rig({ clock, store })
    await refused(one, [await part(one, 300, A)], 'unknown')
    fails = false
    await one.clock.advance(20_000)
    expect(await one.catalog.list({ limit: 100 })).toHaveLength(1)
  })
})

test('nothing can be appended to a final, whatever the offset (T-N8)', async () => {
  const one = rig()
  const a = await part(one, 300, A)
  const waiting = await join(one, a, await part(one, 500))
  const whole = await join(one, a)
  for (const { id, offset } of [waiting, whole]) {
    for (const at of [offset, offset + 1]) {
      for (const content of [bytes(0), bytes(10)]) {
        expect(await codeOf(one.engine.append(id, appending(at, content)))).toBe('ERR_MODIFY_FINAL')
      }
    }
  }
  expect(await contentOf(one, whole)).toEqual(A)
})

describe('parts that are not complete yet (concatenation-unfinished)', () => {
  test('the final waits, and is there as soon as somebody asks for it (T-N6)', async () => {
    const one = rig()
    const [a, b] = [await part(one, 300, A), await part(one, 500)]
    const waiting = await join(one, a, b)
    expect(waiting).toMatchObject({ status: 'receiving', length: 800, offset: 0 })
    expect(await one.engine.retrieve(waiting.id)).toMatchObject({ status: 'receiving' })
    await one.engine.append(b, appending(0, B))
    const whole = await one.engine.retrieve(waiting.id)
    expect(whole).toMatchObject({ status: 'complete', offset: 800, length: 800 })
    expect(await contentOf(one, whole)).toEqual(both(A, B))
  })

  test('nobody has to ask', async () => {
    const one = rig()
    const b = await part(one, 500)
    const { id } = await join(one, b)
    await one.engine.append(b, appending(0, B))
    await one.clock.advance(6000)
    expect(await recorded(one, id)).toMatchObject({ status: 'complete', offset: 500, chore: undefined })
  })

  test('nor after a crash', async () => {
    const one = rig()
    const b = await part(one, 500)
    const { id } = await join(one, b)
    await one.engine.append(b, appending(0, B))
    const after = rig({ catalog: one.catalog, store: one.store })
    await after.engine.recover()
    await after.clock.advance(0)
    expect(await recorded(one, id)).toMatchObject({ status: 'complete', offset: 500 })
  })

  test('the length is told as soon as it can be calculated', async () => {
    const one = rig()
    const [a, b] = [await part(one, 300, A), await part(one, undefined)]
    const { id, length } = await join(one, a, b)
    expect(length).toBeUndefined()
    await one.engine.append(b, appending(0, B.subarray(0, 10), { length: 500 }))
    expect(await one.engine.retrieve(id)).toMatchObject({ status: 'receiving', length: 800 })
  })

  test('a part that is terminated fails the final', async () => {
    const one = rig()
    const b = await part(one, 500)
    const { id } = await join(one, b)
    await one.engine.cancel(b)
    expect(await codeOf(one.engine.retrieve(id))).toBe('ERR_UPLOAD_GONE')
    expect(await recorded(one, id)).toMatchObject({ status: 'failed' })
  })

  test('a catalog that fails for a moment does not', async () => {
    const real = memoryCatalog()
    let failing: UploadId | undefined
    const catalog = withFaults(real, {
      get: (id) => {
        if (id === failing) throw new UploadError('ERR_STORE_UNAVAILABLE')
        return real.get(id)
      },
    })
    const one = rig({ catalog })
    const b = await part(one, 500)
    const { id } = await join(one, b)
    failing = b
    expect(await codeOf(one.engine.retrieve(id))).toBe('ERR_STORE_UNAVAILABLE')
    await one.clock.advance(6000)
    expect(await recorded(one, id)).toMatchObject({ status: 'receiving' })
    failing = undefined
    await one.engine.append(b, appending(0, B))
    await one.clock.advance(6000)
    expect(await recorded(one, id)).toMatchObject({ status: 'complete' })
  })

  test('a final can be terminated while it waits', async () => {
    const one = rig()
    const b = await part(one, 500)
    const { id } = await join(one, b)
    await one.engine.cancel(id)
    await one.engine.append(b, appending(0, B))
    await one.clock.advance(20_000)
    expect(await recorded(one, id)).toMatchObject({ status: 'cancelled' })
  })

  test('a final that waits does not expire before its parts', async () => {
    const one = rig({ limits: { expireAfterMs: 3_600_000 } })
    const b = await part(one, 500)
    const { id } = await join(one, b)
    for (let hour = 0; hour < 5; hour += 1) {
      await one.clock.advance(1_800_000)
      await one.engine.append(b, appending(hour * 10, B.subarray(hour * 10, hour * 10 + 10)))
      await one.clock.advance(6000)
      await one.engine.sweep()
    }
    expect(await one.engine.retrieve(id)).toMatchObject({ status: 'receiving' })
  })
})

test('a waiting final whose time is over does not come back', async () => {
  const one = rig({ limits: { expireAfterMs: 3_600_000 } })
  const b = await part(one, 500)
  const { id } = await join(one, b)
  await one.engine.append(b, appending(0, B))
  const after = rig({ catalog: one.catalog, store: one.store, limits: { expireAfterMs: 3_600_000 } })
  await after.clock.advance(3_600_001)
  expect(await codeOf(after.engine.retrieve(id))).toBe('ERR_UPLOAD_GONE')
  await after.engine.recover()
  await after.clock.advance(0)
  expect(await recorded(after, id)).toMatchObject({ status: 'expired' })
})

test('a final is announced and finished once', async () => {
  const one = rig({ sinks: [sink('post-create', 'post-finish')] })
  const a = await part(one, 300, A)
  const { id } = await join(one, a)
  const types = (await told(one)).filter(({ uploadId }) => uploadId === id)
  expect(types.map(({ type }) => type)).toEqual(['post-create', 'post-finish'])
})
