import { expect, test } from 'vitest'
import type { TransferError } from '../../../src/client/errors.ts'
import type { Script } from '../scripted-transport.ts'
import { UPLOAD, patch, rig } from './requesting.ts'

const TUS = { 'Tus-Resumable': '1.0.0' }

async function refused(script: Script): Promise<TransferError> {
  const it = rig()
  it.transport.script('PATCH', script)
  const call = patch(it)
  return it.requester.refusal(call, await it.requester.send(call), 'cannot append')
}

test('it says what could not be done, which request it was and what the server said', async () => {
  const text = 'ERR_X:\u0007 too\u202E  late\r\n\u001B[31m'
  const error = await refused({ status: 403, headers: { ...TUS, 'X-Request-ID': 'abc' }, text })
  expect(error).toMatchObject({
    code: 'server',
    status: 403,
    method: 'PATCH',
    url: UPLOAD,
    requestId: 'abc',
    body: 'ERR_X: too late [31m',
    message: `cannot append: PATCH ${UPLOAD} answered 403: ERR_X: too late [31m`,
  })
})

test('a 2xx that makes no sense is a fault of the protocol', async () => {
  expect(await refused({ headers: { 'Upload-Offset': undefined } })).toMatchObject({
    code: 'protocol',
    status: 204,
    hint: undefined,
  })
})

test('a web page never lands in an error as a whole', async () => {
  const page = `<!doctype html><title>Welcome</title>${'<p>hello</p>'.repeat(5000)}`
  for (const headers of [{ 'Content-Type': 'text/html; charset=utf-8' }, {}]) {
    const error = await refused({ status: 400, headers, text: page })
    expect(error.message).toBe(`cannot append: PATCH ${UPLOAD} answered 400`)
    expect(error.body).toBe(page.slice(0, 200))
    expect(error.hint).toContain('no tus server')
  }
})

test('a character is not cut in two', async () => {
  const { body } = await refused({ status: 400, text: `${'x'.repeat(199)}\u{1F600}` })
  expect(body).toBe('x'.repeat(199))
})

test.each([
  [401, TUS, 'credentials'],
  [403, TUS, 'credentials'],
  [404, {}, 'address'],
  [410, TUS, 'address'],
  [413, TUS, 'smaller chunks'],
  [423, TUS, 'Another client'],
  [429, {}, 'fewer'],
  [503, {}, 'trouble'],
  [302, {}, 'redirect'],
  [415, {}, 'no tus server'],
  [405, {}, 'no tus server'],
  [200, {}, 'no tus server'],
  [412, { 'Tus-Version': '0.2.2' }, 'tus 0.2.2'],
])('the hint for %i', async (status, headers, hint) => {
  expect((await refused({ status, headers })).hint).toContain(hint)
})

test('a tus server that refuses is not called a foreign one', async () => {
  expect((await refused({ status: 415, headers: TUS })).hint).toBeUndefined()
})

test.each([
  ['7', 7000],
  ['0', 0],
  ['999999999', 3_600_000],
  ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
  ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
  ['-1', undefined],
  ['1.5', undefined],
  ['soon', undefined],
])('Retry-After: %s', async (value, expected) => {
  expect((await refused({ status: 503, headers: { 'Retry-After': value } })).retryAfterMs).toBe(expected)
})

test('a date of Retry-After is read by the clock of the server that wrote it', async () => {
  const headers = { 'Retry-After': 'Fri, 01 Jan 2027 00:00:30 GMT', Date: 'Fri, 01 Jan 2027 00:00:10 GMT' }
  expect((await refused({ status: 503, headers })).retryAfterMs).toBe(20_000)
})
