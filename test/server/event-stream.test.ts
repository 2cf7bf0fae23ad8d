import { expect, test } from 'vitest'
import { bytes } from '../support/bytes.ts'
import type { Served } from '../support/exchange.ts'
import { serve } from '../support/exchange.ts'
import { quiet } from '../support/fake-clock.ts'

const TOKEN = 'Bearer secret'

function streaming(): Served {
  return serve({ events: { path: '/events', authorise: ({ header }) => header('authorization') === TOKEN } })
}

/** Reads the stream until it has this many events. */
async function heard(server: Served, count: number, meanwhile: () => Promise<void>): Promise<string[]> {
  const leaving = new AbortController()
  const reply = await server.handle('GET', '/events', {
    headers: { authorization: TOKEN },
    signal: leaving.signal,
  })
  if (typeof reply === 'string' || typeof reply.body !== 'object') throw new Error('no stream')
  expect(reply.headers['Content-Type']).toBe('text/event-stream; charset=utf-8')
  const events: string[] = []
  const reading = (async () => {
    for await (const chunk of reply.body as AsyncIterable<Uint8Array>) {
      const texts = new TextDecoder().decode(chunk).split('\n\n')
      events.push(...texts.filter((text) => text.startsWith('event: ')))
      if (events.length >= count) break
    }
  })()
  await quiet()
  await meanwhile()
  await reading
  return events
}

test('tells what happens to uploads, to whoever may hear it', async () => {
  const server = streaming()
  const events = await heard(server, 4, async () => {
    const upload = await server.create({ 'upload-length': '10', 'upload-metadata': 'filename CgoK' })
    const headers = { 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' }
    await server.tus('PATCH', upload, { headers, body: bytes(10) })
    await server.tus('DELETE', upload)
  })
  const types = events.map((event) => event.split('\n')[0])
  expect(types).toEqual([
    'event: post-create',
    'event: progress',
    'event: post-finish',
    'event: post-terminate',
  ])
  // A name of newlines starts no event of its own.
  expect(events.every((event) => event.split('\n').length === 2)).toBe(true)
  const finished: unknown = JSON.parse(events[2]?.split('\ndata: ')[1] ?? '')
  expect(finished).toMatchObject({ status: 'complete', offset: 10, metadata: { filename: '\n\n\n' } })
})

test('several listen at once, and one that leaves disturbs nobody', async () => {
  const server = streaming()
  const create = async (): Promise<void> => void (await server.create({ 'upload-length': '10' }))
  const [one, other] = await Promise.all([
    heard(server, 1, create),
    heard(server, 2, () => Promise.resolve().then(create)),
  ])
  expect([one.length, other.length]).toEqual([1, 2])
})

test('ends when its client goes', async () => {
  const server = streaming()
  const leaving = new AbortController()
  const headers = { authorization: TOKEN }
  const reply = await server.handle('GET', '/events', { headers, signal: leaving.signal })
  if (typeof reply === 'string' || typeof reply.body !== 'object') throw new Error('no stream')
  const iterator = reply.body[Symbol.asyncIterator]()
  await iterator.next()
  const last = iterator.next()
  await quiet()
  leaving.abort()
  expect(await last).toEqual({ done: true, value: undefined })
})

test.each([
  ['nobody in particular', 'GET', {}, 401],
  ['a wrong token', 'GET', { authorization: 'Bearer wrong' }, 401],
  ['another method', 'POST', { authorization: TOKEN }, 405],
])('is refused to %s', async (_, method, headers, status) => {
  expect((await streaming().ask(method, '/events', { headers })).status).toBe(status)
})

test('is not there unless it is asked for', async () => {
  expect(await serve().handle('GET', '/events', {})).toBe('not-ours')
})
