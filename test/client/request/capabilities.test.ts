import { expect, test } from 'vitest'
import { discover } from '../../../src/client/capabilities.ts'
import { Requester } from '../../../src/client/requester.ts'
import { quiet } from '../../support/fake-clock.ts'
import { ENDPOINT, failureOf, rig } from './requesting.ts'

test('it reads what the server announces, and does not send Tus-Resumable', async () => {
  const it = rig(
    {},
    { extensions: ['creation', 'checksum'], checksumAlgorithms: ['sha1', 'md5'], maxSizeBytes: 9 },
  )
  expect(await discover(it.requester, ENDPOINT, it.abort.signal)).toEqual({
    extensions: new Set(['creation', 'checksum']),
    versions: ['1.0.0'],
    maxSizeBytes: 9,
    checksumAlgorithms: new Set(['sha1', 'md5']),
  })
  expect(it.transport.requests[0]!.header('Tus-Resumable')).toBeUndefined()
})

test('lists with spaces are read; a maximum of 0, or one that is no number, is none', async () => {
  for (const size of ['0', 'unlimited', '-1']) {
    const it = rig()
    it.transport.script('OPTIONS', {
      headers: { 'Tus-Extension': ' creation ,, checksum', 'Tus-Max-Size': size },
    })
    const found = await discover(it.requester, ENDPOINT, it.abort.signal)
    expect(found).toMatchObject({ extensions: new Set(['creation', 'checksum']), maxSizeBytes: undefined })
  }
})

test('it asks once for ten minutes, whatever the query and whichever upload', async () => {
  const it = rig()
  const other = new Requester(it.platform, {})
  await discover(it.requester, `${ENDPOINT}?a=1`, it.abort.signal)
  await discover(other, ENDPOINT, it.abort.signal)
  expect(it.transport.requests).toHaveLength(1)
  await discover(other, `${ENDPOINT}/b`, it.abort.signal)
  expect(it.transport.requests).toHaveLength(2)
  await it.clock.advance(10 * 60_000)
  await discover(other, ENDPOINT, it.abort.signal)
  expect(it.transport.requests).toHaveLength(3)
})

test('many who ask at once share one request', async () => {
  const it = rig()
  const all = Array.from({ length: 20 }, () => discover(it.requester, ENDPOINT, new AbortController().signal))
  expect(new Set(await Promise.all(all)).size).toBe(1)
  expect(it.transport.requests).toHaveLength(1)
})

test('when the one who asked is aborted, those who wait ask for themselves', async () => {
  const it = rig()
  it.transport.script('OPTIONS', { end: 'hang' })
  const first = failureOf(discover(it.requester, ENDPOINT, it.abort.signal))
  const patient = new AbortController()
  const others = [1, 2, 3].map(() => discover(it.requester, ENDPOINT, patient.signal))
  const leaver = new AbortController()
  const leaving = failureOf(discover(it.requester, ENDPOINT, leaver.signal))
  await quiet()
  leaver.abort('gone')
  expect(await leaving).toBe('gone')
  it.abort.abort('away')
  expect(await first).toBe('away')
  for (const found of await Promise.all(others)) expect(found?.extensions.has('creation')).toBe(true)
  expect(it.transport.requests).toHaveLength(2)
})

test.each([
  [404, ''],
  [405, ''],
  [403, ''],
  [501, ''],
  [200, '<html>'],
])(
  'a server that answers %i does not say: nothing is known, and the next one asks again',
  async (status, text) => {
    const it = rig()
    it.transport.script('OPTIONS', { status, text })
    expect(await discover(it.requester, ENDPOINT, it.abort.signal)).toBeUndefined()
    expect(await discover(it.requester, ENDPOINT, it.abort.signal)).toBeDefined()
  },
)

test.each([408, 425, 429, 500, 502, 503, 504, 507])(
  '%i may pass: it is thrown and not kept',
  async (status) => {
    const it = rig()
    it.transport.script('OPTIONS', { status, headers: { 'Retry-After': '3' } })
    const error = await failureOf(discover(it.requester, ENDPOINT, it.abort.signal))
    expect(error).toMatchObject({ code: 'server', status, retryAfterMs: 3000 })
    expect(await discover(it.requester, ENDPOINT, it.abort.signal)).toBeDefined()
  },
)

test('a broken line is thrown to all who wait, and not kept', async () => {
  const it = rig()
  it.transport.script('OPTIONS', { end: 'drop' })
  const all = [1, 2].map(() => failureOf(discover(it.requester, ENDPOINT, it.abort.signal)))
  for (const error of await Promise.all(all)) expect(error).toMatchObject({ code: 'network' })
  expect(it.transport.requests).toHaveLength(1)
  expect(await discover(it.requester, ENDPOINT, it.abort.signal)).toBeDefined()
})
