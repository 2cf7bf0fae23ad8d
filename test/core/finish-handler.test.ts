import { describe, expect, test } from 'vitest'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import type { FinishContext, Hooks } from '../../src/core/ports/hooks.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { bytes, collected } from '../support/bytes.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { gate } from '../support/faults.ts'
import type { Rig } from '../support/rig.ts'
import { appending, codeOf, creation, lasting, recorded, rig, sink, told } from '../support/rig.ts'

const NOTHING = new Uint8Array(0)

function handled(onFinish: Hooks['onFinish']): Rig {
  return rig({ hooks: { onFinish }, catalog: lasting(memoryCatalog()), sinks: [sink('post-finish')] })
}

/** The process is gone; another one finds its records. */
function restarted(one: Rig, hooks: Hooks): Rig {
  return rig({ ...one, clock: new FakeClock(), hooks })
}

describe('a finish handler', () => {
  test('gets the whole content before the upload counts as complete', async () => {
    const seen: Partial<FinishContext>[] = []
    const one: Rig = handled(async (context) => {
      seen.push(context)
      expect(await collected(context.read())).toEqual(bytes(10))
      expect(await recorded(one, context.upload.id)).toMatchObject({ status: 'finishing', offset: 10 })
      expect(await told(one)).toEqual([])
      return { status: 202, headers: { 'X-Job': '7' }, body: 'thanks' }
    })
    const request = {
      method: 'POST',
      target: '/files/?a=b',
      peerAddress: '127.0.0.1',
      headers: { accept: ['text/html'], cookie: ['secret'], authorization: ['secret'] },
    }
    const { id } = await one.engine.create({ ...creation({ length: 10 }), by: { request, owner: 'ann' } })
    const record = await one.engine.append(id, appending(0, bytes(10)))
    expect(record).toMatchObject({ status: 'complete', chore: undefined })
    expect(record.handling).toEqual({
      attempts: 1,
      answer: { status: 202, headers: { 'x-job': '7' }, body: new TextEncoder().encode('thanks') },
    })
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({
      idempotencyKey: id,
      attempt: 1,
      owner: 'ann',
      creation: { method: 'POST', target: '/files/?a=b', headers: { accept: 'text/html' } },
    })
    expect(JSON.stringify(await recorded(one, id)), 'credentials are never kept').not.toContain('secret')
    expect(await told(one)).toHaveLength(1)
  })

  test('is never called again once its answer is stored', async () => {
    let calls = 0
    const one = handled(() => {
      calls += 1
      return { body: 'once' }
    })
    const { id } = await one.engine.create(creation({ length: 10 }))
    const first = await one.engine.append(id, appending(0, bytes(10)))
    const again = await one.engine.append(id, appending(10, NOTHING))
    expect(again.handling).toEqual(first.handling)
    const after = restarted(one, { onFinish: () => void (calls += 1) })
    await after.engine.recover()
    await after.clock.advance(10_000)
    expect((await after.engine.append(id, appending(10, NOTHING))).handling).toEqual(first.handling)
    expect(calls).toBe(1)
  })

  test('that fails is tried again, by the next request and by itself', async () => {
    const attempts: number[] = []
    const one = handled(({ attempt }) => {
      attempts.push(attempt)
      if (attempt < 4) throw new Error('not yet')
    })
    const { id } = await one.engine.create(creation({ length: 10 }))
    expect(await codeOf(one.engine.append(id, appending(0, bytes(10))))).toBe('ERR_HOOK_FAILED')
    // HEAD tries too, and does not tell of success before there is any.
    expect(await codeOf(one.engine.retrieve(id))).toBe('ERR_UPLOAD_LOCKED')
    expect(await one.engine.look(id)).toMatchObject({ status: 'finishing', offset: 10 })
    expect(await codeOf(one.engine.append(id, appending(10, NOTHING)))).toBe('ERR_HOOK_FAILED')
    expect(attempts).toEqual([1, 2, 3])
    await one.clock.advance(100_000)
    expect(attempts).toEqual([1, 2, 3, 4])
    expect(await recorded(one, id)).toMatchObject({ status: 'complete', handling: { attempts: 4 } })
    expect(await told(one)).toHaveLength(1)
  })

  test('is called again after a crash, with the same key and the next attempt', async () => {
    const hanging = gate()
    const seen: [string, number][] = []
    const one = handled(({ idempotencyKey, attempt }) => {
      seen.push([idempotencyKey, attempt])
      return hanging.passed
    })
    const { id } = await one.engine.create(creation({ length: 10 }))
    void one.engine.append(id, appending(0, bytes(10))).catch(() => undefined)
    await one.clock.advance(0)
    expect(seen).toEqual([[id, 1]])
    const after = restarted(one, {
      onFinish: ({ idempotencyKey, attempt, request }) => {
        seen.push([idempotencyKey, attempt])
        expect(request).toBeUndefined()
        return { body: 'late' }
      },
    })
    await after.engine.recover()
    await after.clock.advance(100)
    expect(seen).toEqual([
      [id, 1],
      [id, 2],
    ])
    const record = await after.engine.append(id, appending(10, NOTHING))
    expect(new TextDecoder().decode(record.handling?.answer?.body)).toBe('late')
    hanging.open()
  })

  test('has one attempt at a time: a client that comes meanwhile is told to come back', async () => {
    const hanging = gate()
    let calls = 0
    const one = handled(() => {
      calls += 1
      return hanging.passed
    })
    const { id } = await one.engine.create(creation({ length: 10 }))
    const first = one.engine.append(id, appending(0, bytes(10)))
    await one.clock.advance(0)
    expect(await one.engine.look(id), 'looking does not wait').toMatchObject({ offset: 10 })
    const asked = codeOf(one.engine.retrieve(id))
    await one.clock.advance(1100)
    expect(await asked).toBe('ERR_UPLOAD_LOCKED')
    const second = codeOf(one.engine.append(id, appending(10, NOTHING)))
    await one.clock.advance(1100)
    expect(await second).toBe('ERR_UPLOAD_LOCKED')
    const removal = codeOf(one.engine.cancel(id))
    await one.clock.advance(1100)
    expect(await removal).toBe('ERR_UPLOAD_LOCKED')
    hanging.open()
    expect(await first).toMatchObject({ status: 'complete' })
    expect(calls).toBe(1)
  })

  test('that fails for a creation with content leaves nothing: its client has no address to ask at', async () => {
    let calls = 0
    const one = handled(() => {
      calls += 1
      throw new Error('no')
    })
    expect(await codeOf(one.engine.create(creation({ length: 10, content: bytes(10) })))).toBe(
      'ERR_HOOK_FAILED',
    )
    await one.clock.advance(60_000)
    expect(calls).toBe(1)
    expect(await one.catalog.list({ status: ['receiving', 'finishing', 'complete'], limit: 1 })).toEqual([])
  })

  test('does not hear of partial uploads, but of the final', async () => {
    const seen: (string | undefined)[] = []
    const one = handled(async ({ upload, read }) => {
      seen.push(upload.concat?.kind)
      expect(await collected(read())).toEqual(bytes(10))
    })
    const part = await one.engine.create(
      creation({ length: 10, content: bytes(10), concat: { kind: 'partial' } }),
    )
    await one.engine.concatenate({
      upload: { dialect: 'tus1', metadata: {}, echo: {} },
      parts: [part.id],
    })
    expect(seen).toEqual(['final'])
  })

  test('is not asked for a path by a store that keeps no files', async () => {
    const one = rig({ store: memoryStore(), hooks: { onFinish: async ({ path }) => void (await path()) } })
    const { id } = await one.engine.create(creation({ length: 1 }))
    expect(await codeOf(one.engine.append(id, appending(0, bytes(1))))).toBe('ERR_HOOK_FAILED')
  })

  test.each([
    ['a status that is none', { status: 99 }],
    ['a header that splits the answer', { headers: { a: 'b\r\nc: d' } }],
    ['more than is kept', { body: new Uint8Array(1024 * 1024 + 1) }],
  ])('cannot answer with %s', async (_, answer) => {
    const one = handled(() => answer)
    const { id } = await one.engine.create(creation({ length: 1 }))
    expect(await codeOf(one.engine.append(id, appending(0, bytes(1))))).toBe('ERR_HOOK_FAILED')
  })
})
