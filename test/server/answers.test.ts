import { describe, expect, test } from 'vitest'
import { ERRORS, UploadError } from '../../src/core/errors.ts'
import type { ErrorCode } from '../../src/core/errors.ts'
import { bytes } from '../support/bytes.ts'
import { FakeClock, quiet } from '../support/fake-clock.ts'
import { serve } from '../support/exchange.ts'
import { withFaults } from '../support/faults.ts'
import { PushBody, sent } from '../support/push-body.ts'
import { rig } from '../support/rig.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'

const OCTETS = { 'content-type': 'application/offset+octet-stream' }
const CONTENT = bytes(10)

describe('every answer but that to OPTIONS has Tus-Resumable (T-V1)', () => {
  test.each<[string, string, string, Record<string, string>, number]>([
    ['another version (T-V2)', 'POST', '/files/', { 'tus-resumable': '0.2.2', 'upload-length': '1' }, 412],
    ['two versions', 'POST', '/files/', { 'tus-resumable': '1.0.0, 1.0.0', 'upload-length': '1' }, 412],
    ['no length (T-C2)', 'POST', '/files/', {}, 400],
    ['1e2 as a length (T-C4)', 'POST', '/files/', { 'upload-length': '1e2' }, 400],
    ['two lengths', 'POST', '/files/', { 'upload-length': '5, 5' }, 400],
    [
      'both kinds of length (T-C3)',
      'POST',
      '/files/',
      { 'upload-length': '1', 'upload-defer-length': '1' },
      400,
    ],
    ['defer 2 (T-L2)', 'POST', '/files/', { 'upload-defer-length': '2' }, 400],
    ['too large (T-C5)', 'POST', '/files/', { 'upload-length': '1001' }, 413],
    ['bad metadata', 'POST', '/files/', { 'upload-length': '1', 'upload-metadata': 'a !' }, 400],
    ['bad concat', 'POST', '/files/', { 'upload-concat': 'Partial', 'upload-length': '1' }, 400],
    ['unknown upload (T-H6)', 'HEAD', `/files/${'x'.repeat(28)}`, {}, 404],
    ['no upload', 'DELETE', '/files/%2e%2e%2f', {}, 404],
    ['a method that is not there (T-P16)', 'PATCH', '/files/', {}, 405],
    ['POST to an upload', 'POST', `/files/${'x'.repeat(28)}`, { 'upload-length': '1' }, 405],
    ['an unknown override (T-X4)', 'POST', '/files/', { 'x-http-method-override': 'BREW' }, 405],
  ])('%s', async (_, method, target, headers, status) => {
    const server = serve({ rig: rig({ limits: { maxSizeBytes: 1000 } }) })
    const answer = await server.tus(method, target, { headers })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('tus-resumable')).toBe('1.0.0')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.has('upload-offset')).toBe(false)
    expect(answer.headers.get('tus-version')).toBe(status === 412 ? '1.0.0' : undefined)
    expect(answer.headers.has('allow')).toBe(status === 405)
    expect(answer.text).toMatch(/^ERR_[A-Z_]+: [\x20-\x7e]+\n$/)
    expect(answer.headers.get('content-length')).toBe(String(answer.body.length))
    expect(await server.catalog.list({ limit: 1 })).toEqual([])
  })

  test('also what goes well, downloads among it', async () => {
    const server = serve()
    const upload = await server.create({ 'upload-length': '10', ...OCTETS }, CONTENT)
    const answers = [
      await server.tus('POST', '/files/', { headers: { 'upload-length': '5' } }),
      await server.tus('HEAD', upload),
      await server.ask('HEAD', upload),
      await server.ask('GET', upload),
      await server.ask('GET', upload, { headers: { range: 'bytes=0-1' } }),
      await server.ask('GET', upload, { headers: { range: 'bytes=99-' } }),
      await server.ask('GET', upload, { headers: { 'if-none-match': '*' } }),
      await server.ask('GET', upload, { headers: { 'if-match': '"x"' } }),
      await server.tus('PATCH', upload, { headers: { ...OCTETS, 'upload-offset': '10' } }),
      await server.tus('DELETE', upload),
      await server.tus('HEAD', upload),
    ]
    expect(answers.map(({ status }) => status)).toEqual([
      201, 200, 200, 200, 206, 416, 304, 412, 204, 204, 410,
    ])
    for (const { headers, status } of answers)
      expect(headers.get('tus-resumable'), String(status)).toBe('1.0.0')
  })
})

test('a 204 and an answer to HEAD carry no length of content they do not have (T-H9)', async () => {
  const server = serve()
  const upload = await server.create({ 'upload-length': '10', ...OCTETS }, CONTENT)
  expect((await server.tus('HEAD', upload)).headers.has('content-length')).toBe(false)
  const patched = await server.tus('PATCH', upload, { headers: { ...OCTETS, 'upload-offset': '10' } })
  expect([patched.status, patched.headers.has('content-length')]).toEqual([204, false])
})

describe('a failure inside', () => {
  const secret = 'EACCES: permission denied, open /srv/secret/file'

  test.each<[string, Error]>([
    ['of any kind', new Error(secret)],
    ['that a store wraps', new UploadError('ERR_STORE_UNAVAILABLE', {}, { cause: new Error(secret) })],
    ['that carries its words along', new UploadError('ERR_INTERNAL_SERVER_ERROR', { reason: secret })],
  ])('%s: the client learns nothing of it, the operator everything', async (_, error) => {
    const real = rig()
    const broken = rig({
      ...real,
      catalog: withFaults(real.catalog, { insert: () => Promise.reject(error) }),
    })
    const server = serve({ rig: broken })
    const answer = await server.tus('POST', '/files/', { headers: { 'upload-length': '5' } })
    expect(answer.status).toBeGreaterThanOrEqual(500)
    expect(answer.text).not.toContain('secret')
    for (const value of answer.headers.values()) expect(value).not.toContain('secret')
    expect(server.failures).toEqual([error])
  })

  test('what the client did is not reported', async () => {
    const server = serve()
    await server.tus('POST', '/files/')
    expect(server.failures).toEqual([])
  })
})

test.each(Object.keys(ERRORS) as ErrorCode[])('%s has an answer', async (code) => {
  const real = rig()
  const server = serve({
    engine: withFaults(real.engine, {
      retrieve: () =>
        Promise.reject(new UploadError(code, { offset: 7, retryAfterSeconds: 3, expiresAtMs: 0 })),
    }),
  })
  const outcome = await server.handle('HEAD', `/files/${'x'.repeat(28)}`)
  if (code === 'ERR_UPLOAD_INTERRUPTED' || code === 'ERR_UPLOAD_STOPPED') {
    // There is nobody to answer, or it is the older one of two requests of the same client.
    expect(outcome).toBe('terminated')
    return
  }
  expect(outcome).toMatchObject({
    status: ERRORS[code].status,
    headers: {
      'Tus-Resumable': '1.0.0',
      'Upload-Offset': '7',
      'Retry-After': '3',
      'Upload-Expires': 'Thu, 01 Jan 1970 00:00:00 GMT',
    },
    body: `${code}: ${ERRORS[code].message}\n`,
  })
})

describe('requests that end badly', () => {
  test('a wrong checksum is 460, with its phrase (T-K2)', async () => {
    const server = serve()
    const upload = await server.create({ 'upload-length': '10' })
    const answer = await server.tus('PATCH', upload, {
      headers: { ...OCTETS, 'upload-offset': '0', 'upload-checksum': 'sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=' },
      body: CONTENT,
    })
    expect([answer.status, answer.reply.statusText]).toEqual([460, 'Checksum Mismatch'])
    expect((await server.tus('HEAD', upload)).headers.get('upload-offset')).toBe('0')
  })

  test('a body that breaks off has nobody to answer, a slow one gets 408', async () => {
    const server = serve()
    const upload = await server.create({ 'upload-length': '10' })
    const headers = { 'tus-resumable': '1.0.0', ...OCTETS, 'upload-offset': '0' }
    expect(await server.handle('PATCH', upload, { headers, body: sent(CONTENT, { cutAfter: 4 }) })).toBe(
      'terminated',
    )
    const slow = server.tus('PATCH', upload, {
      headers: { ...OCTETS, 'upload-offset': '4' },
      body: new PushBody(6),
    })
    await server.clock.advance(31_000)
    expect((await slow).status).toBe(408)
  })

  test('nothing comes in while the server closes: 503 and a time to come back', async () => {
    const server = serve()
    const upload = await server.create({ 'upload-length': '10' })
    const body = new PushBody(10)
    const running = server.tus('PATCH', upload, { headers: { ...OCTETS, 'upload-offset': '0' }, body })
    await quiet()
    body.push(CONTENT.subarray(0, 4))
    void server.engine.close(1000)
    for (const answer of [await running, await server.tus('HEAD', upload)]) {
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
    }
    expect((await server.ask('OPTIONS', '/files/')).status).toBe(204)
    expect(server.failures).toEqual([])
  })

  test('an upload that another request holds: 423 and Retry-After', async () => {
    const real = rig()
    const server = serve({
      engine: withFaults(real.engine, {
        append: () => Promise.reject(new UploadError('ERR_UPLOAD_LOCKED', { retryAfterSeconds: 1 })),
      }),
    })
    const answer = await server.tus('PATCH', `/files/${'x'.repeat(28)}`, {
      headers: { ...OCTETS, 'upload-offset': '0' },
    })
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([423, '1'])
  })
})

test('100 Continue comes only when everything is in order', async () => {
  const server = serve()
  const upload = await server.create({ 'upload-length': '10' })
  const expecting = { ...OCTETS, expect: '100-continue' }
  const wrong = await server.tus('PATCH', upload, {
    headers: { ...expecting, 'upload-offset': '5' },
    body: CONTENT,
  })
  expect([wrong.status, wrong.continued]).toEqual([409, 0])
  expect(wrong.headers.get('upload-offset')).toBe('0')
  const right = await server.tus('PATCH', upload, {
    headers: { ...expecting, 'upload-offset': '0' },
    body: CONTENT,
  })
  expect([right.status, right.continued]).toEqual([204, 1])
})

test('an upload larger than the free space is refused without a word to the log', async () => {
  const clock = new FakeClock()
  const server = serve({ rig: rig({ clock, store: memoryStore({ clock, maxBytes: 100 }) }) })
  const answer = await server.tus('POST', '/files/', { headers: { 'upload-length': '101' } })
  expect(answer.status).toBe(507)
  expect(server.failures).toEqual([])
})
