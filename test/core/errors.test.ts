import { describe, expect, test } from 'vitest'
import { ERRORS, isUploadError, toUploadError, UploadError } from '../../src/core/errors.ts'
import type { ErrorCode } from '../../src/core/errors.ts'

const codes = Object.keys(ERRORS) as ErrorCode[]

describe.each(codes)('%s', (code) => {
  test('has a name, a 4xx or 5xx, and a sentence without line breaks', () => {
    const error = new UploadError(code)
    expect(code).toMatch(/^ERR_[A-Z_]+$/)
    expect(error.status).toBeGreaterThanOrEqual(400)
    expect(error.status).toBeLessThan(600)
    expect(error.message).toMatch(/^[A-Z][\x20-\x7e]+\.$/)
    expect([error.code, error.status, error.retryable]).toEqual([
      code,
      ERRORS[code].status,
      ERRORS[code].retryable,
    ])
  })
})

test('what cannot succeed later is not called retryable, what the server failed at is', () => {
  for (const code of codes) {
    if (ERRORS[code].status >= 500) expect(ERRORS[code].retryable, code).toBe(true)
  }
  const lost = ['ERR_UPLOAD_NOT_FOUND', 'ERR_UPLOAD_GONE', 'ERR_CORRUPT_RECORD', 'ERR_MODIFY_FINAL'] as const
  for (const code of lost) expect(ERRORS[code].retryable, code).toBe(false)
})

test('an upload error is known by its mark, also one of another copy of the package', () => {
  const foreign = Object.assign(new Error('x'), { [Symbol.for('carryon.UploadError')]: true })
  expect(isUploadError(new UploadError('ERR_UPLOAD_GONE'))).toBe(true)
  expect(isUploadError(foreign)).toBe(true)
  for (const other of [new Error('x'), null, undefined, 'ERR_UPLOAD_GONE', { code: 'ERR_UPLOAD_GONE' }]) {
    expect(isUploadError(other)).toBe(false)
  }
})

test('anything else becomes an internal error with its cause, and without its words', () => {
  const cause = new Error('EACCES: permission denied, open /secret')
  const error = toUploadError(cause)
  expect(error.code).toBe('ERR_INTERNAL_SERVER_ERROR')
  expect(error.cause).toBe(cause)
  expect(error.message).not.toContain('secret')
  const known = new UploadError('ERR_STORE_FULL')
  expect(toUploadError(known)).toBe(known)
})
