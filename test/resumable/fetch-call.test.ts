import { expect, test } from 'vitest'
import { Content } from '../../src/node/resumable/content.ts'
import { fetchCall } from '../../src/node/resumable/fetch-call.ts'
import { resumedUpload } from '../../src/node/resumable/index.ts'
import { within } from '../e2e/support/until.ts'
import { failureOf, ordinary } from './support/ordinary.ts'

const MIB = 1024 * 1024

test('the handler meets a Request with the facts of the upload', async () => {
  const { request } = ordinary(100_000)
  const answer = await fetchCall(async (met) => {
    expect(met).toBeInstanceOf(Request)
    expect([met.method, met.url]).toEqual(['POST', 'https://photos.example/photos?album=3'])
    expect(Object.fromEntries(met.headers)).toEqual({
      host: 'photos.example',
      'content-type': 'image/png',
      'content-length': '100000',
    })
    expect(resumedUpload(met)).toBe(request.upload)
    expect((await met.arrayBuffer()).byteLength).toBe(100_000)
    return Response.json({ ok: true }, { status: 201, headers: { 'X-Some': 'field' } })
  })(request)
  expect(answer).toMatchObject({ status: 201, headers: { 'x-some': 'field' } })
  expect(Buffer.from(answer.body as Uint8Array).toString()).toBe('{"ok":true}')
})

test.each([
  ['a..b:c', 'https://localhost/photos?album=3'],
  [undefined, 'https://localhost/photos?album=3'],
  ['photos.example:8443', 'https://photos.example:8443/photos?album=3'],
])('Host %s', async (host, url) => {
  const { request } = ordinary(0, { host })
  const answer = await fetchCall((met) => new Response(met.url))(request)
  expect(Buffer.from(answer.body as Uint8Array).toString()).toBe(url)
})

test('nothing is read before the handler reads, and nothing is kept open', async () => {
  const { request, readBytes, isGivenBack } = ordinary(200 * MIB)
  await fetchCall(() => new Response('no, thanks'))(request)
  expect(readBytes()).toBe(0)
  const second = ordinary(200 * MIB)
  await fetchCall(async (met) => {
    await met.body?.getReader().read()
    return new Response('enough', { status: 400 })
  })(second.request)
  expect(second.readBytes()).toBeLessThan(MIB)
  expect([isGivenBack(), second.isGivenBack()]).toEqual([false, true])
})

test('a handler that answers first and reads on gets all of it', async () => {
  const { request } = ordinary(20 * MIB)
  let reading: Promise<number> | undefined
  let isRead = false
  await fetchCall((met) => {
    reading = met.arrayBuffer().then(({ byteLength }) => byteLength)
    void reading.then(() => (isRead = true))
    return new Response('later')
  })(request)
  expect([await reading, isRead]).toEqual([20 * MIB, true])
})

test('a handler that stops reading holds nobody up for ever', async () => {
  const content = new Content(async function* read() {
    for (;;) yield Buffer.alloc(1000)
  })
  await content.next()
  expect(content.isBeingRead).toBe(true)
  await within('the stall is seen', content.untilOver(50))
  await content.end()
  expect([content.isBeingRead, await content.next()]).toEqual([false, undefined])
})

test('readers with memory of their own work', async () => {
  const { request } = ordinary(100_000)
  const answer = await fetchCall(async (met) => {
    const reader = (met.body as ReadableStream<Uint8Array<ArrayBuffer>>).getReader({ mode: 'byob' })
    let bytes = 0
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(7000))
      if (done) return new Response(String(bytes))
      bytes += value.byteLength
    }
  })(request)
  expect(Buffer.from(answer.body as Uint8Array).toString()).toBe('100000')
})

test('an empty upload has no body, as with a plain request', async () => {
  const { request } = ordinary(0)
  const answer = await fetchCall((met) => new Response(met.body === null ? 'none' : 'some'))(request)
  expect(Buffer.from(answer.body as Uint8Array).toString()).toBe('none')
})

test.each([
  [MIB, MIB],
  [MIB + 1, 'too-large'],
])('an answer of %d bytes', async (bytes, kept) => {
  const { body } = await fetchCall(() => new Response(new Uint8Array(bytes)))(ordinary(0).request)
  expect(body === 'too-large' ? body : body.byteLength).toBe(kept)
})

test('an answer without an end is given up', async () => {
  let isGivenUp = false
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(100_000)),
    cancel: () => void (isGivenUp = true),
  })
  const { body } = await fetchCall(() => new Response(endless))(ordinary(0).request)
  expect([body, isGivenUp]).toEqual(['too-large', true])
})

test('content that cannot be read fails the attempt, whatever the handler makes of it', async () => {
  const lost = new Error('the disk is gone')
  const content = new Content(() => ({
    [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(lost) }),
  }))
  const handler = async (met: Request): Promise<Response> => {
    await met.text().catch(() => undefined)
    return new Response('all is well')
  }
  expect(await failureOf(fetchCall(handler)(ordinary(1000, { content }).request))).toBe(lost)
})

test.each([
  ['throws', () => Promise.reject(new Error('it failed')), /^it failed$/],
  ['returns nothing', () => undefined as unknown as Response, /did not return a Response/],
  ['returns something else', () => ({ ok: true }) as unknown as Response, /did not return a Response/],
  [
    'breaks its answer off',
    () => new Response(new ReadableStream({ pull: () => Promise.reject(new Error('cut')) })),
    /^cut$/,
  ],
])('a handler that %s fails', async (_name, handler: () => Response | Promise<Response>, message) => {
  const failure = await failureOf(fetchCall(handler)(ordinary(1000).request))
  expect((failure as Error).message).toMatch(message)
})
