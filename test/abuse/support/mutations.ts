import type { Dice, TusRequest } from './tus-request.ts'
import { bytesOf } from './tus-request.ts'

/**
 * What the server can know of where a bent request ends: `exact` leaves the connection usable, `whole` has to be
 * answered or refused, `unclear` may be the start of something longer.
 */
export type Framing = 'exact' | 'whole' | 'unclear'

const NUMBERS = [
  '-1',
  '-0',
  '+5',
  '1e3',
  '0x10',
  '00',
  '007',
  '1.0',
  '',
  ' ',
  '5 5',
  '5,5',
  '5;5',
  'NaN',
  'Infinity',
  'null',
  '9007199254740991',
  '9007199254740992',
  '18446744073709551616',
  '9'.repeat(400),
  // Digits of other scripts, in UTF-8; a superscript in latin1.
  '\xd9\xa5',
  '\xef\xbc\x95',
  '\xb2',
] as const

const TEXTS = [
  '',
  ' ',
  '\t',
  ',',
  ',,,',
  ';',
  '=',
  '"',
  '%',
  '%00',
  '%0d%0aX-Injected: yes',
  '../../../../etc/passwd',
  '*',
  '\xff\xfe',
  '\xc3\x28',
  '\xed\xa0\x80',
  '\xf0\x9f\x98\x80',
  'partial',
  'final;',
  'final; ',
  'final;/files/',
  'final;http://evil.example/x',
  'final;///',
  'sha1',
  'sha1 ',
  'sha1 ====',
  'sha1 AAAA',
  'sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=',
  'md5 1B2M2Y8AsgTpgAmY7PhCfg==',
  'unknown AAAA',
  'filename',
  'filename ',
  ' filename a',
  'a b c',
  'a YQ==,a YQ==',
  '__proto__ YQ==',
  'constructor YQ==',
  'filename Li4vLi4vZXRj',
  'filename AAo=',
  'bytes=',
  'bytes=-',
  'bytes=a-b',
  'bytes=0-9'.repeat(100),
  `bytes=${'0-,'.repeat(2000)}`,
  'bytes=99999999999999999999-',
  'W/"x"',
  '*, "x"',
  'Thu, 01 Jan 1970 00:00:00 GMT',
  'chunked',
  'gzip',
  '100-continue',
  '200-ok',
  'TRACE',
  'CONNECT',
  'patch',
  'PATCH, HEAD',
  'websocket',
  'h2c',
  'close',
  'keep-alive, Upgrade',
  '[::1',
  'a.example:99999',
  'a b',
  'user@host',
] as const

/** Of nothing at all. */
const WRONG_CHECKSUMS = ['sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=', 'md5 1B2M2Y8AsgTpgAmY7PhCfg=='] as const

/** Characters that belong into no field, or end one early. */
const ILLEGAL = [
  '\0',
  '\r',
  '\n',
  '\x0b',
  '\x7f',
  '\x1b[31m',
  '\r\n ',
  '\r\n\t',
  '\r\nX-Injected: yes',
  '\r\n\r\n',
] as const

const NAMES = [
  'Upload-Length',
  'Upload-Offset',
  'Upload-Defer-Length',
  'Upload-Metadata',
  'Upload-Concat',
  'Upload-Checksum',
  'Tus-Resumable',
  'Content-Type',
  'X-HTTP-Method-Override',
  'Range',
  'If-Range',
  'If-Match',
  'If-None-Match',
  'If-Modified-Since',
  'If-Unmodified-Since',
  'Origin',
  'Host',
  'Expect',
  'Connection',
  'Upgrade',
  'Trailer',
  'Content-Encoding',
  'Forwarded',
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'Access-Control-Request-Headers',
  'Access-Control-Request-Method',
  'Cookie',
  'Authorization',
  '__proto__',
  'constructor',
  'x',
  'TE',
  'Keep-Alive',
  'Upload-Complete',
  'Upload-Draft-Interop-Version',
  'HTTP2-Settings',
] as const

const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'QUERY',
  'M-SEARCH',
] as const
const NO_METHODS = ['CONNECT', 'patch', 'FOO', '', 'G\0T', 'P\xc3\xb6ST', 'PRI', 'X'.repeat(5000)] as const

const TARGETS: readonly ((target: string) => string)[] = [
  (target) => `http://127.0.0.1${target}`,
  (target) => `http://evil.example:80${target}`,
  (target) => `https://user:word@evil.example${target}`,
  (target) => `http://[::1]${target}`,
  (target) => `http:${target}`,
  (target) => `ftp://x${target}`,
  (target) => `/${target}`,
  (target) => `${target}/`,
  (target) => `${target}?a=b&c=%zz#d`,
  (target) => `${target}%00`,
  (target) => `${target}%2f..%2f..%2fetc%2fpasswd`,
  (target) => `${target}/../../x`,
  (target) => target.replaceAll('/', '%2f'),
  (target) => target.replaceAll('/', '\\'),
  (target) => [...target].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join(''),
  (target) => `${target}%`,
  (target) => `${target}\xff\xfe`,
  (target) => `${target}%c0%af%ff`,
  (target) => `${target}${'x'.repeat(3000)}`,
  (target) => `${target}${'/..'.repeat(1000)}`,
  () => '*',
  () => '/',
  () => '//',
  () => '/files',
  () => '/files//',
  () => '/files/..',
  () => 'files',
  () => '?',
  () => '127.0.0.1:80',
]

const FRAMING = new Set(['Content-Length', 'Transfer-Encoding'])
const GATES = new Set(['Host', 'Tus-Resumable'])

interface Mutation {
  readonly framing: Framing
  apply(dice: Dice, request: TusRequest): void
}

/** Any field but those that say where the body ends; seldom one without which nothing else is looked at. */
function bendable(dice: Dice, { fields }: TusRequest): [string, string] {
  const isSpared = (name: string): boolean => GATES.has(name) && !dice.oneIn(6)
  const free = fields.filter(([name]) => !FRAMING.has(name) && !isSpared(name))
  return free.length === 0 ? ['x', ''] : dice.pick(free)
}

function number(dice: Dice): string {
  return dice.oneIn(3) ? String(dice.number(2 ** 31)) : dice.pick(NUMBERS)
}

/** Below, at and above the 16 KiB that a head may have. */
function long(dice: Dice): string {
  return dice
    .pick(['a', ',', ' ', '%', 'a YQ==,', '\xff'])
    .repeat(dice.pick([100, 4096, 4097, 8000, 15_000, 16_384, 20_000]))
}

const mutations: readonly Mutation[] = [
  {
    framing: 'exact',
    apply: (dice, request) => {
      bendable(dice, request)[1] = number(dice)
    },
  },
  {
    framing: 'exact',
    apply: (dice, request) => {
      bendable(dice, request)[1] = dice.pick(TEXTS.filter((text) => text !== 'chunked'))
    },
  },
  {
    framing: 'exact',
    apply: (dice, request) => {
      const value = dice.oneIn(2) ? number(dice) : dice.pick(TEXTS)
      request.fields.splice(dice.number(request.fields.length), 0, [dice.pick(NAMES), value])
    },
  },
  {
    framing: 'exact',
    apply: (dice, request) => {
      const [name, value] = bendable(dice, request)
      request.fields.push([name, dice.oneIn(2) ? value : number(dice)])
    },
  },
  {
    framing: 'exact',
    apply: (dice, request) => {
      const gone = bendable(dice, request)
      request.fields = request.fields.filter((field) => field !== gone)
    },
  },
  {
    // A checksum of something else.
    framing: 'exact',
    apply: (dice, request) => {
      for (const field of [...request.fields, ...request.trailers]) {
        if (field[0] === 'Upload-Checksum') field[1] = dice.pick(WRONG_CHECKSUMS)
      }
    },
  },
  { framing: 'exact', apply: (dice, request) => void (request.method = dice.pick(METHODS)) },
  { framing: 'exact', apply: (dice, request) => void (request.target = dice.pick(TARGETS)(request.target)) },
  { framing: 'exact', apply: (dice, request) => void (bendable(dice, request)[1] = long(dice)) },
  {
    framing: 'exact',
    apply: (dice, request) => void request.fields.push([`X-${'n'.repeat(dice.number(9000))}`, 'v']),
  },
  {
    framing: 'exact',
    apply: (dice, request) => {
      const count = dice.pick([50, 500, 1900, 2100])
      for (let i = 0; i < count; i += 1) request.fields.push([`x${i}`, ''])
    },
  },
  {
    framing: 'whole',
    apply: (dice, request) => {
      const field = bendable(dice, request)
      const at = dice.number(field[1].length + 1)
      field[1] = field[1].slice(0, at) + dice.pick(ILLEGAL) + field[1].slice(at)
    },
  },
  {
    framing: 'whole',
    apply: (dice, request) => {
      const field = bendable(dice, request)
      field[0] = dice.pick([
        `${field[0]} `,
        ` ${field[0]}`,
        '',
        `${field[0]}\0`,
        `${field[0]}\xff`,
        `a b`,
        `(${field[0]})`,
      ])
    },
  },
  {
    framing: 'whole',
    apply: (dice, request) => void (request.target += dice.pick([' ', ' x', '\0', '\t', '\x7f', '\r', '\n'])),
  },
  { framing: 'whole', apply: (dice, request) => void (request.method = dice.pick(NO_METHODS)) },
  {
    framing: 'whole',
    apply: (dice, request) =>
      void (request.version = dice.pick([
        'HTTP/1.0',
        'HTTP/0.9',
        'HTTP/2.0',
        'HTTP/9.9',
        'http/1.1',
        'HTTP/1.',
        '',
      ])),
  },
  {
    framing: 'unclear',
    apply: (dice, request) => {
      const value = dice.oneIn(2) ? number(dice) : String(request.body.length + dice.number(20) - 10)
      request.fields.push(['Content-Length', value])
    },
  },
  {
    framing: 'unclear',
    apply: (dice, request) => {
      const value = dice.pick([
        'chunked',
        'Chunked',
        'gzip, chunked',
        'chunked, gzip',
        'chunked, chunked',
        'identity',
        ' chunked',
        'x',
        '"chunked"',
        'chunked\0',
      ])
      request.fields.push([
        dice.pick(['Transfer-Encoding', 'transfer-encoding', 'Transfer-Encoding ']),
        value,
      ])
    },
  },
  {
    framing: 'unclear',
    apply: (dice, request) => {
      request.fields = request.fields.filter(
        ([name]) => name !== 'Content-Length' && name !== 'Transfer-Encoding',
      )
    },
  },
  {
    framing: 'unclear',
    apply: (dice, request) => {
      const size = dice.pick([
        'zz',
        '-5',
        '0x5',
        'fffffffffffffffff',
        '7fffffffffffffff',
        '5;a=b',
        `5;${'x'.repeat(17_000)}`,
        '',
        ' 5',
        '5 ',
        '00005',
        '\0',
      ])
      request.fields = request.fields.filter(([name]) => name !== 'Content-Length')
      if (request.chunkBytes === undefined) request.fields.push(['Transfer-Encoding', 'chunked'])
      request.chunkBytes = undefined
      request.body = Buffer.from(
        `${size}\r\nhello${dice.pick(['\r\n', 'XX', '\n', ''])}0\r\n${dice.pick(['\r\n', 'Upload-Checksum: x\r\n\r\n', 'a\r\n\r\n', `b: ${'c'.repeat(17_000)}\r\n\r\n`])}`,
        'latin1',
      )
    },
  },
]

const ORDER: readonly Framing[] = ['exact', 'whole', 'unclear']

/** Bends a request in up to four places. */
export function mutate(
  dice: Dice,
  request: TusRequest,
): { readonly bytes: Buffer; readonly framing: Framing } {
  let framing: Framing = 'exact'
  const worsen = (by: Framing): void => {
    if (ORDER.indexOf(by) > ORDER.indexOf(framing)) framing = by
  }
  for (let left = dice.pick([0, 0, 0, 1, 1, 1, 1, 1, 2, 4]); left > 0; left -= 1) {
    const mutation = dice.pick(mutations)
    mutation.apply(dice, request)
    worsen(mutation.framing)
  }
  let bytes = bytesOf(request)
  if (dice.oneIn(12)) {
    bytes = bend(dice, bytes)
    worsen('unclear')
  }
  return { bytes, framing }
}

/** Damage that knows nothing of HTTP. */
function bend(dice: Dice, bytes: Buffer): Buffer {
  const at = dice.number(bytes.length)
  const to = at + dice.number(Math.min(64, bytes.length - at))
  const [before, between, after] = [bytes.subarray(0, at), bytes.subarray(at, to), bytes.subarray(to)]
  switch (dice.number(6)) {
    case 0:
      return Buffer.concat([before, after])
    case 1:
      return Buffer.concat([before, between, between, after])
    case 2:
      return before
    case 3:
      return Buffer.concat([before, Buffer.from([dice.number(256)]), after])
    case 4:
      return Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
    default: {
      const copy = Buffer.from(bytes)
      for (let left = 1 + dice.number(8); left > 0; left -= 1)
        copy[dice.number(copy.length)] = dice.number(256)
      return copy
    }
  }
}
