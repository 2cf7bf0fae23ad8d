import { describe, expect, test } from 'vitest'
import type { UploadLimits } from '../../src/core/upload.ts'
import { change } from '../../src/core/ports/hooks.ts'
import { bytes } from '../support/bytes.ts'
import { sent } from '../support/push-body.ts'
import type { Rig } from '../support/rig.ts'
import { appending, codeOf, creation, recorded, rig } from '../support/rig.ts'

const HOUR_MS = 3_600_000

/** Every upload gets these limits, and belongs to Ann. */
function limited(limits: UploadLimits): Rig {
  return rig({ limits: { maxSizeBytes: 100 }, hooks: { onCreate: () => change({ limits, owner: 'ann' }) } })
}

describe('limits of one upload', () => {
  test('its size, narrower or wider than that of all', async () => {
    const narrow = limited({ maxSizeBytes: 50 })
    expect(await codeOf(narrow.engine.create(creation({ length: 51 })))).toBe('ERR_MAX_SIZE_EXCEEDED')
    expect(await codeOf(narrow.engine.create(creation({ length: 50 })))).toBe('none')
    const wide = limited({ maxSizeBytes: 150 })
    expect(await codeOf(wide.engine.create(creation({ length: 150 })))).toBe('none')
  })

  test('its size where the length is declared late, or never', async () => {
    const one = limited({ maxSizeBytes: 50 })
    const { id } = await one.engine.create(creation({}))
    expect(await codeOf(one.engine.append(id, appending(0, bytes(10), { length: 51 })))).toBe(
      'ERR_MAX_SIZE_EXCEEDED',
    )
    const chunked = sent(bytes(60), { chunked: true })
    expect(await codeOf(one.engine.append(id, appending(0, chunked)))).toBe('ERR_MAX_SIZE_EXCEEDED')
    expect((await recorded(one, id)).offset).toBe(50)
  })

  test.each([true, false])('the content of one request (chunked: %s)', async (chunked) => {
    const one = limited({ maxAppendBytes: 20 })
    const { id } = await one.engine.create(creation({ length: 50 }))
    expect(await codeOf(one.engine.append(id, appending(0, sent(bytes(21), { chunked }))))).toBe(
      'ERR_APPEND_TOO_LARGE',
    )
    const kept = (await recorded(one, id)).offset
    expect(kept).toBe(chunked ? 20 : 0)
    expect(await codeOf(one.engine.append(id, appending(kept, bytes(20))))).toBe('none')
  })

  test('the content of a creation', async () => {
    const one = rig({ limits: { maxAppendBytes: 20 } })
    expect(await codeOf(one.engine.create(creation({ length: 50, content: bytes(21) })))).toBe(
      'ERR_APPEND_TOO_LARGE',
    )
    expect(await one.catalog.list({ limit: 1 })).toEqual([])
  })

  test('its life, which activity prolongs', async () => {
    const one = limited({ expireAfterMs: HOUR_MS })
    const { id } = await one.engine.create(creation({ length: 50 }))
    await one.clock.advance(HOUR_MS - 1)
    await one.engine.append(id, appending(0, bytes(10)))
    await one.clock.advance(HOUR_MS - 1)
    expect(await codeOf(one.engine.retrieve(id))).toBe('none')
    await one.clock.advance(1)
    expect(await codeOf(one.engine.retrieve(id))).toBe('ERR_UPLOAD_GONE')
  })
})

describe('what an owner may have', () => {
  const ann = { owner: 'ann' }
  const bounded = (): Rig => rig({ limits: { ownerBounds: { maxBytes: 100, maxUploads: 3 } } })
  const create = (one: Rig, length: number | undefined, owner = 'ann') =>
    one.engine.create({ ...creation({ length }), by: { owner } })

  test('is reserved at creation and released when the upload goes', async () => {
    const one = bounded()
    const first = await create(one, 60)
    expect(await codeOf(create(one, 41))).toBe('ERR_QUOTA_EXCEEDED')
    expect(await codeOf(create(one, 41, 'bob')), 'of another owner').toBe('none')
    expect(await one.catalog.usage('ann')).toEqual({ bytes: 60, uploads: 1 })
    await one.engine.cancel(first.id, ann)
    expect(await one.catalog.usage('ann')).toEqual({ bytes: 0, uploads: 0 })
    expect(await codeOf(create(one, 100))).toBe('none')
  })

  test('a complete upload counts its bytes, but is not under way any more', async () => {
    const one = bounded()
    const { id } = await create(one, 60)
    await one.engine.append(id, { ...appending(0, bytes(60)), by: ann })
    expect(await one.catalog.usage('ann')).toEqual({ bytes: 60, uploads: 0 })
  })

  test('expiry releases', async () => {
    const one = rig({ limits: { ownerBounds: { maxBytes: 100 }, expireAfterMs: HOUR_MS } })
    await create(one, 100)
    await one.clock.advance(HOUR_MS + 1)
    await one.engine.sweep()
    expect(await codeOf(create(one, 100))).toBe('none')
  })

  test('uploads at once', async () => {
    const one = bounded()
    for (let i = 0; i < 3; i += 1) await create(one, 1)
    expect(await codeOf(create(one, 1))).toBe('ERR_TOO_MANY_UPLOADS')
  })

  test('of those that ask at once only so many get it as fit', async () => {
    const one = rig({ limits: { ownerBounds: { maxBytes: 100 } } })
    const codes = await Promise.all(Array.from({ length: 10 }, () => codeOf(create(one, 30))))
    expect(codes.filter((code) => code === 'none')).toHaveLength(3)
  })

  test('without a length what has come counts, and no more is taken than fits', async () => {
    const one = bounded()
    await create(one, 60)
    const { id } = await create(one, undefined)
    expect(await codeOf(one.engine.append(id, appending(0, bytes(41))))).toBe('ERR_QUOTA_EXCEEDED')
    const chunked = appending(0, sent(bytes(50), { chunked: true }))
    expect(await codeOf(one.engine.append(id, chunked))).toBe('ERR_QUOTA_EXCEEDED')
    expect(await recorded(one, id)).toMatchObject({ offset: 40, quotaBytes: 40 })
    expect(await codeOf(one.engine.append(id, appending(40, bytes(0), { length: 41 })))).toBe(
      'ERR_QUOTA_EXCEEDED',
    )
    expect(await codeOf(one.engine.append(id, appending(40, bytes(0), { length: 40 })))).toBe('none')
    expect(await one.catalog.usage('ann')).toEqual({ bytes: 100, uploads: 1 })
  })

  test('the bytes of a final count once', async () => {
    const one = bounded()
    const parts = []
    for (const size of [30, 40]) {
      parts.push(
        await one.engine.create({
          ...creation({ length: size, content: bytes(size), concat: { kind: 'partial' } }),
          by: ann,
        }),
      )
    }
    const upload = { dialect: 'tus1', metadata: {}, echo: {} } as const
    await one.engine.concatenate({ upload, parts: parts.map(({ id }) => id), by: ann })
    expect(await one.catalog.usage('ann')).toEqual({ bytes: 70, uploads: 0 })
    for (const { id } of parts) await one.engine.cancel(id, ann)
    expect(await one.catalog.usage('ann')).toEqual({ bytes: 70, uploads: 0 })
  })

  test('a final cannot be made of pieces of somebody else', async () => {
    const one = bounded()
    const part = await one.engine.create({
      ...creation({ length: 5, content: bytes(5), concat: { kind: 'partial' } }),
      by: ann,
    })
    const upload = { dialect: 'tus1', metadata: {}, echo: {} } as const
    const stolen = one.engine.concatenate({ upload, parts: [part.id], by: { owner: 'bob' } })
    expect(await codeOf(stolen)).toBe('ERR_UPLOAD_NOT_FOUND')
  })

  test.each([0, -1, 1.5, Number.NaN])('cannot be %s', (maxBytes) => {
    expect(() => rig({ limits: { ownerBounds: { maxBytes } } })).toThrow(RangeError)
  })
})
