import { describe, expect, test } from 'vitest'
import { UploadError } from '../../src/core/errors.ts'
import type { Happening, HookContext, Hooks } from '../../src/core/ports/hooks.ts'
import { change, reject, stop } from '../../src/core/ports/hooks.ts'
import { bytes } from '../support/bytes.ts'
import { quiet } from '../support/fake-clock.ts'
import { gate } from '../support/faults.ts'
import { PushBody } from '../support/push-body.ts'
import type { Rig } from '../support/rig.ts'
import { appending, codeOf, contentOf, creation, recorded, rig } from '../support/rig.ts'

const OTHER_ID = 'an-id-of-the-application-1'
const ANYBODY = { method: 'POST', target: '/files/', peerAddress: undefined, headers: {} }

function hooked(hooks: Hooks): Rig {
  return rig({ hooks })
}

async function errorOf(operation: Promise<unknown>): Promise<UploadError> {
  const error = await operation.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof UploadError) return error
  throw new Error(`no UploadError: ${String(error)}`)
}

describe('onCreate', () => {
  test('hears of the upload as it would be, before anything is stored', async () => {
    const seen: HookContext[] = []
    const one: Rig = rig({
      hooks: {
        async onCreate(context) {
          seen.push(context)
          expect(await one.catalog.list({ limit: 1 })).toEqual([])
        },
      },
    })
    const request = { ...ANYBODY, headers: { 'x-a': ['1', '2'] } }
    const { id } = await one.engine.create({
      ...creation({ length: 10, metadata: { filename: 'a' } }),
      by: { owner: 'ann', request },
    })
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({ owner: 'ann', request, upload: { id, length: 10, offset: 0 } })
    expect((await recorded(one, id)).owner).toBe('ann')
  })

  test('changes id, metadata, owner, limits and adds what clients never see', async () => {
    const one = hooked({
      onCreate: () =>
        change({
          id: OTHER_ID,
          metadata: { filename: 'b' },
          serverMetadata: { tenant: 7 },
          owner: 'bob',
          limits: { expireAfterMs: 5000 },
        }),
    })
    const echo = { 'upload-metadata': 'filename YQ==', 'upload-concat': 'partial' }
    const record = await one.engine.create(creation({ length: 10, metadata: { filename: 'a' }, echo }))
    expect(record).toMatchObject({
      id: OTHER_ID,
      metadata: { filename: 'b' },
      serverMetadata: { tenant: 7 },
      owner: 'bob',
      echo: { 'upload-concat': 'partial' },
      expiresAtMs: one.clock.nowMs() + 5000,
    })
    expect(record.echo).not.toHaveProperty('upload-metadata')
    await one.engine.append(record.id, appending(0, bytes(10)))
    expect(await contentOf(one, await one.engine.look(record.id))).toEqual(bytes(10))
  })

  test('without changes leaves the echo as it was sent', async () => {
    const one = hooked({ onCreate: () => change({ serverMetadata: { a: 1 } }) })
    const echo = { 'upload-metadata': 'filename YQ==' }
    expect((await one.engine.create(creation({ length: 10, echo }))).echo).toEqual(echo)
  })

  test('rejects: nothing is stored, and its words are the answer', async () => {
    const one = hooked({ onCreate: () => reject({ status: 403, code: 'NOT_YOU', headers: { 'X-A': 'b' } }) })
    const error = await errorOf(one.engine.create(creation({ length: 10, content: bytes(10) })))
    expect(error.code).toBe('ERR_UPLOAD_REJECTED')
    expect(error.details.answer).toMatchObject({ status: 403, code: 'NOT_YOU', headers: { 'x-a': 'b' } })
    expect(await one.catalog.list({ limit: 1 })).toEqual([])
  })

  test('is asked about finals too', async () => {
    const one = hooked({ onCreate: ({ upload }) => (upload.concat?.kind === 'final' ? reject() : undefined) })
    const part = await one.engine.create(
      creation({ length: 5, content: bytes(5), concat: { kind: 'partial' } }),
    )
    const final = one.engine.concatenate({
      upload: { dialect: 'tus1', metadata: {}, echo: {} },
      parts: [part.id],
    })
    expect(await codeOf(final)).toBe('ERR_UPLOAD_REJECTED')
  })

  test.each<[string, Hooks['onCreate']]>([
    ['throws', () => Promise.reject(new Error('secret'))],
    [
      'throws at once',
      () => {
        throw new Error('secret')
      },
    ],
    ['gives an id with a path in it', () => change({ id: '../../../../etc/passwd/aaaaaaaaa' })],
    ['gives a short id', () => change({ id: 'short' })],
    ['gives a header that splits the answer', () => reject({ headers: { 'x-a': 'b\r\nset-cookie: c' } })],
    ['rejects with a status that says all is well', () => reject({ status: 200 })],
  ])('%s: a failure of ours, of which the client learns nothing', async (_, onCreate) => {
    const one = hooked({ onCreate })
    const error = await errorOf(one.engine.create(creation({ length: 10 })))
    expect(error.code).toBe('ERR_HOOK_FAILED')
    expect(error.status).toBe(500)
    expect(error.message).not.toContain('secret')
    expect(error.cause).toBeInstanceOf(Error)
    expect(await one.catalog.list({ limit: 1 })).toEqual([])
  })

  test('an id that is taken harms nobody', async () => {
    const one = hooked({ onCreate: () => change({ id: OTHER_ID }) })
    const first = await one.engine.create(creation({ length: 10, content: bytes(10) }))
    expect(await codeOf(one.engine.create(creation({ length: 5, content: bytes(5) })))).toBe(
      'ERR_UPLOAD_EXISTS',
    )
    expect(await contentOf(one, await one.engine.look(first.id))).toEqual(bytes(10))
  })
})

describe('onAppend', () => {
  test('is asked before a byte is read, for creations with content too', async () => {
    const seen: [number, number | undefined][] = []
    const body = new PushBody(5)
    const one = hooked({
      onAppend: ({ offset, contentLength }) => {
        seen.push([offset, contentLength])
        expect(body.consumed).toBe(false)
      },
    })
    const { id } = await one.engine.create(creation({ length: 15, content: bytes(10) }))
    const appended = one.engine.append(id, appending(10, body))
    await quiet()
    body.push(bytes(5))
    body.end()
    await appended
    expect(seen).toEqual([
      [0, 10],
      [10, 5],
    ])
  })

  test('rejects one request and leaves the upload as it is', async () => {
    let isOpen = false
    const one = hooked({ onAppend: () => (isOpen ? undefined : reject({ status: 402 })) })
    const { id } = await one.engine.create(creation({ length: 10 }))
    expect(await codeOf(one.engine.append(id, appending(0, bytes(10))))).toBe('ERR_UPLOAD_REJECTED')
    expect(await recorded(one, id)).toMatchObject({ offset: 0, status: 'receiving' })
    isOpen = true
    expect(await codeOf(one.engine.append(id, appending(0, bytes(10))))).toBe('none')
  })

  test('stops an upload for good', async () => {
    const one = hooked({ onAppend: () => stop({ body: 'enough' }) })
    const { id } = await one.engine.create(creation({ length: 10 }))
    const error = await errorOf(one.engine.append(id, appending(0, bytes(10))))
    expect(error.details.answer).toMatchObject({ code: 'ERR_UPLOAD_STOPPED', body: 'enough' })
    expect((await recorded(one, id)).status).toBe('cancelled')
  })

  test('that stops a creation leaves nothing', async () => {
    const one = hooked({ onAppend: () => stop() })
    expect(await codeOf(one.engine.create(creation({ length: 10, content: bytes(10) })))).toBe(
      'ERR_UPLOAD_REJECTED',
    )
    expect(await one.catalog.list({ status: ['receiving', 'complete'], limit: 1 })).toEqual([])
  })
})

describe('onProgress', () => {
  test('is told at intervals while bytes come, and can end the upload', async () => {
    const told: number[] = []
    const one = hooked({
      onProgress: ({ receivedBytes }) => {
        told.push(receivedBytes)
        return receivedBytes > 500 ? stop({ status: 422 }) : undefined
      },
    })
    const { id } = await one.engine.create(creation({ length: 1000 }))
    const body = new PushBody(1000)
    const code = errorOf(one.engine.append(id, appending(0, body)))
    await quiet()
    body.push(bytes(300))
    await one.clock.advance(1100)
    await one.clock.advance(1100)
    expect(told).toEqual([300])
    body.push(bytes(300))
    await one.clock.advance(1100)
    const error = await code
    expect(told).toEqual([300, 600])
    expect(error.details.answer).toMatchObject({ status: 422, code: 'ERR_UPLOAD_STOPPED' })
    expect((await recorded(one, id)).status).toBe('cancelled')
  })

  test('one that fails or hangs stops no upload', async () => {
    const hanging = gate()
    let calls = 0
    const one = hooked({
      async onProgress() {
        calls += 1
        if (calls === 1) throw new Error('down')
        await hanging.passed
      },
    })
    const { id } = await one.engine.create(creation({ length: 400 }))
    const body = new PushBody(400)
    const appended = one.engine.append(id, appending(0, body))
    await quiet()
    for (let i = 0; i < 4; i += 1) {
      body.push(bytes(100))
      await one.clock.advance(1100)
    }
    body.end()
    expect(await appended).toMatchObject({ status: 'complete' })
    expect(calls).toBe(2)
    expect(one.reports).toHaveLength(1)
    hanging.open()
  })
})

describe('onTerminate', () => {
  test('keeps an upload from being removed by its client, and from nothing else', async () => {
    const one = rig({ hooks: { onTerminate: () => reject() }, limits: { expireAfterMs: 1000 } })
    const { id } = await one.engine.create(creation({ length: 10 }))
    expect(await codeOf(one.engine.cancel(id))).toBe('ERR_UPLOAD_TERMINATION_REJECTED')
    expect((await recorded(one, id)).status).toBe('receiving')
    await one.clock.advance(1001)
    await one.engine.sweep()
    expect((await recorded(one, id)).status).toBe('expired')
  })
})

describe('listeners in the process', () => {
  test('hear what happens, in order', async () => {
    const one = rig({ limits: { expireAfterMs: 100_000 } })
    const heard: string[] = []
    const end = one.engine.observe((happening: Happening) => heard.push(happening.type))
    const { id } = await one.engine.create(creation({ length: 10 }))
    await one.engine.append(id, appending(0, bytes(10)))
    await one.engine.cancel(id)
    await one.engine.create(creation({ length: 10 }))
    await one.clock.advance(100_001)
    await one.engine.sweep()
    expect(heard).toEqual([
      'post-create',
      'progress',
      'post-finish',
      'post-terminate',
      'post-create',
      'upload-expired',
    ])
    end()
    await one.engine.create(creation({ length: 10 }))
    expect(heard).toHaveLength(6)
  })

  test('one that throws disturbs nobody', async () => {
    const one = rig()
    one.engine.observe(() => {
      throw new Error('mine')
    })
    expect(await codeOf(one.engine.create(creation({ length: 0 })))).toBe('none')
    expect(one.reports).toHaveLength(2)
  })
})
