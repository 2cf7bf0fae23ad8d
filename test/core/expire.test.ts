import { describe, expect, test } from 'vitest'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import type { Swept } from '../../src/core/operations/expire.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { bytes } from '../support/bytes.ts'
import { FakeClock, quiet } from '../support/fake-clock.ts'
import { withFaults } from '../support/faults.ts'
import { anId } from '../support/ids.ts'
import { PushBody } from '../support/push-body.ts'
import type { Rig } from '../support/rig.ts'
import { appending, codeOf, contentOf, creation, recorded, rig } from '../support/rig.ts'

const HOUR_MS = 3_600_000

function expiring(): Rig {
  return rig({ limits: { expireAfterMs: HOUR_MS } })
}

async function swept({ engine }: Rig, dryRun = false): Promise<Swept[]> {
  const all: Swept[] = []
  await engine.sweep({ dryRun, onSwept: (one) => all.push(one) })
  return all
}

describe('an unfinished upload', () => {
  test('is gone when its time is over, whether the reaper has come by or not (T-E4)', async () => {
    const one = expiring()
    const { id } = await one.engine.create(creation({ length: 1000, content: bytes(10) }))
    await one.clock.advance(HOUR_MS - 1)
    expect(await codeOf(one.engine.retrieve(id))).toBe('none')
    await one.clock.advance(1)
    for (const act of [
      () => one.engine.retrieve(id),
      () => one.engine.look(id),
      () => one.engine.append(id, appending(10, bytes(1))),
      () => one.engine.cancel(id),
    ]) {
      expect(await codeOf(act())).toBe('ERR_UPLOAD_GONE')
    }
    expect((await recorded(one, id)).status).toBe('receiving')
    await one.clock.advance(1)
    expect(await swept(one)).toEqual([{ kind: 'expired', name: id, sizeBytes: 10 }])
    expect((await recorded(one, id)).status).toBe('expired')
    expect(await codeOf(one.engine.retrieve(id))).toBe('ERR_UPLOAD_GONE')
  })

  test('that is worked on lives on (T-E5), with or without bytes', async () => {
    const one = expiring()
    const { id } = await one.engine.create(creation({ length: 1000 }))
    for (let i = 0; i < 4; i += 1) {
      await one.clock.advance(HOUR_MS - 10)
      const { expiresAtMs } = await one.engine.append(
        id,
        appending(5 * Math.floor(i / 2), bytes(i % 2 === 0 ? 0 : 5)),
      )
      expect(expiresAtMs).toBe(one.clock.nowMs() + HOUR_MS)
      expect(await swept(one)).toEqual([])
    }
  })

  test('does not live on by being looked at', async () => {
    const one = expiring()
    const { id } = await one.engine.create(creation({ length: 1000 }))
    await one.clock.advance(HOUR_MS / 2)
    await one.engine.retrieve(id)
    await one.clock.advance(HOUR_MS / 2)
    expect(await codeOf(one.engine.retrieve(id))).toBe('ERR_UPLOAD_GONE')
  })

  test('is not removed under a PATCH that brings it on (T-E7)', async () => {
    const one = expiring()
    const { id } = await one.engine.create(creation({ length: 1000 }))
    await one.clock.advance(HOUR_MS - 1000)
    const body = new PushBody(1000)
    const appended = one.engine.append(id, appending(0, body))
    await quiet()
    body.push(bytes(500))
    await one.clock.advance(2000)
    expect(await swept(one)).toEqual([])
    expect(await codeOf(one.engine.look(id)), 'its PATCH is about to move its time').toBe('none')
    body.push(bytes(1000).subarray(500))
    body.end()
    expect(await contentOf(one, await appended)).toEqual(bytes(1000))
  })

  test('stays gone while the reaper is clearing it away', async () => {
    const seen: string[] = []
    const inner = memoryCatalog()
    const catalog = withFaults(inner, {
      update: async (id, ...rest) => {
        seen.push(await codeOf(one.engine.look(id)))
        return inner.update(id, ...rest)
      },
    })
    const one = rig({ catalog, limits: { expireAfterMs: HOUR_MS } })
    await one.engine.create(creation({ length: 1000 }))
    await one.clock.advance(HOUR_MS + 1)
    expect(await swept(one)).toHaveLength(1)
    expect(seen).toEqual(['ERR_UPLOAD_GONE', 'ERR_UPLOAD_GONE'])
  })

  test('does not expire where nothing expires', async () => {
    const one = rig()
    const { id } = await one.engine.create(creation({ length: 1000 }))
    await one.clock.advance(1000 * HOUR_MS)
    expect(await swept(one)).toEqual([])
    expect((await recorded(one, id)).status).toBe('receiving')
  })
})

test('a complete upload never expires; a complete partial does, later', async () => {
  const one = expiring()
  const whole = await one.engine.create(creation({ length: 10, content: bytes(10) }))
  const part = await one.engine.create(
    creation({ length: 10, content: bytes(10), concat: { kind: 'partial' } }),
  )
  const final = await one.engine.concatenate({
    upload: { dialect: 'tus1', metadata: {}, echo: {} },
    parts: [part.id],
  })
  await one.clock.advance(6 * HOUR_MS)
  expect(await swept(one)).toEqual([])
  await one.clock.advance(1000 * HOUR_MS)
  expect(await swept(one)).toEqual([{ kind: 'expired', name: part.id, sizeBytes: 10 }])
  expect(await contentOf(one, await one.engine.look(whole.id))).toEqual(bytes(10))
  expect(await contentOf(one, await one.engine.look(final.id))).toEqual(bytes(10))
})

test('a dry run tells everything and touches nothing', async () => {
  const one = expiring()
  const late = await one.engine.create(creation({ length: 1000, content: bytes(10) }))
  const cancelled = await one.engine.create(creation({ length: 1000 }))
  await one.engine.cancel(cancelled.id)
  await one.store.concatenate?.([], { ...late, id: anId })
  await one.clock.advance(25 * HOUR_MS)
  const before = await one.catalog.list({ limit: 10 })
  const told = await swept(one, true)
  expect(told.map(({ kind }) => kind).sort()).toEqual(['expired', 'orphan', 'tombstone'])
  expect(await one.catalog.list({ limit: 10 })).toEqual(before)
  expect(await swept(one, true)).toEqual(told)
  await swept(one)
  expect((await swept(one)).map(({ kind }) => kind)).toEqual([])
})

test('the reaper goes through more uploads than fit on a page', async () => {
  const one = expiring()
  for (let i = 0; i < 600; i += 1) await one.engine.create(creation({ length: 1000 }))
  await one.clock.advance(HOUR_MS + 1)
  expect(await swept(one)).toHaveLength(600)
  expect(await one.catalog.list({ status: ['receiving'], limit: 1 })).toEqual([])
  await one.clock.advance(25 * HOUR_MS)
  expect(await swept(one)).toHaveLength(600)
  expect(await one.catalog.list({ limit: 1 })).toEqual([])
})

describe('orphans', () => {
  test('are removed after an hour, bytes of known uploads never', async () => {
    const one = rig()
    const known = await one.engine.create(creation({ length: 1000, content: bytes(10) }))
    const lost = { ...known, id: anId, offset: 0 }
    const appender = await one.store.open(lost, { epoch: 1, writer: 'x', mayExtend: () => true })
    await appender.write([bytes(7)])
    await one.clock.advance(HOUR_MS - 1)
    expect(await swept(one)).toEqual([])
    await one.clock.advance(1)
    expect(await swept(one)).toEqual([{ kind: 'orphan', name: anId, sizeBytes: 7 }])
    expect(await swept(one)).toEqual([])
    expect(await contentOf(one, await one.engine.look(known.id))).toEqual(bytes(10))
  })

  test('bytes of an upload that is being created are none, although it has no record yet', async () => {
    const clock = new FakeClock()
    const asked: [string, unknown][] = []
    const real = memoryStore({ clock })
    const store = withFaults(real, {
      async *orphans(isKnown, olderThanMs) {
        for await (const orphan of real.orphans?.(async () => undefined, 0) ?? []) {
          asked.push([orphan.name, await isKnown(orphan.name)])
        }
        yield* real.orphans?.(isKnown, olderThanMs) ?? []
      },
    })
    const one = rig({ clock, store, pace: { idleTimeoutMs: 10 * HOUR_MS, minRateBytesPerSecond: 0 } })
    const body = new PushBody(1000)
    const checksum = { algorithm: 'crc32', digest: new Uint8Array(4) } as const
    const created = codeOf(one.engine.create(creation({ length: 1000, content: { body, checksum } })))
    await quiet()
    body.push(bytes(500))
    await one.clock.advance(2 * HOUR_MS)
    expect(await one.catalog.list({ limit: 1 }), 'nothing is recorded before it is verified').toEqual([])
    expect(await swept(one)).toEqual([])
    expect(asked.map(([, known]) => known)).toEqual(['in-use'])
    body.cut()
    expect(await created).toBe('ERR_UPLOAD_INTERRUPTED')
  })

  test('a name that is no id belongs to nobody we know', async () => {
    const asked: unknown[] = []
    const store = withFaults(memoryStore(), {
      // oxlint-disable-next-line require-yield
      async *orphans(isKnown) {
        for (const name of ['..', 'a/b', '']) asked.push(await isKnown(name))
      },
    })
    await rig({ store }).engine.sweep()
    expect(asked).toEqual([undefined, undefined, undefined])
  })
})

test('an upload that is being brought to its final place is not touched', async () => {
  const clock = new FakeClock()
  const store = withFaults(memoryStore({ clock }), {
    finishing: () => 'before-answer',
    finish: (records) => Promise.resolve(records.map(() => ({ ok: false, error: new Error('no') }) as const)),
  })
  const one = rig({ clock, store, limits: { expireAfterMs: HOUR_MS } })
  const { id }: UploadRecord = await one.engine.create(creation({ length: 10 }))
  await codeOf(one.engine.append(id, appending(0, bytes(10))))
  await one.clock.advance(100 * HOUR_MS)
  expect(await swept(one)).toEqual([{ kind: 'unfinished', name: id, sizeBytes: 10 }])
  expect((await recorded(one, id)).status).toBe('finishing')
})
