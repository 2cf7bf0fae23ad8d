import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import type { FirstContent } from '../../src/core/operations/create.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { bytes, same } from '../support/bytes.ts'
import { FakeClock, quiet } from '../support/fake-clock.ts'
import { withFaults } from '../support/faults.ts'
import { PushBody, sent } from '../support/push-body.ts'
import type { Rig } from '../support/rig.ts'
import { codeOf, contentOf, creation, lasting, rig } from '../support/rig.ts'

const SMALL = 1000
const LARGE = 200_000

function sha1(content: Uint8Array): FirstContent['checksum'] {
  return { algorithm: 'sha1', digest: new Uint8Array(createHash('sha1').update(content).digest()) }
}

/** Nothing of a refused creation may be left: no record, no bytes. */
async function expectNothingLeft({ catalog, store, clock }: Rig): Promise<void> {
  expect(await catalog.list({ limit: 10 })).toEqual([])
  await clock.advance(2 * 60 * 60 * 1000)
  const left: string[] = []
  for await (const orphan of store.orphans?.(async () => undefined, 0) ?? []) left.push(orphan.name)
  expect(left).toEqual([])
}

test('an upload without content waits at offset 0', async () => {
  const one = rig({ limits: { expireAfterMs: 1000 } })
  const record = await one.engine.create(creation({ length: 10, metadata: { filename: 'a' } }))
  expect(record).toMatchObject({ status: 'receiving', offset: 0, length: 10, metadata: { filename: 'a' } })
  expect(record.expiresAtMs).toBe(one.clock.nowMs() + 1000)
  expect(await one.engine.look(record.id)).toEqual(record)
})

test('the length may come later', async () => {
  const { engine } = rig()
  const record = await engine.create(creation({ length: undefined }))
  expect(record.length).toBeUndefined()
  expect((await engine.retrieve(record.id)).status).toBe('receiving')
})

test('an upload of length 0 is complete at once and does not expire (T-C6)', async () => {
  const { engine } = rig({ limits: { expireAfterMs: 1000 } })
  const record = await engine.create(creation({ length: 0 }))
  expect(record).toMatchObject({ status: 'complete', offset: 0, length: 0, expiresAtMs: undefined })
})

describe.each([SMALL, LARGE])('%d bytes of content', (size) => {
  const content = bytes(size)

  test.each([
    ['announced', {}],
    ['chunked', { chunked: true }],
  ])('%s: whole upload, complete (T-U2)', async (_, how) => {
    const one = rig()
    const record = await one.engine.create(creation({ length: size, content: { body: sent(content, how) } }))
    expect(record).toMatchObject({ status: 'complete', offset: size })
    expect(same(await contentOf(one, record), content)).toBe(true)
  })

  test('the first part of a larger upload (T-U1), or of one whose length comes later (T-U6)', async () => {
    const one = rig()
    for (const length of [size + 1, undefined]) {
      const record = await one.engine.create(creation({ length, content }))
      expect(record).toMatchObject({ status: 'receiving', offset: size, length })
      expect(same(await contentOf(one, record), content)).toBe(true)
    }
  })

  test('broken off: the upload exists with what arrived (T-U3)', async () => {
    const one = rig()
    const body = sent(content, { cutAfter: 900 })
    expect(await codeOf(one.engine.create(creation({ length: size, content: { body } })))).toBe(
      'ERR_UPLOAD_INTERRUPTED',
    )
    const [record] = await one.catalog.list({ limit: 10 })
    expect(record).toMatchObject({ status: 'receiving', offset: 900 })
    expect(record && (await contentOf(one, record))).toEqual(content.subarray(0, 900))
  })

  test('with the right checksum', async () => {
    const { engine } = rig()
    const first = { body: sent(content), checksum: sha1(content) }
    expect(await engine.create(creation({ length: size, content: first }))).toMatchObject({
      status: 'complete',
      offset: size,
    })
  })

  test.each(['header', 'trailer'] as const)(
    'with a wrong checksum in the %s: nothing is left (T-K9)',
    async (where) => {
      const one = rig()
      const wrong = sha1(bytes(size, 2))
      const promise =
        where === 'header'
          ? { checksum: wrong }
          : { trailerChecksum: () => wrong as NonNullable<typeof wrong> }
      const content_ = { body: sent(content, { chunked: where === 'trailer' }), ...promise }
      expect(await codeOf(one.engine.create(creation({ length: size, content: content_ })))).toBe(
        'ERR_CHECKSUM_MISMATCH',
      )
      await expectNothingLeft(one)
    },
  )

  test('broken off under a checksum: nothing is left, for nothing can be verified (T-K7)', async () => {
    const one = rig()
    const first = { body: sent(content, { cutAfter: 900 }), checksum: sha1(content) }
    expect(await codeOf(one.engine.create(creation({ length: size, content: first })))).toBe(
      'ERR_UPLOAD_INTERRUPTED',
    )
    await expectNothingLeft(one)
  })

  test.each([
    ['announced', { length: size - 1 }, 'ERR_UPLOAD_SIZE_EXCEEDED'],
    ['chunked', { length: size - 1 }, 'ERR_UPLOAD_SIZE_EXCEEDED'],
    ['announced', { length: undefined, max: size - 1 }, 'ERR_MAX_SIZE_EXCEEDED'],
    ['chunked', { length: undefined, max: size - 1 }, 'ERR_MAX_SIZE_EXCEEDED'],
  ] as const)('%s, more than %j allows: refused, and nothing is left (T-U4)', async (how, bounds, code) => {
    const one = rig('max' in bounds ? { limits: { maxSizeBytes: bounds.max } } : {})
    const body = sent(content, { chunked: how === 'chunked' })
    expect(await codeOf(one.engine.create(creation({ length: bounds.length, content: { body } })))).toBe(code)
    await expectNothingLeft(one)
  })

  test('no space for it: refused before a byte is read, and nothing is left', async () => {
    const clock = new FakeClock()
    const one = rig({ clock, store: memoryStore({ clock, maxBytes: size - 1 }) })
    const body = new PushBody(size)
    expect(await codeOf(one.engine.create(creation({ length: size, content: { body } })))).toBe(
      'ERR_STORE_FULL',
    )
    expect(body.consumed).toBe(false)
    await expectNothingLeft(one)
  })

  test('the disk fills up on the way: nothing is left', async () => {
    const clock = new FakeClock()
    const one = rig({ clock, store: memoryStore({ clock, maxBytes: size - 1 }), memoryBytes: 64 * 1024 })
    const body = sent(content, { chunked: true })
    expect(await codeOf(one.engine.create(creation({ length: undefined, content: { body } })))).toBe(
      'ERR_STORE_FULL',
    )
    await expectNothingLeft(one)
  })

  test('the record cannot be written: nothing is left', async () => {
    const one = rig()
    const broken = withFaults(one.catalog, { insert: () => Promise.reject(new Error('no')) })
    const { engine } = rig({ ...one, catalog: broken })
    expect(await codeOf(engine.create(creation({ length: size, content })))).toBe('unknown')
    await expectNothingLeft(one)
  })
})

test.each([
  [11, undefined],
  [undefined, 11],
] as const)(
  'more than the server takes (length %s, content %s): 413 before the body is read',
  async (length, size) => {
    const one = rig({ limits: { maxSizeBytes: 10 } })
    const body = new PushBody(size ?? 0)
    const request = creation({ length, ...(size === undefined ? {} : { content: { body } }) })
    expect(await codeOf(one.engine.create(request))).toBe('ERR_MAX_SIZE_EXCEEDED')
    expect(body.consumed).toBe(false)
    await expectNothingLeft(one)
  },
)

test('exactly as much as the server takes is taken (T-C5)', async () => {
  const { engine } = rig({ limits: { maxSizeBytes: 10 } })
  expect(await codeOf(engine.create(creation({ length: 10 })))).toBe('none')
})

test('100 Continue is sent when everything is in order, and before the body is read', async () => {
  const one = rig({ limits: { maxSizeBytes: 100 } })
  let continued = 0
  const wish = (length: number): FirstContent => ({
    body: sent(bytes(length)),
    onAccepted: () => (continued += 1),
  })
  expect(await codeOf(one.engine.create(creation({ length: 101, content: wish(101) })))).toBe(
    'ERR_MAX_SIZE_EXCEEDED',
  )
  expect(continued).toBe(0)
  await one.engine.create(creation({ length: 100, content: wish(100) }))
  expect(continued).toBe(1)
})

test('a creation that is shut down keeps what arrived', async () => {
  const catalog = lasting(memoryCatalog())
  const { engine } = rig({ catalog })
  const body = new PushBody()
  const code = codeOf(engine.create(creation({ length: LARGE, content: { body } })))
  await quiet()
  body.push(bytes(5000))
  await engine.close(1000)
  expect(await code).toBe('ERR_SERVER_SHUTDOWN')
  expect(await catalog.list({ limit: 1 })).toMatchObject([{ status: 'receiving', offset: 5000 }])
})

test('bad limits are mistakes of the caller', () => {
  for (const maxSizeBytes of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => rig({ limits: { maxSizeBytes } })).toThrow(RangeError)
    expect(() => rig({ limits: { expireAfterMs: maxSizeBytes } })).toThrow(RangeError)
  }
})
