import { describe, expect, test } from 'vitest'
import { change, reject, stop } from '../../src/core/ports/hooks.ts'
import type { Hooks } from '../../src/core/ports/hooks.ts'
import type { RequestContext } from '../../src/server/gate.ts'
import { bytes } from '../support/bytes.ts'
import type { Served } from '../support/exchange.ts'
import { serve } from '../support/exchange.ts'
import { rig } from '../support/rig.ts'

const OCTETS = { 'content-type': 'application/offset+octet-stream' }
const CONTENT = bytes(10)

/** Whoever says so is the owner. */
function byName(): Served {
  return serve({
    onRequest(context) {
      const name = context.header('authorization')
      if (name === undefined) return reject({ status: 401, headers: { 'WWW-Authenticate': 'Bearer' } })
      context.owner = name
      return undefined
    },
  })
}

function withHooks(hooks: Hooks): Served {
  return serve({ rig: rig({ hooks }) })
}

describe('onRequest', () => {
  test('is asked for each method, with the upload and the method that counts', async () => {
    const seen: [string, string | undefined, number | undefined][] = []
    const server = serve({
      onRequest: ({ method, upload, request }: RequestContext) => {
        seen.push([method, request.method, upload?.offset])
      },
    })
    const upload = await server.create({ 'upload-length': '10' })
    await server.tus('PATCH', upload, { headers: { ...OCTETS, 'upload-offset': '0' }, body: CONTENT })
    await server.tus('HEAD', upload)
    await server.ask('GET', upload)
    await server.tus('POST', upload, { headers: { 'x-http-method-override': 'DELETE' } })
    await server.tus('HEAD', upload)
    await server.tus('OPTIONS', '/files/')
    expect(seen).toEqual([
      ['POST', 'POST', undefined],
      ['PATCH', 'PATCH', 0],
      ['HEAD', 'HEAD', 10],
      ['GET', 'GET', 10],
      ['DELETE', 'POST', 10],
      ['HEAD', 'HEAD', undefined],
    ])
  })

  test('refuses in its own words, before anything happens', async () => {
    const server = byName()
    const answer = await server.tus('POST', '/files/', { headers: { 'upload-length': '10' } })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    expect(answer.headers.get('tus-resumable')).toBe('1.0.0')
    expect(await server.catalog.list({ limit: 1 })).toEqual([])
  })

  test("another owner's upload is not there, whatever is asked", async () => {
    const server = byName()
    const ann = { authorization: 'ann' }
    const bob = { authorization: 'bob' }
    const upload = await server.create({ 'upload-length': '10', ...ann })
    for (const [method, headers, body] of [
      ['HEAD', {}, undefined],
      ['GET', {}, undefined],
      ['PATCH', { ...OCTETS, 'upload-offset': '0' }, CONTENT],
      ['DELETE', {}, undefined],
    ] as const) {
      const answer = await server.tus(method, upload, {
        headers: { ...headers, ...bob },
        ...(body === undefined ? {} : { body }),
      })
      const unknown = await server.tus(method, `/files/${'x'.repeat(28)}`, {
        headers: { ...headers, ...bob },
        ...(body === undefined ? {} : { body }),
      })
      expect([method, answer.status, answer.text]).toEqual([method, 404, unknown.text])
    }
    expect((await server.tus('HEAD', upload, { headers: ann })).headers.get('upload-offset')).toBe('0')
  })

  test('that throws is a 500 that says nothing', async () => {
    const server = serve({
      onRequest: () => {
        throw new Error('database password')
      },
    })
    const answer = await server.tus('HEAD', `/files/${'x'.repeat(28)}`)
    expect(answer.status).toBe(500)
    expect(answer.text).not.toContain('password')
    expect(String((server.failures[0] as Error).cause)).toContain('password')
  })
})

describe("the application's words", () => {
  test('for a refusal stand in the place of ours', async () => {
    const server = withHooks({
      onCreate: ({ upload }) =>
        upload.length === 1
          ? reject({ status: 415, code: 'NO_CATS' })
          : reject({
              status: 422,
              body: '{"märchen":true}',
              headers: { 'Content-Type': 'application/json' },
            }),
    })
    const coded = await server.tus('POST', '/files/', { headers: { 'upload-length': '1' } })
    expect([coded.status, coded.text]).toEqual([415, 'NO_CATS: The application rejects this request.\n'])
    const worded = await server.tus('POST', '/files/', { headers: { 'upload-length': '2' } })
    expect([worded.status, worded.text]).toEqual([422, '{"märchen":true}'])
    expect(worded.headers.get('content-type')).toBe('application/json')
    expect(worded.headers.get('content-length')).toBe(String(worded.body.length))
  })

  test('for an upload that it stops', async () => {
    const server = withHooks({ onAppend: () => stop() })
    const upload = await server.create({ 'upload-length': '10' })
    const headers = { ...OCTETS, 'upload-offset': '0' }
    const answer = await server.tus('PATCH', upload, { headers, body: CONTENT })
    expect(answer.status).toBe(400)
    expect(answer.text).toMatch(/^ERR_UPLOAD_STOPPED: /)
    expect((await server.tus('HEAD', upload)).status).toBe(410)
  })

  test('for a creation are added to it', async () => {
    const server = withHooks({
      onCreate: () => change({ answer: { headers: { 'X-Ticket': '7', 'Upload-Offset': '99' }, body: 'hi' } }),
    })
    const answer = await server.tus('POST', '/files/', { headers: { 'upload-length': '10' } })
    expect([answer.status, answer.text]).toEqual([201, 'hi'])
    expect(answer.headers.get('x-ticket')).toBe('7')
    expect(answer.headers.has('location')).toBe(true)
    expect(answer.headers.has('upload-offset')).toBe(false)
  })

  test('HEAD tells the metadata that the application has set', async () => {
    const server = withHooks({
      onCreate: () =>
        change({ metadata: { filename: 'ä', 'no key': 'x' }, serverMetadata: { secret: 'hidden' } }),
    })
    const upload = await server.create({ 'upload-length': '10', 'upload-metadata': 'filename YQ==,a Yg==' })
    const answer = await server.tus('HEAD', upload)
    expect(answer.headers.get('upload-metadata')).toBe('filename w6Q=')
    expect(JSON.stringify([...answer.headers])).not.toContain('hidden')
  })
})

describe("the finish handler's answer", () => {
  const answering = (): Served =>
    withHooks({
      onFinish: () => ({
        status: 202,
        headers: { 'Content-Type': 'application/json', 'X-Job': '7', 'upload-offset': '0' },
        body: '{"job":7}',
      }),
    })

  test('is the answer to the last request, and again to an empty one', async () => {
    const server = answering()
    const upload = await server.create({ 'upload-length': '10' })
    const patch = (offset: number, body: Uint8Array) =>
      server.tus('PATCH', upload, { headers: { ...OCTETS, 'upload-offset': String(offset) }, body })
    expect((await patch(0, CONTENT.subarray(0, 4))).status).toBe(204)
    for (const answer of [await patch(4, CONTENT.subarray(4)), await patch(10, new Uint8Array(0))]) {
      expect([answer.status, answer.text]).toEqual([202, '{"job":7}'])
      expect(answer.headers.get('upload-offset')).toBe('10')
      expect(answer.headers.get('content-type')).toBe('application/json')
      expect(answer.headers.get('content-length')).toBe('9')
      expect(answer.headers.get('tus-resumable')).toBe('1.0.0')
    }
    const head = await server.tus('HEAD', upload)
    expect([head.status, head.headers.get('x-job'), head.headers.get('upload-offset')]).toEqual([
      200,
      '7',
      '10',
    ])
    expect(head.headers.has('content-type')).toBe(false)
    expect((await server.ask('GET', upload)).body).toEqual(CONTENT)
  })

  test('is the answer to a creation that brings everything, with its address', async () => {
    const server = answering()
    const headers = { ...OCTETS, 'upload-length': '10' }
    const answer = await server.tus('POST', '/files/', { headers, body: CONTENT })
    expect([answer.status, answer.text]).toEqual([202, '{"job":7}'])
    expect(answer.headers.has('location')).toBe(true)
  })

  test('that refuses the whole is not success to whoever asks later', async () => {
    const server = withHooks({
      onFinish: () => ({ status: 422, body: 'no photo', headers: { 'x-why': 'blurred' } }),
    })
    const upload = await server.create({ 'upload-length': '10' })
    const headers = { ...OCTETS, 'upload-offset': '0' }
    expect((await server.tus('PATCH', upload, { headers, body: CONTENT })).status).toBe(422)
    const head = await server.tus('HEAD', upload)
    expect([head.status, head.headers.get('x-why')]).toEqual([422, 'blurred'])
  })

  test('cannot put a field twice into an answer, nor move the address of an upload', async () => {
    const server = serve({
      rig: rig({
        hooks: {
          onFinish: () => ({
            headers: {
              location: '/elsewhere',
              'access-control-allow-origin': 'https://else',
              'cache-control': 'public',
            },
          }),
          onCreate: ({ upload }) =>
            upload.length === 1 ? reject({ headers: { 'content-type': 'text/html' } }) : undefined,
        },
      }),
    })
    const origin = { origin: 'https://app.example' }
    const created = await server.tus('POST', '/files/', {
      headers: { ...OCTETS, ...origin, 'upload-length': '10' },
      body: CONTENT,
    })
    const refused = await server.tus('POST', '/files/', { headers: { ...origin, 'upload-length': '1' } })
    for (const { reply } of [created, refused]) {
      const names = Object.keys(reply.headers).map((name) => name.toLowerCase())
      expect(new Set(names).size).toBe(names.length)
    }
    expect(created.headers.get('location')).toMatch(/\/files\//)
    expect(created.headers.get('cache-control')).toBe('public')
    expect(refused.headers.get('content-type')).toBe('text/html')
  })

  test('without words is as usual', async () => {
    const server = withHooks({ onFinish: () => undefined })
    const upload = await server.create({ 'upload-length': '10' })
    const headers = { ...OCTETS, 'upload-offset': '0' }
    expect((await server.tus('PATCH', upload, { headers, body: CONTENT })).status).toBe(204)
  })
})

test('metadata is taken up to 4 KiB, or what is set', async () => {
  const metadata = (size: number): string => `a ${btoa('x'.repeat(size))}`
  const create = (server: Served, size: number) =>
    server.tus('POST', '/files/', {
      headers: { 'upload-length': '1', 'upload-metadata': metadata(size) },
    })
  expect((await create(serve(), 3000)).status).toBe(201)
  expect((await create(serve(), 3100)).status).toBe(400)
  expect((await create(serve({ maxMetadataBytes: 10_000 }), 3100)).status).toBe(201)
})
