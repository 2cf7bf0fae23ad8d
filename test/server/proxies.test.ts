import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Arrival, RequestView } from '../../src/server/proxies.ts'
import { makeProxies } from '../../src/server/proxies.ts'

type Fields = Readonly<Record<string, string>>

interface Shape {
  readonly peerAddress?: string | undefined
  readonly isSecure?: boolean
}

function arrival(headers: Fields, shape: Shape = {}): Arrival {
  const peerAddress = 'peerAddress' in shape ? shape.peerAddress : '10.0.0.1'
  return {
    peerAddress,
    isSecure: shape.isSecure ?? false,
    httpVersion: '1.1',
    header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
  }
}

const proxies = makeProxies(['10.0.0.0/8', 'fd00::/8'])
const view = (headers: Fields, shape?: Shape): RequestView => proxies.view(arrival(headers, shape))
const client = (headers: Fields, shape?: Shape): string | undefined => view(headers, shape).clientAddress

describe('the client', () => {
  const lists: readonly (readonly [name: string, list: string, expected: string])[] = [
    ['one hop', '192.0.2.1', '192.0.2.1'],
    ['what the client has put to the left', '6.6.6.6, 192.0.2.1', '192.0.2.1'],
    ['two proxies', '6.6.6.6, 192.0.2.1, 10.0.0.2', '192.0.2.1'],
    ['IPv6', '[2001:DB8:0::1]:443, fd00::2', '2001:db8::1'],
    ['IPv4 as IPv6', '::ffff:192.0.2.1, ::ffff:10.0.0.2', '192.0.2.1'],
    ['IPv4 as hexadecimal IPv6', '192.0.2.1, ::ffff:a00:2', '192.0.2.1'],
    ['only trusted ones', '10.0.0.4, 10.0.0.3', '10.0.0.4'],
    ['empty entries', ',192.0.2.1,, 10.0.0.2,', '192.0.2.1'],
    ['nothing', '', '10.0.0.1'],
    ['junk at the end', '192.0.2.1, junk', '10.0.0.1'],
    ['junk between', '192.0.2.1, junk, 10.0.0.2', '10.0.0.2'],
    ['a hidden hop', '192.0.2.1, unknown, 10.0.0.2', '10.0.0.2'],
    ['an octal look-alike of a trusted one', '192.0.2.1, 012.0.0.1', '10.0.0.1'],
  ]
  test.each(lists)('X-Forwarded-For: %s', (_, list, expected) => {
    expect(client({ 'x-forwarded-for': list })).toBe(expected)
  })
  test.each(lists)('Forwarded: %s', (_, list, expected) => {
    const elements = list.split(',').map((entry) => (entry.trim() === '' ? entry : ` for="${entry.trim()}"`))
    expect(client({ forwarded: elements.join(','), 'x-forwarded-for': '5.5.5.5' })).toBe(
      list === '' ? '5.5.5.5' : expected,
    )
  })

  test('a malformed Forwarded does not give way to X-Forwarded-*', () => {
    expect(view({ forwarded: 'junk', 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'https' })).toEqual(
      {
        clientAddress: '10.0.0.1',
        scheme: 'http',
        host: undefined,
        origin: undefined,
        prefix: '',
      },
    )
  })

  test('is the peer where the peer is not trusted', () => {
    const headers = { 'x-forwarded-for': '5.5.5.5', forwarded: 'for=5.5.5.5' }
    expect(client(headers, { peerAddress: '192.0.2.7' })).toBe('192.0.2.7')
    expect(client(headers, { peerAddress: '::ffff:192.0.2.7' })).toBe('192.0.2.7')
    expect(client(headers, { peerAddress: undefined })).toBeUndefined()
    expect(makeProxies(undefined).view(arrival(headers, { peerAddress: '::1' })).clientAddress).toBe('::1')
  })

  test('a Unix socket is trusted by its word only', () => {
    const from = arrival({ 'x-forwarded-for': '192.0.2.1' }, { peerAddress: undefined })
    expect(makeProxies(['unix']).view(from).clientAddress).toBe('192.0.2.1')
    expect(makeProxies(['loopback', '0.0.0.0/0', '::/0']).view(from).clientAddress).toBeUndefined()
    const tcp = arrival({ 'x-forwarded-for': '192.0.2.1' })
    expect(makeProxies(['unix']).view(tcp).clientAddress).toBe('10.0.0.1')
  })
})

describe('scheme, host, port, prefix', () => {
  const cases: readonly (readonly [
    name: string,
    fields: Fields,
    origin: string | undefined,
    prefix?: string,
  ])[] = [
    [
      'Forwarded',
      { forwarded: 'for=192.0.2.1;proto=https;host="up.example:8443"' },
      'https://up.example:8443',
    ],
    [
      'the outermost trusted proxy counts',
      {
        forwarded:
          'for=6.6.6.6;host=evil.example;proto=http, for=192.0.2.1;host=up.example;proto=https, for=10.0.0.2;host=inner;proto=http',
      },
      'https://up.example',
    ],
    [
      'what the outermost one does not tell comes from the next',
      { forwarded: 'for=192.0.2.1;proto=https, for=10.0.0.2;host=up.example;proto=http' },
      'https://up.example',
    ],
    [
      'lists in step with the hops',
      {
        'x-forwarded-for': '6.6.6.6, 192.0.2.1, 10.0.0.2',
        'x-forwarded-proto': 'ftp, https,http',
        'x-forwarded-host': 'evil.example, up.example, inner',
        'x-forwarded-prefix': '/evil, /outer, /inner',
      },
      'https://up.example',
      '/outer/inner',
    ],
    [
      'a list without hops: the nearest counts',
      { 'x-forwarded-proto': 'http,https', 'x-forwarded-host': 'evil.example, up.example' },
      'https://up.example',
    ],
    [
      'a proxy that overwrites',
      {
        'x-forwarded-for': '192.0.2.1, 10.0.0.2',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'up.example',
      },
      'https://up.example',
    ],
    [
      'Host, where only the scheme is told',
      { host: 'up.example', 'x-forwarded-proto': 'https' },
      'https://up.example',
    ],
    ['a host, but no scheme', { host: 'inner', 'x-forwarded-host': 'up.example' }, undefined],
    ['a scheme that is none', { host: 'up.example', 'x-forwarded-proto': 'javascript' }, undefined],
    [
      'a host that is none',
      { host: 'inner', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'a b' },
      undefined,
    ],
    [
      'a user in the host',
      { host: 'inner', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'a@evil.example' },
      undefined,
    ],
    ['an address and no more', { host: 'inner', 'x-forwarded-for': '192.0.2.1' }, undefined],
    ['no field at all: a client of its own', { host: 'up.example:1080' }, 'http://up.example:1080'],
    ['a port', { host: 'a', 'x-forwarded-proto': 'https', 'x-forwarded-port': '8443' }, 'https://a:8443'],
    [
      'a port, with IPv6',
      { host: '[::1]', 'x-forwarded-proto': 'http', 'x-forwarded-port': '81' },
      'http://[::1]:81',
    ],
    ['the usual port', { host: 'a', 'x-forwarded-proto': 'https', 'x-forwarded-port': '443' }, 'https://a'],
    [
      'the other usual port',
      { host: 'a', 'x-forwarded-proto': 'https', 'x-forwarded-port': '80' },
      'https://a:80',
    ],
    [
      'the host has a port',
      { host: 'a:1', 'x-forwarded-proto': 'https', 'x-forwarded-port': '8443' },
      'https://a:1',
    ],
    [
      'a port that is none',
      { host: 'a', 'x-forwarded-proto': 'https', 'x-forwarded-port': '0' },
      'https://a',
    ],
    [
      'a prefix',
      { host: 'a', 'x-forwarded-proto': 'https', 'x-forwarded-prefix': '/api/' },
      'https://a',
      '/api',
    ],
    [
      'a prefix beside Forwarded',
      { forwarded: 'proto=http;host=a', 'x-forwarded-prefix': '/b' },
      'http://a',
      '/b',
    ],
    [
      'a prefix that leads elsewhere',
      { host: 'a', 'x-forwarded-proto': 'https', 'x-forwarded-prefix': '//evil.example' },
      'https://a',
    ],
  ]
  test.each(cases.map(([name, ...rest]) => ({ name, rest })))(
    '$name',
    ({ rest: [fields, origin, prefix = ''] }) => {
      expect(view(fields)).toMatchObject({ origin, prefix })
    },
  )
})

describe('who can be trusted', () => {
  const trusts = (entry: string, peerAddress: string): boolean =>
    makeProxies([entry]).view(arrival({ 'x-forwarded-for': '203.0.113.99' }, { peerAddress }))
      .clientAddress === '203.0.113.99'

  test.each([
    ['192.0.2.1', ['192.0.2.1', '::ffff:192.0.2.1', '::ffff:c000:201'], ['192.0.2.2', '::c000:201']],
    ['192.0.2.77/24', ['192.0.2.0', '192.0.2.255'], ['192.0.3.0']],
    ['0.0.0.0/0', ['192.0.2.1', '::ffff:192.0.2.1'], ['2001:db8::1']],
    ['::ffff:192.0.2.0/120', ['192.0.2.200', '::ffff:192.0.2.1'], ['192.0.3.1']],
    ['2001:DB8::/32', ['2001:db8:1::1'], ['2001:db9::1', '192.0.2.1']],
    ['fe80::1', ['fe80::1%eth0', 'fe80:0::1'], ['fe80::2%eth0']],
    ['loopback', ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'], ['10.0.0.1', '::2']],
    ['linklocal', ['169.254.1.1', 'fe80::1%en0'], ['169.253.1.1', 'fec0::1']],
    ['uniquelocal', ['10.1.1.1', '172.31.0.1', '192.168.0.1', 'fd00::1'], ['172.32.0.1', '127.0.0.1']],
  ])('%s', (entry, inside, outside) => {
    expect(inside.filter((peer) => !trusts(entry, peer))).toEqual([])
    expect(outside.filter((peer) => trusts(entry, peer))).toEqual([])
  })

  test.each([
    '',
    ' ',
    'localhost',
    'Loopback',
    '10.0.0.1 ',
    '10.0.0.1:80',
    '10.1',
    '10',
    '010.0.0.1',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '10.0.0.0/255.0.0.0',
    '[::1]',
    '::1/129',
    '::ffff:10.0.0.0/95',
    'fe80::1%eth0',
    '10.0.0.1,10.0.0.2',
    '*',
    'true',
  ])('%j is a mistake', (entry) => {
    expect(() => makeProxies(['loopback', entry])).toThrow(TypeError)
    expect(() => makeProxies(['loopback', entry])).toThrow(`trustedProxies: ${JSON.stringify(entry)} `)
  })

  test.each([7, null, undefined, {}, true])('%j is a mistake, too', (entry) => {
    expect(() => makeProxies([entry as string])).toThrow(TypeError)
  })
})

const FIELDS = ['forwarded', 'for', 'proto', 'host', 'port', 'prefix'].map((name) =>
  name === 'forwarded' ? name : `x-forwarded-${name}`,
)
const pieces = fc.constantFrom(
  'for=',
  'host=',
  'proto=https',
  '"',
  '\\',
  ',',
  ';',
  ' ',
  '10.0.0.2',
  '6.6.6.6',
  '[::1]',
  '/x',
)
const junk = fc.array(fc.oneof(pieces, fc.string()), { maxLength: 8 }).map((parts) => parts.join(''))
const ipv4 = (first: string): fc.Arbitrary<string> =>
  fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255)).map((rest) => [first, ...rest].join('.'))
const hop = ipv4('10').chain((address) => fc.constantFrom(address, `::ffff:${address}`, `${address}:80`))

describe('whatever anybody sends', () => {
  test('no field of a peer that is not trusted changes anything', () => {
    const fields = fc.dictionary(fc.constantFrom(...FIELDS), junk)
    fc.assert(
      fc.property(fields, ipv4('192'), fc.boolean(), (sent, peerAddress, isSecure) => {
        const shape = { peerAddress, isSecure }
        const plain = view({ host: 'up.example' }, shape)
        const seen = view({ ...sent, host: 'up.example' }, shape)
        // An absolute address is not guessed behind a proxy that nobody knows: that is all.
        const origin = Object.keys(sent).length > 0 ? undefined : plain.origin
        expect(seen).toEqual({ ...plain, origin })
      }),
      { numRuns: 2000 },
    )
  })

  test('a chain of trusted proxies yields the client', () => {
    const chain = fc.array(hop, { maxLength: 5 })
    fc.assert(
      fc.property(junk, ipv4('192'), chain, fc.boolean(), (left, address, hops, isStandard) => {
        const [first, ...rest] = [address, ...hops]
        // Each proxy appends what it was connected by; the first also tells what it was called.
        const field = isStandard
          ? [
              left,
              `for=${first};proto=https;host=up.example`,
              ...rest.map((one) => `for="${bracketed(one)}"`),
            ]
          : [left, first, ...rest]
        const name = isStandard ? 'forwarded' : 'x-forwarded-for'
        const seen = view({ [name]: field.join(', '), ...(isStandard ? { 'x-forwarded-for': left } : {}) })
        expect(seen.clientAddress).toBe(address)
        if (isStandard) expect(seen.origin).toBe('https://up.example')
      }),
      { numRuns: 2000 },
    )
  })

  test('what is told is always safe to send', () => {
    const fields = fc.dictionary(fc.constantFrom(...FIELDS, 'host'), junk)
    fc.assert(
      fc.property(fields, (sent) => {
        const { origin, prefix, clientAddress } = view(sent)
        expect(origin ?? 'http://a').toMatch(/^https?:\/\/[a-z0-9._:[\]-]+$/)
        expect(prefix).toMatch(/^(?:\/[A-Za-z0-9_~!$&'()*+;=:@.-]+)*$/)
        expect(clientAddress).toMatch(/^[0-9a-f.:]+$/)
      }),
      { numRuns: 2000 },
    )
  })
})

function bracketed(address: string): string {
  return address.startsWith('::') ? `[${address}]` : address
}
