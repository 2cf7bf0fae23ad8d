import { createHash } from 'node:crypto'

type Field = [name: string, value: string]

/** A request in pieces that can be bent one by one. Strings go out as latin1, byte for byte. */
export interface TusRequest {
  method: string
  target: string
  version: string
  fields: Field[]
  body: Buffer
  /** Body in chunks of this size in place of a `Content-Length`. */
  chunkBytes: number | undefined
  trailers: Field[]
}

/** Chances for whoever builds requests: the same ones for the same seed. */
export interface Dice {
  /** From 0 to before `below`. */
  number(below: number): number
  pick<T>(from: readonly T[]): T
  /** True once in `one` times. */
  oneIn(one: number): boolean
}

export function diceOf(random: () => number): Dice {
  const number = (below: number): number => Math.floor(random() * below)
  return {
    number,
    oneIn: (one) => number(one) === 0,
    pick: (from) => {
      const picked = from[number(from.length)]
      if (picked === undefined) throw new RangeError('nothing to pick from')
      return picked
    },
  }
}

/** A new one each time: fields are bent in place. */
function contentType(): Field {
  return ['Content-Type', 'application/offset+octet-stream']
}

const ALGORITHMS = ['sha1', 'sha256', 'md5'] as const

function bodyOf(dice: Dice): Buffer {
  const length = dice.pick([0, 1, 5, 10, 64, 1000, 5000])
  return Buffer.alloc(length, dice.pick(['a', 'carryon', '\0', '\r\n', '0\r\n\r\n']))
}

function checksumOf(dice: Dice, body: Buffer): Field {
  const algorithm = dice.pick(ALGORITHMS)
  return ['Upload-Checksum', `${algorithm} ${createHash(algorithm).update(body).digest('base64')}`]
}

type Build = (dice: Dice, upload: string, request: TusRequest) => void

const creation: Build = (dice, _, request) => {
  request.method = 'POST'
  request.fields.push(['Upload-Length', String(dice.pick([0, 1, 10, 64, 1000, 5000]))])
  if (dice.oneIn(2)) request.fields.push(['Upload-Metadata', 'filename aGVsbG8udHh0,is_confidential'])
}

const creationWithUpload: Build = (dice, _, request) => {
  request.method = 'POST'
  request.body = bodyOf(dice)
  request.fields.push(contentType(), ['Upload-Length', String(request.body.length + dice.pick([0, 0, 64]))])
  if (dice.oneIn(3)) request.fields.push(checksumOf(dice, request.body))
  if (dice.oneIn(4)) request.fields.push(['Expect', '100-continue'])
}

const deferred: Build = (_, _upload, request) => {
  request.method = 'POST'
  request.fields.push(['Upload-Defer-Length', '1'])
}

const partial: Build = (dice, upload, request) => {
  creationWithUpload(dice, upload, request)
  request.fields.push(['Upload-Concat', 'partial'])
}

const final: Build = (dice, upload, request) => {
  request.method = 'POST'
  const parts = Array.from({ length: dice.pick([1, 2, 50]) }, () => upload)
  request.fields.push(['Upload-Concat', `final;${parts.join(' ')}`])
}

const append: Build = (dice, upload, request) => {
  request.method = 'PATCH'
  request.target = upload
  request.body = bodyOf(dice)
  request.fields.push(contentType(), ['Upload-Offset', String(dice.pick([0, 0, 0, 1, 10, 64]))])
  if (dice.oneIn(4)) request.fields.push(checksumOf(dice, request.body))
  if (dice.oneIn(6)) request.fields.push(['Upload-Length', String(dice.pick([0, 64, 10_000]))])
}

const appendWithTrailer: Build = (dice, upload, request) => {
  append(dice, upload, request)
  request.chunkBytes = dice.pick([1, 7, 1000])
  request.fields.push(['Trailer', 'Upload-Checksum'])
  request.trailers.push(checksumOf(dice, request.body))
}

const byOverride: Build = (dice, upload, request) => {
  append(dice, upload, request)
  request.method = 'POST'
  request.fields.push([
    'X-HTTP-Method-Override',
    dice.pick(['PATCH', 'PATCH', 'HEAD', 'DELETE', 'GET', 'OPTIONS']),
  ])
}

const plain =
  (method: string): Build =>
  (_, upload, request) => {
    request.method = method
    request.target = upload
  }

const download: Build = (dice, upload, request) => {
  plain('GET')(dice, upload, request)
  request.fields.push([
    'Range',
    dice.pick(['bytes=0-', 'bytes=-5', 'bytes=3-7', 'bytes=0-0,2-3', 'bytes=9-3']),
  ])
}

const preflight: Build = (dice, upload, request) => {
  request.method = 'OPTIONS'
  request.target = dice.pick([upload, '/files/', '*'])
  request.fields.push(['Origin', 'https://app.example'], ['Access-Control-Request-Method', 'PATCH'])
}

// What stands here several times comes more often.
const builds: readonly Build[] = [
  creation,
  creationWithUpload,
  creationWithUpload,
  deferred,
  partial,
  final,
  append,
  append,
  append,
  appendWithTrailer,
  byOverride,
  plain('HEAD'),
  plain('HEAD'),
  plain('GET'),
  plain('DELETE'),
  download,
  preflight,
]

/** A request as a client would send it. @param upload - Path of an upload that may be there. */
export function validRequest(dice: Dice, upload: string): TusRequest {
  const request: TusRequest = {
    method: 'POST',
    target: '/files/',
    version: 'HTTP/1.1',
    fields: [
      ['Host', '127.0.0.1'],
      ['Tus-Resumable', '1.0.0'],
    ],
    body: Buffer.alloc(0),
    chunkBytes: undefined,
    trailers: [],
  }
  dice.pick(builds)(dice, upload, request)
  if (request.chunkBytes === undefined && request.body.length > 0 && dice.oneIn(4)) {
    request.chunkBytes = dice.pick([1, 7, 1000])
  }
  const framing: Field =
    request.chunkBytes === undefined
      ? ['Content-Length', String(request.body.length)]
      : ['Transfer-Encoding', 'chunked']
  request.fields.push(framing)
  return request
}

/** The request on the wire. */
export function bytesOf({ method, target, version, fields, body, chunkBytes, trailers }: TusRequest): Buffer {
  const lines = [
    `${method} ${target} ${version}`,
    ...fields.map(([name, value]) => `${name}: ${value}`),
    '',
    '',
  ]
  const head = Buffer.from(lines.join('\r\n'), 'latin1')
  if (chunkBytes === undefined) return Buffer.concat([head, body])
  const parts: Buffer[] = [head]
  for (let at = 0; at < body.length; at += chunkBytes) {
    const chunk = body.subarray(at, at + chunkBytes)
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'))
  }
  const end = ['0', ...trailers.map(([name, value]) => `${name}: ${value}`), '', '']
  return Buffer.concat([...parts, Buffer.from(end.join('\r\n'), 'latin1')])
}
