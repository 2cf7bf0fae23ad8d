import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { bytes } from '../support/bytes.ts'
import { FakeClock, quiet } from '../support/fake-clock.ts'
import { withFaults } from '../support/faults.ts'
import { PushBody, sent } from '../support/push-body.ts'
import { appending, codeOf, creation, recorded, rig, sink, told } from '../support/rig.ts'

const DAY_MS = 24 * 60 * 60 * 1000

describe('DELETE', () => {
  test.each([500, 1000])(
    'of an upload with %d of 1,000 bytes frees it and leaves a tombstone (T-D1)',
    async (size) => {
      const removed: string[] = []
      const clock = new FakeClock()
      const real = memoryStore({ clock })
      const store = withFaults(real, {
        remove: (record) => {
          removed.push(record.id)
          return real.remove(record)
        },
      })
      const one = rig({ clock, store })
      const { id } = await one.engine.create(creation({ length: 1000, content: bytes(size) }))
      await one.engine.cancel(id)
      expect(removed).toEqual([id])
      expect(await recorded(one, id)).toMatchObject({ status: 'cancelled', chore: undefined })
    },
  )

  test('afterwards everything says gone, for a day; then not found (T-D2)', async () => {
    const one = rig()
    const { id } = await one.engine.create(creation({ length: 1000, content: bytes(10) }))
    await one.engine.cancel(id)
    const codes = async (): Promise<string[]> => [
      await codeOf(one.engine.retrieve(id)),
      await codeOf(one.engine.look(id)),
      await codeOf(one.engine.append(id, appending(10, bytes(1)))),
      await codeOf(one.engine.cancel(id)),
    ]
    expect(new Set(await codes())).toEqual(new Set(['ERR_UPLOAD_GONE']))
    await one.clock.advance(DAY_MS)
    await one.engine.sweep()
    expect(new Set(await codes())).toEqual(new Set(['ERR_UPLOAD_GONE']))
    await one.clock.advance(1)
    await one.engine.sweep()
    expect(new Set(await codes())).toEqual(new Set(['ERR_UPLOAD_NOT_FOUND']))
  })

  test('of an unknown upload: not found (T-D3)', async () => {
    const { id } = await rig().engine.create(creation({ length: 1000 }))
    expect(await codeOf(rig().engine.cancel(id))).toBe('ERR_UPLOAD_NOT_FOUND')
  })

  test('while a PATCH runs: that is cut off, and nothing comes back (T-D4)', async () => {
    const one = rig()
    const { id } = await one.engine.create(creation({ length: 1000 }))
    const body = new PushBody(1000)
    const appended = codeOf(one.engine.append(id, appending(0, body)))
    await quiet()
    body.push(bytes(100))
    const cancelled = one.engine.cancel(id)
    await one.clock.advance(25)
    await cancelled
    expect(await appended).toBe('ERR_UPLOAD_STOPPED')
    body.push(bytes(100))
    await one.clock.advance(10_000)
    expect((await recorded(one, id)).status).toBe('cancelled')
  })

  test('of which freeing the bytes fails has happened all the same; they are freed later', async () => {
    const clock = new FakeClock()
    const real = memoryStore({ clock })
    let fails = true
    const store = withFaults(real, {
      remove: (record) => (fails ? Promise.reject(new Error('no')) : real.remove(record)),
    })
    const one = rig({ clock, store })
    const { id } = await one.engine.create(creation({ length: 1000, content: bytes(10) }))
    await one.engine.cancel(id)
    expect(await recorded(one, id)).toMatchObject({ status: 'cancelled', chore: 'remove' })
    expect(one.reports).toHaveLength(1)
    fails = false
    await one.clock.advance(6000)
    expect(await recorded(one, id)).toMatchObject({ status: 'cancelled', chore: undefined })
  })

  test('whose server crashes before the bytes are freed: the next start frees them', async () => {
    const clock = new FakeClock()
    const real = memoryStore({ clock })
    const one = rig({ clock, store: withFaults(real, { remove: () => new Promise(() => undefined) }) })
    const { id } = await one.engine.create(creation({ length: 1000, content: bytes(10) }))
    void one.engine.cancel(id)
    await quiet()
    const after = rig({ catalog: one.catalog, store: real })
    await after.engine.recover()
    await after.clock.advance(0)
    expect(await recorded(after, id)).toMatchObject({ status: 'cancelled', chore: undefined })
  })
})

test('lost bytes deactivate an upload rather than move its offset back', async () => {
  const one = rig()
  const { id } = await one.engine.create(creation({ length: 1000, content: bytes(500) }))
  await one.store.remove(await recorded(one, id))
  const appended = one.engine.append(id, appending(500, sent(bytes(500))))
  expect(await codeOf(appended)).toBe('ERR_CORRUPT_RECORD')
  expect(await recorded(one, id)).toMatchObject({ status: 'failed' })
  expect(await codeOf(one.engine.retrieve(id))).toBe('ERR_UPLOAD_GONE')
  expect(one.reports).toHaveLength(1)
})

test('events are written with the change they tell of', async () => {
  const one = rig({ sinks: [sink('post-create', 'post-finish', 'post-terminate')] })
  const { id } = await one.engine.create(creation({ length: 10, metadata: { filename: 'a' } }))
  await one.engine.append(id, appending(0, bytes(5)))
  await codeOf(one.engine.append(id, appending(0, bytes(5))))
  await one.engine.append(id, appending(5, bytes(5)))
  await one.engine.cancel(id)
  const entries = await told(one)
  expect(entries.map(({ type }) => type)).toEqual(['post-create', 'post-finish', 'post-terminate'])
  expect(entries.map(({ uploadId }) => uploadId)).toEqual([id, id, id])
  expect(entries.map(({ payload }) => (JSON.parse(payload) as { offset: number }).offset)).toEqual([
    0, 10, 10,
  ])
})

test('events that nobody asked for are not written', async () => {
  const one = rig({ sinks: [sink('post-finish')] })
  await one.engine.create(creation({ length: 10 }))
  expect(await told(one)).toEqual([])
})

test('an upload that expires, and one whose bytes are lost, are told of as what they are', async () => {
  const one = rig({
    sinks: [sink('upload-expired', 'upload-failed', 'post-terminate')],
    limits: { expireAfterMs: 1000 },
  })
  const lost = await one.engine.create(creation({ length: 10, content: bytes(5) }))
  await one.store.remove(await recorded(one, lost.id))
  expect(await codeOf(one.engine.append(lost.id, appending(5, bytes(5))))).toBe('ERR_CORRUPT_RECORD')
  const late = await one.engine.create(creation({ length: 10 }))
  await one.clock.advance(1001)
  await one.engine.sweep()
  const entries = await told(one)
  expect(entries.map(({ type, uploadId }) => [type, uploadId])).toEqual([
    ['upload-failed', lost.id],
    ['upload-expired', late.id],
  ])
})
