import { expect, test } from 'vitest'
import { until } from '../e2e/support/until.ts'
import { bytes } from '../support/bytes.ts'
import { chaosProxy } from '../client/support/chaos-proxy.ts'
import { afterTest } from '../e2e/support/after-test.ts'
import { handler } from './support/handler.ts'
import type { Answer, Met } from './support/handling.ts'
import { report } from './support/handling.ts'
import { tusJsUpload } from './support/tus-js.ts'

const content = Buffer.from(bytes(100_000))

test('a client that asks while the handler is at work hears when it is done', async () => {
  let end: ((answer: Answer) => void) | undefined
  const server = await handler(() => new Promise((resolve) => (end = resolve)))
  const { client, url } = server
  const upload = await client.create(url, content.length)
  const answer = client.patch(upload, 0, content)
  await until('the handler is at work', () => end)
  let isHeard = false
  const head = client.head(upload).then((heard) => {
    isHeard = true
    return heard
  })
  // It waits behind the attempt.
  await client.ask({ method: 'OPTIONS', url: upload })
  expect(isHeard).toBe(false)
  end?.({ status: 201, headers: { 'x-photo': '17' } })
  expect((await answer).status).toBe(201)
  const { status, headers } = await head
  expect([status, headers['upload-offset'], headers['x-photo']]).toEqual([200, '100000', '17'])
})

test('tus-js-client does not call an upload done before the handler has', async () => {
  const answers: ((met: Met) => Answer)[] = [
    () => ({ status: 503 }),
    () => {
      throw new Error('not yet')
    },
    report,
  ]
  const server = await handler((met) => (answers.shift() ?? report)(met))
  const done = await tusJsUpload(content, { endpoint: server.url, retryDelays: [0, 10, 10, 10] })
  expect(server.met.map(({ upload }) => upload?.attempt)).toEqual([1, 2, 3])
  expect(new Set(server.met.map(({ upload }) => upload?.uploadId)).size).toBe(1)
  expect(done.header('x-sha256')).toBe(server.met[0]?.sha256)
})

test('a client that loses a refusal is not told of success', async () => {
  const server = await handler(() => ({ status: 422, headers: { 'x-reason': 'blurred' }, body: 'no photo' }))
  let isLost = false
  const proxy = await chaosProxy({
    target: server.url,
    onRequest: ({ method }) => {
      if (method !== 'PATCH' || isLost) return undefined
      isLost = true
      return { act: 'cut', of: 'server', afterBytes: 0 }
    },
  })
  afterTest(() => proxy.close())
  const refusal = await tusJsUpload(content, {
    endpoint: proxy.through(server.url),
    retryDelays: [0, 10, 10],
  }).catch((error: unknown) => error)
  expect(isLost).toBe(true)
  expect(String(refusal)).toContain('response code: 422, response text: no photo')
})
