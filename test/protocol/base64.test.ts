import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeBase64, encodeBase64 } from '../../src/protocol/base64.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('base64', () => {
  // RFC 4648 §10
  test.each([
    ['', ''],
    ['f', 'Zg=='],
    ['fo', 'Zm8='],
    ['foo', 'Zm9v'],
    ['foob', 'Zm9vYg=='],
    ['fooba', 'Zm9vYmE='],
    ['foobar', 'Zm9vYmFy'],
  ])('encodes and decodes %j', (text, encoded) => {
    expect(encodeBase64(bytes(text))).toBe(encoded)
    expect(decodeBase64(encoded)).toEqual({ ok: true, value: bytes(text) })
  })

  test.each([
    'Z',
    'Zg',
    'Zg=',
    'Zm8',
    'Zm9vY',
    '=',
    '==',
    '===',
    '====',
    'Z===',
    '=Zg=',
    'Zg==Zg==',
    'Zg=a',
    'Zm=v',
    'Zm9v\n',
    'Zm9 v===',
    ' Zm9v',
    'Zm9v    ',
    'Zm-_',
    'Zm9\u0000',
    'Zm9\u00e9',
    'Zm9\u{1f600}',
    '!!!!',
    'Zm9v, Zm9v',
  ])('refuses %j', (text) => {
    expect(decodeBase64(text)).toMatchObject({ ok: false })
  })

  test('does not look at the unused bits of the last character', () => {
    expect(decodeBase64('Zh==')).toEqual({ ok: true, value: bytes('f') })
  })

  test('agrees with the platform for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (value) => {
        expect(encodeBase64(value)).toBe(Buffer.from(value).toString('base64'))
        expect(decodeBase64(encodeBase64(value))).toEqual({ ok: true, value })
      }),
    )
  })

  test('accepts exactly what the pattern of RFC 4648 §4 allows', () => {
    const pattern = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
    const text = fc.string({ unit: fc.constantFrom('A', 'z', '9', '+', '/', '=', '-', ' '), maxLength: 12 })
    fc.assert(
      fc.property(text, (value) => {
        expect(decodeBase64(value).ok).toBe(pattern.test(value))
      }),
      { numRuns: 1000 },
    )
  })
})
