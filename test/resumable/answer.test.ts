import { expect, test } from 'vitest'
import type { UploadError } from '../../src/core/errors.ts'
import type { AnswerTerms, HandlerAnswer } from '../../src/node/resumable/answer.ts'
import { finishAnswer } from '../../src/node/resumable/answer.ts'

const TERMS: AnswerTerms = { isCreation: false, hasCors: true, report: () => undefined }

function answer(changes: Partial<HandlerAnswer>): HandlerAnswer {
  return { status: 200, headers: {}, body: new Uint8Array(0), ...changes }
}

test('what is stored is the answer, without what belongs to a connection, a moment or a session', () => {
  const headers = {
    'content-type': 'text/plain',
    'content-length': '2',
    'transfer-encoding': 'chunked',
    connection: 'close',
    date: 'today',
    etag: '"1"',
    'set-cookie': 'a=b',
    'access-control-allow-origin': '*',
    location: '/photos/17',
  }
  const body = Buffer.from('ok')
  expect(finishAnswer(answer({ status: 201, headers, body }), TERMS)).toEqual({
    status: 201,
    headers: { 'content-type': 'text/plain', etag: '"1"', location: '/photos/17' },
    body,
  })
  expect(finishAnswer(answer({ headers }), { ...TERMS, hasCors: false }).headers).toMatchObject({
    'access-control-allow-origin': '*',
  })
  expect(finishAnswer(answer({ headers }), { ...TERMS, isCreation: true }).headers).toEqual({
    'content-type': 'text/plain',
    etag: '"1"',
    'content-location': '/photos/17',
  })
  const both = { location: '/a', 'content-location': '/b' }
  expect(finishAnswer(answer({ headers: both }), { ...TERMS, isCreation: true }).headers).toEqual({
    'content-location': '/b',
  })
})

test.each([500, 503, 599])('a %d is for this request only', (status) => {
  const headers = { 'content-type': 'application/json', 'retry-after': '7', 'x-secret': 'of the handler' }
  try {
    finishAnswer(answer({ status, headers, body: Buffer.from('{}') }), TERMS)
    expect.unreachable()
  } catch (error) {
    expect((error as UploadError).code).toBe('ERR_HOOK_FAILED')
    expect((error as UploadError).details.answer).toEqual({
      status,
      headers: { 'Content-Type': 'application/json', 'Retry-After': '7' },
      body: '{}',
    })
  }
})

test('a failure with an endless answer is a failure like any other', () => {
  expect(() => finishAnswer(answer({ status: 500, body: 'too-large' }), TERMS)).toThrow('could not decide')
})

test.each([0, 101])('status %d is no answer', (status) => {
  expect(() => finishAnswer(answer({ status }), TERMS)).toThrow(
    `the handler answered with the status ${status}`,
  )
})
