import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseDecimal } from '../../src/protocol/integer.ts'

describe('parseDecimal', () => {
  test.each([
    ['0', 0],
    ['7', 7],
    ['000', 0],
    ['0012', 12],
    [' 100\t', 100],
    ['9007199254740991', 2 ** 53 - 1],
    [`${'0'.repeat(400)}5`, 5],
  ])('accepts %j', (text, value) => {
    expect(parseDecimal(text)).toEqual({ ok: true, value })
  })

  test.each([
    '',
    ' ',
    '-1',
    '+0',
    '+1',
    '0x10',
    '0b1',
    '1.0',
    '1.5',
    '1e2',
    '1e3',
    '12abc',
    'abc',
    '0, 5',
    '5, 5',
    '1 2',
    '9007199254740992',
    '9007199254740993',
    '18446744073709551616',
    '9'.repeat(400),
    '1_000',
    '1,000',
    'NaN',
    'Infinity',
    '1n',
    '\n1',
    '1\n',
    '\u00a01',
    '\u0661',
    '１',
    '1\u0000',
    '--1',
    '0o7',
  ])('refuses %j', (text) => {
    expect(parseDecimal(text)).toMatchObject({ ok: false })
  })

  test('every safe integer comes back from its decimal form', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(parseDecimal(String(value))).toEqual({ ok: true, value })
      }),
    )
  })
})
