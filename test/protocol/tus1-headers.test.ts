import { describe, expect, test } from 'vitest'
import {
  formatExtensions,
  isOffsetOctetStream,
  parseDeferLength,
  parseTusResumable,
  parseUploadConcat,
  TUS_EXTENSIONS,
} from '../../src/protocol/tus1/headers.ts'

describe('parseTusResumable', () => {
  test.each<[raw: string, ok: boolean]>([
    ['1.0.0', true],
    [' 1.0.0 ', true],
    ...['0.2.2', '2.0.0', '1.0', '1.0.0, 1.0.0', '1.0.00', '', '1.0.0\n', 'v1.0.0'].map(
      (raw) => [raw, false] as [string, boolean],
    ),
  ])('T-V2: %j', (raw, ok) => {
    expect(parseTusResumable(raw).ok).toBe(ok)
  })
})

describe('parseDeferLength', () => {
  test.each<[raw: string, ok: boolean]>([
    ['1', true],
    ['\t1 ', true],
    ...['0', '2', 'true', '1, 1', '', '01', '1.0', '+1', '1\n'].map(
      (raw) => [raw, false] as [string, boolean],
    ),
  ])('T-L2: %j', (raw, ok) => {
    expect(parseDeferLength(raw).ok).toBe(ok)
  })
})

describe('parseUploadConcat', () => {
  test.each([
    ['partial', { kind: 'partial' }],
    [' partial ', { kind: 'partial' }],
    ['final;/files/a /files/b', { kind: 'final', urls: ['/files/a', '/files/b'] }],
    ['final;/files/b /files/a /files/b', { kind: 'final', urls: ['/files/b', '/files/a', '/files/b'] }],
    ['final;  a   ./b  ', { kind: 'final', urls: ['a', './b'] }],
    ['final;https://h/files/a?x=1;y', { kind: 'final', urls: ['https://h/files/a?x=1;y'] }],
  ])('accepts %j', (raw, value) => {
    expect(parseUploadConcat(raw)).toEqual({ ok: true, value })
  })

  test.each([
    '',
    'foo',
    'Partial',
    'PARTIAL',
    'partial;',
    'partial, partial',
    'final',
    'final;',
    'final;  ',
    'Final;/a',
    'final /a',
    'final ;/a',
    'final;/a\t/b',
    'final;/a\r\nX: y',
    'final;/\u00e9',
    'final;/a\u0000',
    'finality;/a',
  ])('T-N7: refuses %j', (raw) => {
    expect(parseUploadConcat(raw)).toMatchObject({ ok: false })
  })
})

describe('isOffsetOctetStream', () => {
  test.each([
    ['application/offset+octet-stream', true],
    ['Application/Offset+Octet-Stream', true],
    ['application/offset+octet-stream; x=y', true],
    [' application/offset+octet-stream ;x', true],
    [undefined, false],
    ['', false],
    ['application/octet-stream', false],
    ['application/offset+octet-stream, text/plain', false],
    ['text/plain; application/offset+octet-stream', false],
    ['application/offset octet-stream', false],
  ])('T-P3: %j is %s', (raw, expected) => {
    expect(isOffsetOctetStream(raw)).toBe(expected)
  })
})

test('T-O2: extensions are listed in the order of the protocol, none at all is no header', () => {
  expect(formatExtensions([])).toBeUndefined()
  expect(formatExtensions(['termination', 'creation', 'termination'])).toBe('creation,termination')
  expect(formatExtensions(TUS_EXTENSIONS)).toBe(TUS_EXTENSIONS.join(','))
})
