import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  forwardedFromEnd,
  listFromEnd,
  parseHopAddress,
  parsePort,
  parsePrefix,
  parseScheme,
} from '../../src/protocol/forwarded.ts'
import type { Parsed } from '../../src/protocol/parsed.ts'

function valueOf<T>(parsed: Parsed<T> | undefined): T | 'malformed' | undefined {
  return parsed === undefined ? undefined : parsed.ok ? parsed.value : 'malformed'
}

/** `address|scheme|host` of each element, the nearest first. */
function read(raw: string): readonly string[] {
  return [...forwardedFromEnd(raw)].map((element) =>
    element.ok
      ? [element.value.node, element.value.scheme, element.value.host].map(valueOf).join('|')
      : 'malformed',
  )
}

describe('Forwarded', () => {
  test.each([
    ['for=192.0.2.60;proto=http;by=203.0.113.43', ['192.0.2.60|http|']],
    ['For="[2001:DB8:cafe::17]:4711"', ['2001:db8:cafe::17||']],
    ['for=192.0.2.43, for=198.51.100.17', ['198.51.100.17||', '192.0.2.43||']],
    [
      'for=192.0.2.43,for="[::1]";HOST="a.example:80";proto=HTTPS',
      ['::1|https|a.example:80', '192.0.2.43||'],
    ],
    ['for=_hidden, for=unknown', ['malformed||', 'malformed||']],
    ['proto=https', ['malformed|https|']],
    ['for=192.0.2.1;proto=ftp;host="a b"', ['192.0.2.1|malformed|malformed']],
    ['for=192.0.2.1;secret="a,b;c=\\"d\\", for=6.6.6.6"', ['192.0.2.1||']],
    ['for=192.0.2.1;secret="\\\\"', ['192.0.2.1||']],
    [' , for=192.0.2.1 ,, ', ['192.0.2.1||']],
    ['for=192.0.2.1;', ['192.0.2.1||']],
    ['for="192.0.2.\\1:_port"', ['192.0.2.1||']],
    ['', []],
    [' ', []],
    [',', []],
  ])('%j', (raw, expected) => {
    expect(read(raw)).toEqual(expected)
  })

  test.each([
    ['spaces around semicolons', 'for=192.0.2.1 ; proto=https', '192.0.2.1|https|'],
    ['a port that is not quoted', 'for=192.0.2.1:80;host=a.example:8080', '192.0.2.1||a.example:8080'],
    ['brackets that are not quoted', 'for=[::1]:80', '::1||'],
  ])('takes what proxies write: %s', (_, raw, expected) => {
    expect(read(raw)).toEqual([expected])
  })

  test.each([
    'for',
    'for=',
    '=1',
    'for =192.0.2.1',
    'for= 192.0.2.1',
    'for=1.2.3.4 proto=https',
    'for="192.0.2.1"x',
    'for=192.0.2.1;for=192.0.2.2',
    'for=192.0.2.1;FOR=192.0.2.1',
    'for="192.0.2.1',
    'for="192.0.2.1\\"',
    '"',
    '192.0.2.1',
    'fö=1',
  ])('%j is malformed, and nothing left of it is read', (raw) => {
    expect(read(`for=192.0.2.9, ${raw}`).slice(0, 1)).toEqual(['malformed'])
    expect(read(`for=192.0.2.9, ${raw}`)).toHaveLength(1)
    expect(read(`${raw}, for=192.0.2.9`).slice(0, 2)).toEqual(['192.0.2.9||', 'malformed'])
  })

  test('what stands left of an element cannot change it', () => {
    const junk = fc.array(
      fc.oneof(fc.constantFrom('"', '\\', ',', ';', '=', 'for=', 'host="', ' '), fc.string()),
    )
    const text = fc.string().map((it) => `"${it.replaceAll(/["\\]/g, '\\$&')}"`)
    fc.assert(
      fc.property(junk, text, (left, quoted) => {
        const [first] = read(`${left.join('')},by=${quoted};for="[::1]:80";host=a.example`)
        expect(first).toBe('::1||a.example')
      }),
      { numRuns: 2000 },
    )
  })

  test('takes linear time', () => {
    const startMs = performance.now()
    for (const piece of ['"', '\\', '\\"', ',', ';', 'for=', ' ', 'a="', '",']) read(piece.repeat(200_000))
    for (const piece of ['\\\\', ';', ' ;', ' ', 'a=b;']) read(`x="${piece.repeat(200_000)}"`)
    expect(performance.now() - startMs).toBeLessThan(5000)
  })
})

test('a list is read from its end, without empty values', () => {
  expect(listFromEnd(' a ,,b,\t c,')).toEqual(['c', 'b', 'a'])
  expect(listFromEnd('')).toEqual([])
  expect(listFromEnd(undefined)).toEqual([])
})

describe('the address of a hop', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    [' 192.0.2.1:80 ', '192.0.2.1'],
    ['2001:DB8::1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ])('%j', (raw, value) => {
    expect(parseHopAddress(raw)).toEqual({ ok: true, value })
  })

  test.each([
    '',
    'unknown',
    '_x',
    'localhost',
    '1.2.3',
    '1.2.3.4.',
    '1.2.3.256',
    '010.0.0.1',
    '0x7f.0.0.1',
    '2130706433',
    '1.2.3.4:123456',
    '1.2.3.4:a',
    '[1.2.3.4]',
    '[::1',
    '::1]',
    ':::',
    '1::2::3',
    '12345::',
    '1.2.3.4 5.6.7.8',
  ])('%j is none', (raw) => {
    expect(parseHopAddress(raw).ok).toBe(false)
  })
})

describe('single values', () => {
  test.each([
    [parseScheme, 'HTTPS ', 'https'],
    [parsePort, '443', 443],
    [parsePort, '00080', 80],
    [parsePrefix, '/', ''],
    [parsePrefix, '/api', '/api'],
    [parsePrefix, ' /api/v1.0/~x/ ', '/api/v1.0/~x'],
    [parsePrefix, '/...', '/...'],
  ] as const)('%o takes %j', (parse, raw, value) => {
    expect(parse(raw)).toEqual({ ok: true, value })
  })

  test.each([
    ...['', 'ws', 'https:', 'javascript'].map((raw) => [parseScheme, raw] as const),
    ...['', '0', '65536', '-1', '1.5', '1e2', '123456', 'https'].map((raw) => [parsePort, raw] as const),
    ...['', 'api', '//', '//evil.example', '/a//b', '/..', '/a/../b', '/./a', '/a?b', '/a#b', '/%2e%2e'].map(
      (raw) => [parsePrefix, raw] as const,
    ),
    ...['/a b', '/\\evil.example', '/ä', '/a\r\nb', '/a"', `/${'a'.repeat(256)}`].map(
      (raw) => [parsePrefix, raw] as const,
    ),
  ])('%o refuses %j', (parse, raw) => {
    expect(parse(raw).ok).toBe(false)
  })
})
