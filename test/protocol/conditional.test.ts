import { describe, expect, test } from 'vitest'
import { evaluateConditions } from '../../src/protocol/conditional.ts'
import type { ConditionFields } from '../../src/protocol/conditional.ts'

const LAST_MODIFIED = 'Wed, 25 Jun 2014 16:00:00 GMT'
const EARLIER = 'Wed, 25 Jun 2014 15:59:59 GMT'
const LATER = 'Wed, 25 Jun 2014 16:00:01 GMT'
const ETAG = '"a,b"'

const context = {
  etag: ETAG,
  // With a fraction, as clocks give it: the dates of HTTP have none.
  lastModifiedMs: Date.UTC(2014, 5, 25, 16, 0, 0, 700),
  nowMs: Date.UTC(2026, 0, 1),
}

function outcome(fields: ConditionFields, method = 'GET'): string {
  return evaluateConditions(fields, { ...context, method }).outcome
}

function range(ifRange: string | undefined, method = 'GET'): boolean {
  return evaluateConditions({ ifRange }, { ...context, method }).rangeApplies
}

describe('evaluateConditions', () => {
  test.each([
    ['*', 'proceed'],
    [' * ', 'proceed'],
    [ETAG, 'proceed'],
    [`"x", ${ETAG}`, 'proceed'],
    [`,, ${ETAG}\t,`, 'proceed'],
    [`W/${ETAG}`, 'precondition-failed'],
    ['"x"', 'precondition-failed'],
    ['"a"', 'precondition-failed'],
    ['', 'precondition-failed'],
    ['a,b', 'precondition-failed'],
    [`${ETAG} garbage`, 'precondition-failed'],
    [`w/${ETAG}`, 'precondition-failed'],
  ])('If-Match: %s', (ifMatch, expected) => {
    expect(outcome({ ifMatch })).toBe(expected)
  })

  test.each([
    ['*', 'not-modified'],
    [ETAG, 'not-modified'],
    [`W/${ETAG}`, 'not-modified'],
    [`"x",${ETAG}`, 'not-modified'],
    ['"x"', 'proceed'],
    ['', 'proceed'],
    ['a,b', 'proceed'],
  ])('If-None-Match: %s', (ifNoneMatch, expected) => {
    expect(outcome({ ifNoneMatch })).toBe(expected)
    expect(outcome({ ifNoneMatch }, 'HEAD')).toBe(expected)
    expect(outcome({ ifNoneMatch }, 'DELETE')).toBe(expected === 'proceed' ? expected : 'precondition-failed')
  })

  test.each([
    [EARLIER, 'proceed', 'precondition-failed'],
    [LAST_MODIFIED, 'not-modified', 'proceed'],
    [LATER, 'not-modified', 'proceed'],
    ['yesterday', 'proceed', 'proceed'],
    ['', 'proceed', 'proceed'],
  ])('dates: %s', (date, ifModified, ifUnmodified) => {
    expect(outcome({ ifModifiedSince: date })).toBe(ifModified)
    expect(outcome({ ifModifiedSince: date }, 'DELETE')).toBe('proceed')
    expect(outcome({ ifUnmodifiedSince: date })).toBe(ifUnmodified)
    expect(outcome({ ifUnmodifiedSince: date }, 'DELETE')).toBe(ifUnmodified)
  })

  test('without a modification date the dates are ignored', () => {
    const unknown = { ...context, lastModifiedMs: undefined, method: 'GET' }
    expect(evaluateConditions({ ifModifiedSince: LATER, ifUnmodifiedSince: EARLIER }, unknown).outcome).toBe(
      'proceed',
    )
    expect(evaluateConditions({ ifRange: LAST_MODIFIED }, unknown).rangeApplies).toBe(false)
  })

  // RFC 9110 §13.2.2
  test('precedence: tags before dates, If-Match before If-None-Match', () => {
    expect(outcome({ ifMatch: ETAG, ifUnmodifiedSince: EARLIER })).toBe('proceed')
    expect(outcome({ ifNoneMatch: '"x"', ifModifiedSince: LATER })).toBe('proceed')
    expect(outcome({ ifMatch: '"x"', ifNoneMatch: ETAG })).toBe('precondition-failed')
    expect(outcome({ ifMatch: ETAG, ifNoneMatch: ETAG })).toBe('not-modified')
    expect(outcome({ ifUnmodifiedSince: EARLIER, ifNoneMatch: ETAG })).toBe('precondition-failed')
  })

  test.each([
    [undefined, true],
    [ETAG, true],
    [` ${ETAG} `, true],
    [`W/${ETAG}`, false],
    ['"x"', false],
    [LAST_MODIFIED, true],
    [EARLIER, false],
    [LATER, false],
    ['', false],
    ['*', false],
  ])('If-Range: %s', (ifRange, expected) => {
    expect(range(ifRange)).toBe(expected)
    expect(range(ifRange, 'HEAD')).toBe(false)
  })

  test('a range does not apply to a 304 or a 412', () => {
    expect(evaluateConditions({ ifNoneMatch: ETAG }, { ...context, method: 'GET' }).rangeApplies).toBe(false)
    expect(evaluateConditions({ ifMatch: '"x"' }, { ...context, method: 'GET' }).rangeApplies).toBe(false)
  })
})
