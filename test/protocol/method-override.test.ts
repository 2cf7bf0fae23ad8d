import { describe, expect, test } from 'vitest'
import { effectiveMethod } from '../../src/protocol/method-override.ts'

describe('effectiveMethod', () => {
  test.each([
    ['POST', undefined, 'POST'],
    ['BREW', undefined, 'BREW'],
    ['POST', 'PATCH', 'PATCH'],
    ['POST', 'DELETE', 'DELETE'],
    ['POST', 'HEAD', 'HEAD'],
    ['GET', 'DELETE', 'DELETE'],
    ['PUT', 'OPTIONS', 'OPTIONS'],
    ['POST', ' patch\t', 'PATCH'],
    ['POST', 'Get', 'GET'],
  ])('T-X1..X4: %s with %j is %s', (method, override, value) => {
    expect(effectiveMethod(method, override)).toEqual({ ok: true, value })
  })

  test.each([
    '',
    ' ',
    'PUT',
    'TRACE',
    'CONNECT',
    'PATCH, PATCH',
    'PATCH DELETE',
    'PATCH\r\n',
    'PATCH\u0000',
    '__proto__',
    'opt\u0131ons',
    'PO\u017fT',
    'constructor',
    'PAT\u0421H',
  ])('T-X4: unknown override %j', (override) => {
    expect(effectiveMethod('POST', override)).toMatchObject({ ok: false })
  })
})
