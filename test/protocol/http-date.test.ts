import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatHttpDate, parseHttpDate } from '../../src/protocol/http-date.ts'

const NOW = Date.UTC(2026, 5, 1)
const EXAMPLE = Date.UTC(1994, 10, 6, 8, 49, 37)
const LAST = Date.UTC(9999, 11, 31, 23, 59, 59)

describe('formatHttpDate', () => {
  test('T-E3: IMF-fixdate in GMT, whole seconds', () => {
    expect(formatHttpDate(Date.UTC(2014, 5, 25, 16, 0, 0, 999))).toBe('Wed, 25 Jun 2014 16:00:00 GMT')
    expect(formatHttpDate(0)).toBe('Thu, 01 Jan 1970 00:00:00 GMT')
  })

  test('never writes a year of five digits', () => {
    expect(formatHttpDate(Infinity)).toBe('Fri, 31 Dec 9999 23:59:59 GMT')
    expect(formatHttpDate(LAST + 1000)).toBe('Fri, 31 Dec 9999 23:59:59 GMT')
  })

  test.each([Number.NaN, -Infinity, -8.64e15])('throws for %s', (timeMs) => {
    expect(() => formatHttpDate(timeMs)).toThrow(RangeError)
  })

  test('comes back to the second', () => {
    fc.assert(
      fc.property(fc.integer({ min: -62_167_219_200, max: LAST / 1000 }), (seconds) => {
        const text = formatHttpDate(seconds * 1000)
        expect(text).toMatch(/^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT$/)
        expect(parseHttpDate(text, NOW)).toEqual({ ok: true, value: seconds * 1000 })
      }),
    )
  })
})

describe('parseHttpDate', () => {
  // RFC 9110 §5.6.7
  test.each([
    ['Sun, 06 Nov 1994 08:49:37 GMT', EXAMPLE],
    ['Sunday, 06-Nov-94 08:49:37 GMT', EXAMPLE],
    ['Sun Nov  6 08:49:37 1994', EXAMPLE],
    ['Wed Nov 16 08:49:37 1994', Date.UTC(1994, 10, 16, 8, 49, 37)],
    [' Sun, 06 Nov 1994 08:49:37 GMT ', EXAMPLE],
    ['Friday, 01-Jan-76 00:00:00 GMT', Date.UTC(2076, 0, 1)],
    ['Friday, 01-Jan-77 00:00:00 GMT', Date.UTC(1977, 0, 1)],
    ['Sat, 31 Dec 2016 23:59:60 GMT', Date.UTC(2017, 0, 1)],
    ['Thu, 29 Feb 2024 00:00:00 GMT', Date.UTC(2024, 1, 29)],
  ])('%s', (text, value) => {
    expect(parseHttpDate(text, NOW)).toEqual({ ok: true, value })
  })

  test.each([
    '',
    '0',
    '1994-11-06T08:49:37Z',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37',
    'sun, 06 nov 1994 08:49:37 gmt',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:60:37 GMT',
    'Sun, 06 Nov 1994 08:49:61 GMT',
    'Sun, 31 Feb 1994 08:49:37 GMT',
    'Thu, 29 Feb 2023 00:00:00 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT',
    'Sun, 32 Nov 1994 08:49:37 GMT',
    'Sun, 06 Foo 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 GMT, x',
    'Sun Nov 6 08:49:37 1994',
  ])('refuses %j', (text) => {
    expect(parseHttpDate(text, NOW)).toMatchObject({ ok: false })
  })
})
