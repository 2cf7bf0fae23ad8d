import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { AppendRequest } from '../../src/core/operations/append.ts'
import type { Checksum } from '../../src/core/ports/digest.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import { bytes, same } from '../support/bytes.ts'
import { quiet } from '../support/fake-clock.ts'
import { PushBody, sent } from '../support/push-body.ts'
import type { Rig } from '../support/rig.ts'
import { appending, codeOf, contentOf, creation, recorded, rig } from '../support/rig.ts'

const CONTENT = bytes(1000)

function sha1(content: Uint8Array): Checksum {
  return { algorithm: 'sha1', digest: new Uint8Array(createHash('sha1').update(content).digest()) }
}

/** An upload of 1,000 bytes of which 400 are here. */
async function started(length: number | 'later' = 1000, one: Rig = rig()): Promise<[Rig, UploadRecord]> {
  const content = CONTENT.subarray(0, 400)
  const record = await one.engine.create(
    creation({ length: length === 'later' ? undefined : length, content }),
  )
  return [one, record]
}

describe('bytes at the right offset', () => {
  test('are added, one request after the other (T-P1, T-P6)', async () => {
    const [one, { id }] = await started()
    const second = await one.engine.append(id, appending(400, CONTENT.subarray(400, 700)))
    expect(second).toMatchObject({ status: 'receiving', offset: 700 })
    const third = await one.engine.append(id, appending(700, CONTENT.subarray(700)))
    expect(third).toMatchObject({ status: 'complete', offset: 1000, length: 1000 })
    expect(third.finishedAtMs).toBe(one.clock.nowMs())
    expect(await contentOf(one, third)).toEqual(CONTENT)
  })

  test('none of them is fine too (T-P7), also for a complete upload', async () => {
    const [one, { id }] = await started()
    const nothing = new Uint8Array(0)
    expect(await one.engine.append(id, appending(400, nothing))).toMatchObject({ offset: 400 })
    expect(await one.engine.append(id, appending(400, sent(nothing, { chunked: true })))).toMatchObject({
      offset: 400,
      status: 'receiving',
    })
    await one.engine.append(id, appending(400, CONTENT.subarray(400)))
    for (const chunked of [false, true]) {
      const again = await one.engine.append(id, appending(1000, sent(nothing, { chunked })))
      expect(again).toMatchObject({ status: 'complete', offset: 1000 })
    }
  })
})

describe('a refused append leaves everything as it was', () => {
  const body = (): AppendRequest['body'] => sent(CONTENT.subarray(400))
  const cases: readonly [string, AppendRequest, string][] = [
    ['offset too low (T-P2)', appending(399, body()), 'ERR_MISMATCHED_OFFSET'],
    ['offset too high', appending(401, body()), 'ERR_MISMATCHED_OFFSET'],
    ['offset past the length', appending(5000, body()), 'ERR_MISMATCHED_OFFSET'],
    ['body past the length (T-P8)', appending(400, CONTENT), 'ERR_UPLOAD_SIZE_EXCEEDED'],
    ['another length (T-L4)', appending(400, body(), { length: 1001 }), 'ERR_LENGTH_CHANGED'],
    ['wrong checksum (T-K2)', appending(400, body(), { checksum: sha1(CONTENT) }), 'ERR_CHECKSUM_MISMATCH'],
    [
      'wrong checksum of nothing (T-K11)',
      appending(400, new Uint8Array(0), { checksum: sha1(CONTENT) }),
      'ERR_CHECKSUM_MISMATCH',
    ],
    [
      'wrong checksum in the trailer (T-KT2)',
      appending(400, sent(CONTENT.subarray(400), { chunked: true }), {
        trailerChecksum: () => sha1(CONTENT),
      }),
      'ERR_CHECKSUM_MISMATCH',
    ],
    [
      'different checksums in header and trailer (T-KT3)',
      appending(400, sent(CONTENT.subarray(400), { chunked: true }), {
        checksum: sha1(CONTENT.subarray(400)),
        trailerChecksum: () => sha1(CONTENT),
      }),
      'ERR_INVALID_CHECKSUM',
    ],
    [
      'cut under a checksum (T-K7)',
      appending(400, sent(CONTENT.subarray(400), { cutAfter: 100 }), {
        checksum: sha1(CONTENT.subarray(400)),
      }),
      'ERR_UPLOAD_INTERRUPTED',
    ],
    [
      'too much under a checksum (T-K10)',
      appending(400, sent(CONTENT, { chunked: true }), { checksum: sha1(CONTENT) }),
      'ERR_UPLOAD_SIZE_EXCEEDED',
    ],
  ]

  test.each(cases)('%s', async (_, request, code) => {
    const [one, record] = await started()
    await one.clock.advance(1000)
    expect(await codeOf(one.engine.append(record.id, request))).toBe(code)
    expect(await recorded(one, record.id)).toEqual(record)
    const last = await one.engine.append(record.id, appending(400, CONTENT.subarray(400)))
    expect(await contentOf(one, last)).toEqual(CONTENT)
  })

  test('a mismatch tells the offset that is right', async () => {
    const [one, { id }] = await started()
    await expect(one.engine.append(id, appending(0, CONTENT))).rejects.toMatchObject({
      details: { offset: 400 },
    })
  })

  test('an unknown upload', async () => {
    const { engine } = rig()
    const [, { id }] = await started()
    expect(await codeOf(engine.append(id, appending(0, CONTENT)))).toBe('ERR_UPLOAD_NOT_FOUND')
  })

  test('bytes for a complete upload (T-P13)', async () => {
    const [one, { id }] = await started()
    const done = await one.engine.append(id, appending(400, CONTENT.subarray(400)))
    for (const chunked of [false, true]) {
      const code = await codeOf(one.engine.append(id, appending(1000, sent(bytes(10), { chunked }))))
      expect(code).toBe('ERR_UPLOAD_SIZE_EXCEEDED')
    }
    expect(await recorded(one, id)).toEqual(done)
    expect(await contentOf(one, done)).toEqual(CONTENT)
  })

  test('the body of a refused append is not read, and no 100 Continue is sent', async () => {
    const [one, { id }] = await started()
    const push = new PushBody(600)
    let continued = false
    const request = appending(0, push, { onAccepted: () => (continued = true) })
    await codeOf(one.engine.append(id, request))
    expect([push.consumed, continued]).toEqual([false, false])
  })
})

test('a body for a complete upload that never ends holds nobody up', async () => {
  const [one, { id }] = await started(400)
  const body = new PushBody()
  const code = codeOf(one.engine.append(id, appending(400, body)))
  await quiet()
  const cancelled = one.engine.cancel(id)
  await one.clock.advance(100)
  await cancelled
  expect(await code).toBe('ERR_UPLOAD_STOPPED')
  const [two, other] = await started(400)
  const late = codeOf(two.engine.append(other.id, appending(400, new PushBody())))
  await quiet()
  await two.clock.advance(31_000)
  expect(await late).toBe('ERR_READ_TIMEOUT')
})

describe('checksums that fit', () => {
  const rest = CONTENT.subarray(400)
  test.each<[string, Partial<AppendRequest>, boolean]>([
    ['in the header (T-K1)', { checksum: sha1(rest) }, false],
    ['in the trailer (T-KT2)', { trailerChecksum: () => sha1(rest) }, true],
    ['in both', { checksum: sha1(rest), trailerChecksum: () => sha1(rest) }, true],
  ])('%s', async (_, promise, chunked) => {
    const [one, { id }] = await started()
    const done = await one.engine.append(id, appending(400, sent(rest, { chunked }), promise))
    expect(done.status).toBe('complete')
    expect(await contentOf(one, done)).toEqual(CONTENT)
  })

  test('of an empty body (T-K11)', async () => {
    const [one, { id }] = await started()
    const nothing = new Uint8Array(0)
    const request = appending(400, nothing, { checksum: sha1(nothing) })
    expect(await codeOf(one.engine.append(id, request))).toBe('none')
  })

  test('unverified bytes are seen by nobody, however long it takes (T-K6)', async () => {
    const content = bytes(20 * 1024 * 1024)
    const one = rig()
    const { id } = await one.engine.create(creation({ length: content.length }))
    const body = new PushBody()
    const done = one.engine.append(id, appending(0, body, { checksum: sha1(content) }))
    await quiet()
    for (let at = 0; at < content.length; at += 1024 * 1024) {
      body.push(content.subarray(at, at + 1024 * 1024))
      await one.clock.advance(1000)
      expect((await one.engine.look(id)).offset).toBe(0)
    }
    body.end()
    expect((await done).offset).toBe(content.length)
  })
})

describe('a length that is declared late', () => {
  test('with bytes (T-L3), without any, or again the same (T-L7)', async () => {
    for (const size of [100, 0]) {
      const [one, { id }] = await started('later')
      const first = await one.engine.append(
        id,
        appending(400, CONTENT.subarray(400, 400 + size), { length: 1000 }),
      )
      expect(first).toMatchObject({ length: 1000, offset: 400 + size, status: 'receiving' })
      const rest = appending(400 + size, CONTENT.subarray(400 + size), { length: 1000 })
      expect(await one.engine.append(id, rest)).toMatchObject({ status: 'complete' })
    }
  })

  test('that is what is there already completes the upload', async () => {
    const [one, { id }] = await started('later')
    const done = await one.engine.append(id, appending(400, new Uint8Array(0), { length: 400 }))
    expect(done).toMatchObject({ status: 'complete', length: 400 })
  })

  test.each([
    ['less than what is there (T-L5)', 399, 0, 'ERR_INVALID_UPLOAD_LENGTH'],
    ['less than with this body', 450, 100, 'ERR_UPLOAD_SIZE_EXCEEDED'],
    ['more than the server takes (T-L6)', 2001, 100, 'ERR_MAX_SIZE_EXCEEDED'],
  ] as const)('%s is refused and does not count', async (_, length, size, code) => {
    const [one, record] = await started('later', rig({ limits: { maxSizeBytes: 2000 } }))
    const request = appending(400, CONTENT.subarray(400, 400 + size), { length })
    expect(await codeOf(one.engine.append(record.id, request))).toBe(code)
    expect(await recorded(one, record.id)).toEqual(record)
  })

  test.each<[string, Partial<AppendRequest>, number]>([
    ['at a wrong offset', {}, 0],
    ['under a wrong checksum', { checksum: sha1(bytes(1)) }, 400],
  ])('in an append that fails %s does not count (T-L8)', async (_, more, offset) => {
    const [one, record] = await started('later')
    const request = appending(offset, CONTENT.subarray(400), { ...more, length: 1000 })
    expect(await codeOf(one.engine.append(record.id, request))).not.toBe('none')
    expect((await recorded(one, record.id)).length).toBeUndefined()
  })

  test('while it is open no more is stored than the server takes (T-L6)', async () => {
    const [one, { id }] = await started('later', rig({ limits: { maxSizeBytes: 500 } }))
    expect(await codeOf(one.engine.append(id, appending(400, bytes(101))))).toBe('ERR_MAX_SIZE_EXCEEDED')
    const chunked = sent(CONTENT.subarray(400), { chunked: true })
    expect(await codeOf(one.engine.append(id, appending(400, chunked)))).toBe('ERR_MAX_SIZE_EXCEEDED')
    const record = await recorded(one, id)
    expect(record).toMatchObject({ offset: 500, status: 'receiving', length: undefined })
    expect(await contentOf(one, record)).toEqual(CONTENT.subarray(0, 500))
  })
})

test('a chunked body past the length fills the upload up, and no byte more (T-P9)', async () => {
  const [one, { id }] = await started()
  const body = sent(bytes(5000), { chunked: true, chunkBytes: 7 })
  expect(await codeOf(one.engine.append(id, appending(400, body)))).toBe('ERR_UPLOAD_SIZE_EXCEEDED')
  const record = await recorded(one, id)
  expect(record).toMatchObject({ offset: 1000, status: 'complete' })
  const expected = new Uint8Array([...CONTENT.subarray(0, 400), ...bytes(5000).subarray(0, 600)])
  expect(await contentOf(one, record)).toEqual(expected)
})

describe('a body that does not come to its end', () => {
  test.each([1, 599])('cut after %d bytes: they are kept (T-P11)', async (cutAfter) => {
    const [one, { id }] = await started()
    const body = sent(CONTENT.subarray(400), { cutAfter })
    await expect(one.engine.append(id, appending(400, body))).rejects.toMatchObject({
      code: 'ERR_UPLOAD_INTERRUPTED',
      details: { offset: 400 + cutAfter },
    })
    const record = await recorded(one, id)
    expect(record).toMatchObject({ offset: 400 + cutAfter, status: 'receiving' })
    expect(await contentOf(one, record)).toEqual(CONTENT.subarray(0, 400 + cutAfter))
  })

  test('stalled: what came is kept (T-P12)', async () => {
    const [one, { id }] = await started()
    const body = new PushBody(600)
    const code = codeOf(one.engine.append(id, appending(400, body)))
    await quiet()
    body.push(CONTENT.subarray(400, 500))
    await one.clock.advance(31_000)
    expect(await code).toBe('ERR_READ_TIMEOUT')
    expect(await recorded(one, id)).toMatchObject({ offset: 500 })
  })

  test('what a long request has brought is recorded on the way', async () => {
    const content = bytes(40 * 1024 * 1024)
    const one = rig()
    const { id } = await one.engine.create(creation({ length: content.length }))
    const body = new PushBody()
    const done = one.engine.append(id, appending(0, body))
    await quiet()
    const seen: number[] = []
    for (let at = 0; at < content.length; at += 4 * 1024 * 1024) {
      body.push(content.subarray(at, at + 4 * 1024 * 1024))
      await quiet()
      seen.push((await one.engine.look(id)).offset / 1024 / 1024)
    }
    expect(seen).toEqual([0, 0, 0, 16, 16, 16, 16, 32, 32, 32])
    body.end()
    expect(same(await contentOf(one, await done), content)).toBe(true)
  })
})

describe('completion is its own fact', () => {
  test('never: offset = length and still receiving', async () => {
    const [one, { id }] = await started()
    const full = await one.engine.append(id, appending(400, CONTENT.subarray(400), { completes: 'never' }))
    expect(full).toMatchObject({ status: 'receiving', offset: 1000, length: 1000, finishedAtMs: undefined })
    expect((await one.engine.retrieve(id)).status).toBe('receiving')
  })

  test('at the end of the request, whatever the length was thought to be', async () => {
    const [one, { id }] = await started('later')
    const done = await one.engine.append(
      id,
      appending(400, CONTENT.subarray(400, 500), { completes: 'at-end' }),
    )
    expect(done).toMatchObject({ status: 'complete', offset: 500, length: 500 })
  })

  test('a cut body does not end an upload that ends with its request, even if the bytes fit', async () => {
    const [one, { id }] = await started()
    const body = sent(CONTENT.subarray(400), { cutAfter: 600 })
    expect(await codeOf(one.engine.append(id, appending(400, body, { completes: 'at-end' })))).toBe(
      'ERR_UPLOAD_INTERRUPTED',
    )
    expect(await recorded(one, id)).toMatchObject({ status: 'receiving', offset: 1000 })
  })

  test('in tus the last byte ends an upload, also when the request breaks off right behind it', async () => {
    const [one, { id }] = await started()
    const body = sent(CONTENT.subarray(400), { cutAfter: 600, chunked: true })
    expect(await codeOf(one.engine.append(id, appending(400, body)))).toBe('ERR_UPLOAD_INTERRUPTED')
    expect(await recorded(one, id)).toMatchObject({ status: 'complete', offset: 1000 })
  })

  test('no crash leaves a tus upload that has all its bytes and is not complete', async () => {
    const length = 16 * 1024 * 1024
    const one = rig()
    const { id } = await one.engine.create(creation({ length }))
    const body = new PushBody()
    void one.engine.append(id, appending(0, body))
    await quiet()
    body.push(bytes(length))
    await one.clock.advance(10_000)
    // The end of the body has not come: what is recorded here is what a crash would leave.
    const record = await recorded(one, id)
    expect(record.offset === length).toBe(record.status === 'complete')
  })
})
