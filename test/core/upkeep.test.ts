import { describe, expect, test } from 'vitest'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import { CLAIMS_QUEUE } from '../../src/core/ports/catalog.ts'
import type { Swept, SweepOptions } from '../../src/core/operations/expire.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { bytes } from '../support/bytes.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { withFaults } from '../support/faults.ts'
import type { Rig } from '../support/rig.ts'
import { appending, codeOf, contentOf, creation, lasting, recorded, rig } from '../support/rig.ts'

const DAY_MS = 86_400_000

async function swept({ engine }: Rig, options: SweepOptions = {}): Promise<Swept[]> {
  const all: Swept[] = []
  await engine.sweep({ ...options, onSwept: (one) => all.push(one) })
  return all
}

describe('an upload whose handler has failed', () => {
  test('is never removed; the janitor tells of it and has it tried again', async () => {
    let isUp = false
    const onFinish = (): void => {
      if (!isUp) throw new Error('down')
    }
    const one = rig({ hooks: { onFinish }, limits: { expireAfterMs: DAY_MS } })
    const { id } = await one.engine.create(creation({ length: 10 }))
    await codeOf(one.engine.append(id, appending(0, bytes(10))))
    await one.clock.advance(30 * DAY_MS)
    expect(await swept(one, { dryRun: true })).toEqual([{ kind: 'unfinished', name: id, sizeBytes: 10 }])
    isUp = true
    await swept(one)
    await one.clock.advance(200)
    expect(await contentOf(one, await one.engine.look(id))).toEqual(bytes(10))
    expect(await swept(one)).toEqual([])
  })

  test('is left alone by a process that has no handler', async () => {
    const one = rig({
      catalog: lasting(memoryCatalog()),
      hooks: {
        onFinish: () => {
          throw new Error('down')
        },
      },
    })
    const { id } = await one.engine.create(creation({ length: 10 }))
    await codeOf(one.engine.append(id, appending(0, bytes(10))))
    const tool = rig({ catalog: one.catalog, store: one.store, clock: new FakeClock() })
    await tool.engine.recover()
    await tool.clock.advance(100_000)
    await swept(tool)
    await tool.clock.advance(100_000)
    expect((await recorded(one, id)).status).toBe('finishing')
  })
})

describe('complete uploads', () => {
  test('stay for ever, unless somebody says how old they may get', async () => {
    const one = rig()
    const old = await one.engine.create(creation({ length: 10, content: bytes(10) }))
    await one.clock.advance(10 * DAY_MS)
    const young = await one.engine.create(creation({ length: 10, content: bytes(10) }))
    expect(await swept(one)).toEqual([])
    const options = { completeAfterMs: 5 * DAY_MS }
    const found = [{ kind: 'old', name: old.id, sizeBytes: 10 }]
    expect(await swept(one, { ...options, dryRun: true })).toEqual(found)
    expect((await recorded(one, old.id)).status).toBe('complete')
    expect(await swept(one, options)).toEqual(found)
    expect(await codeOf(one.engine.look(old.id))).toBe('ERR_UPLOAD_GONE')
    expect(await codeOf(one.engine.look(young.id))).toBe('none')
  })
})

describe('records of bytes that are gone', () => {
  function losing(): { one: Rig; lost: Set<string> } {
    const lost = new Set<string>()
    const clock = new FakeClock()
    const store = withFaults(memoryStore({ clock }), { isMissing: async ({ id }) => lost.has(id) })
    return { one: rig({ clock, store }), lost }
  }

  test('go: an unfinished upload at once, a complete one when its client has had a day', async () => {
    const { one, lost } = losing()
    const open = await one.engine.create(creation({ length: 10, content: bytes(5) }))
    const whole = await one.engine.create(creation({ length: 10, content: bytes(10) }))
    await one.engine.create(creation({ length: 10, content: bytes(5) }))
    lost.add(open.id).add(whole.id)
    expect(await swept(one), 'only if asked to look').toEqual([])
    const record = { kind: 'record', sizeBytes: 5, name: open.id }
    expect(await swept(one, { checkBytes: true, dryRun: true })).toEqual([record])
    expect(await swept(one, { checkBytes: true })).toEqual([record])
    expect((await recorded(one, open.id)).status).toBe('failed')
    await one.clock.advance(DAY_MS + 1)
    expect(await swept(one, { checkBytes: true })).toContainEqual({
      kind: 'record',
      sizeBytes: 10,
      name: whole.id,
    })
    expect((await recorded(one, whole.id)).status).toBe('cancelled')
  })
})

test('claims whose worker is gone, and those that were given up, are told of', async () => {
  const one = rig()
  const { queues } = one.catalog
  await queues.enableClaims()
  const ids: string[] = []
  for (let i = 0; i < 3; i += 1) {
    ids.push((await one.engine.create(creation({ length: 10, content: bytes(10) }))).id)
  }
  const nowMs = one.clock.nowMs()
  const [, given] = await queues.take(CLAIMS_QUEUE, { limit: 2, nowMs, leaseMs: 1000 })
  if (given === undefined) throw new Error('nothing to take')
  await queues.release(given, { dueAtMs: nowMs, isDead: true })
  expect(await swept(one)).toEqual([{ kind: 'dead-claim', name: ids[1], sizeBytes: 0 }])
  await one.clock.advance(1001)
  expect(await swept(one)).toEqual([
    { kind: 'claim', name: ids[0], sizeBytes: 0 },
    { kind: 'dead-claim', name: ids[1], sizeBytes: 0 },
  ])
})
