import type { Dice, TusRequest } from './tus-request.ts'
import { bytesOf } from './tus-request.ts'
import {
  ILLEGAL,
  METHODS,
  NAMES,
  NO_METHODS,
  NUMBERS,
  TARGETS,
  TEXTS,
  WRONG_CHECKSUMS,
} from './vocabulary.ts'

/**
 * What the server can know of where a bent request ends: `exact` leaves the connection usable, `whole` has to be
 * answered or refused, `unclear` may be the start of something longer.
 */
export type Framing = 'exact' | 'whole' | 'unclear'

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
