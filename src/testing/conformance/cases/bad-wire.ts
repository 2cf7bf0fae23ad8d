import type { Case } from '../case.ts'
import { offsetOctets, type Context } from '../context.ts'
import { answerOf, within } from '../exchange.ts'
import {
  every,
  expectOffset,
  expectRefused,
  expectStatus,
  expectThat,
  header,
  Unmet,
  type Answer,
} from '../expect.ts'
import { WireError } from '../wire-response.ts'

const rfc9112 = 'https://www.rfc-editor.org/rfc/rfc9112.html'
const asPatch = { 'Content-Type': offsetOctets, 'Upload-Offset': '0' }
const answerMs = 3000

/** What a server did with bytes: its answer, or that it closed the connection without one. */
interface Fate {
  readonly answer: Answer | undefined
  /** The connection was closed by the server after the answer. */
  readonly closed: boolean
  /** Bytes behind the answer: a second answer, where only one request was meant. */
  readonly surplusBytes: number
}

/** Sends bytes as they are and watches. A server that does neither answer nor close has hung. */
async function send(ctx: Context, bytes: string | Uint8Array, shown: string): Promise<Fate> {
  const connection = await ctx.connect()
  try {
    connection.write(bytes)
    const answering = answerOf(connection, 'POST', shown)
    const answer = await within(
      answering.then(
        (value) => value,
        (error: unknown) => {
          if (error instanceof WireError && error.trouble === 'closed') return 'closed' as const
          throw error
        },
      ),
      answerMs,
    )
    if (answer === undefined)
      throw new Unmet(`expected an answer or a closed connection, got neither\nsent: ${shown}`)
    if (answer === 'closed') return { answer: undefined, closed: true, surplusBytes: 0 }
    const closed =
      (await within(
        connection.ended.then(() => true),
        500,
      )) ?? false
    return { answer, closed, surplusBytes: connection.surplusBytes }
  } finally {
    connection.close()
  }
}

/** Refused or closed; the server still serves the next one. */
async function expectRejected(ctx: Context, bytes: string | Uint8Array, shown: string): Promise<void> {
  const { answer } = await send(ctx, bytes, shown)
  // 501 and 505 are the right words for a coding, method or version that is not implemented.
  if (answer !== undefined && answer.status !== 501 && answer.status !== 505) expectRefused(answer)
}

function rawPatch(ctx: Context, target: string, lines: readonly string[], body: string): string {
  const head = [`PATCH ${target} HTTP/1.1`, `Host: ${ctx.url.host}`, 'Tus-Resumable: 1.0.0', ...lines, '', '']
  return head.join('\r\n') + body
}

const patchLines = [`Content-Type: ${offsetOctets}`, 'Upload-Offset: 0']

/** Bad input below the level of tus: framing, request lines, connections. */
export const badWire: readonly Case[] = [
  {
    id: 'B-13',
    title: 'Content-Length and Transfer-Encoding together: 400 or closed, nothing is smuggled in',
    level: 'DECISION',
    section: `${rfc9112}#section-6.1`,
    requires: ['creation'],
    async run(ctx) {
      const upload = await ctx.create({ length: 5 })
      const victim = await ctx.create({ length: 5 })
      const smuggled = rawPatch(ctx, victim.target, [...patchLines, 'Content-Length: 5'], 'hello')
      const both = ['Transfer-Encoding: chunked', `Content-Length: ${5 + smuggled.length}`]
      const bytes = rawPatch(ctx, upload.target, [...patchLines, ...both], `0\r\n\r\n${smuggled}`)
      const { answer, closed } = await send(
        ctx,
        bytes,
        'PATCH with Content-Length and Transfer-Encoding: chunked',
      )
      if (answer !== undefined) expectRefused(answer)
      expectThat(closed, 'expected the connection to be closed', answer)
      await ctx.expectAt(victim, 0)
    },
  },
  {
    id: 'B-14',
    title: 'two Content-Length lines, or one that is no number: 400 or closed, nothing stored',
    level: 'DECISION',
    section: `${rfc9112}#section-6.3`,
    requires: ['creation'],
    async run(ctx) {
      const upload = await ctx.create({ length: 5 })
      const rows = [
        ['Content-Length: 5', 'Content-Length: 3'],
        ['Content-Length: 5, 3'],
        ['Content-Length: -1'],
        ['Content-Length: +5'],
        ['Content-Length: 5x'],
        ['Content-Length: 0x5'],
        ['Content-Length: 99999999999999999999999'],
      ]
      await every(rows, async (lines) => {
        await expectRejected(
          ctx,
          rawPatch(ctx, upload.target, [...patchLines, ...lines], 'hello'),
          lines.join(' / '),
        )
        await ctx.expectAt(upload, 0)
      })
    },
  },
  {
    id: 'B-15',
    title: 'chunks that are no chunks: 4xx or closed; nothing is stored that was not sent',
    level: 'DECISION',
    section: `${rfc9112}#section-7.1`,
    requires: ['creation'],
    async run(ctx) {
      const bodies = [
        'zz\r\nhello\r\n0\r\n\r\n',
        '-5\r\nhello\r\n0\r\n\r\n',
        '5\r\nhelloXX\r\n0\r\n\r\n',
        'fffffffffffffffff\r\nhello',
      ]
      await every(bodies, async (body) => {
        const upload = await ctx.create({ length: 11 })
        const lines = [...patchLines, 'Transfer-Encoding: chunked']
        await expectRejected(
          ctx,
          rawPatch(ctx, upload.target, lines, body),
          `chunked body ${JSON.stringify(body)}`,
        )
        const offset = await ctx.settled(upload)
        expectThat(offset <= 5, `expected at most 5 bytes to be stored, HEAD says ${offset}`)
      })
    },
  },
  {
    id: 'B-16',
    title:
      'header lines that are none (space before the colon, folding, bare CR, NUL, no colon): 4xx or closed',
    level: 'DECISION',
    section: `${rfc9112}#section-5.1`,
    requires: ['creation'],
    async run(ctx) {
      const lines = [
        'Upload-Length : 5',
        'Upload-Length: 5\r\n folded',
        'X: a\rb',
        'X: a\u0000b',
        'no colon',
        ': empty',
      ]
      await every(lines, async (line) => {
        const head = [`POST ${ctx.endpoint} HTTP/1.1`, `Host: ${ctx.url.host}`, 'Tus-Resumable: 1.0.0', line]
        await expectRejected(
          ctx,
          `${head.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`,
          `header line ${JSON.stringify(line)}`,
        )
      })
      await ctx.expectAlive()
    },
  },
  {
    id: 'B-17',
    title:
      'request lines that are none, an unknown method, a foreign version, a 64 kB target: refused, alive',
    level: 'DECISION',
    section: `${rfc9112}#section-3`,
    async run(ctx) {
      const path = ctx.endpoint
      const starts = [
        `FOO ${path} HTTP/1.1`,
        `POST ${path} HTTP/9.9`,
        `POST ${path}`,
        `POST  HTTP/1.1`,
        `POST ${path} with spaces HTTP/1.1`,
        `POST ${path}${'x'.repeat(65_536)} HTTP/1.1`,
        'PRI * HTTP/2.0',
        '\u0016\u0003\u0001\u0002',
      ]
      await every(
        starts,
        async (start) => {
          const bytes = `${start}\r\nHost: ${ctx.url.host}\r\nTus-Resumable: 1.0.0\r\nContent-Length: 0\r\n\r\n`
          await expectRejected(ctx, bytes, start.slice(0, 60))
        },
        { label: (start) => JSON.stringify(start.slice(0, 40)) },
      )
      await ctx.expectAlive()
    },
  },
  {
    id: 'B-18',
    title: 'no Host, or two: 400',
    level: 'DECISION',
    section: `${rfc9112}#section-3.2`,
    requires: ['creation'],
    async run(ctx) {
      await every([null, ['a.invalid', 'b.invalid']], async (host) => {
        const answer = await ctx.attempt({ method: 'POST', fields: { Host: host, 'Upload-Length': '5' } })
        if (answer !== undefined) expectStatus(answer, 400)
      })
    },
  },
  {
    id: 'B-19',
    title: 'after a refused PATCH the connection is usable or closed',
    level: 'DECISION',
    requires: ['creation'],
    async run(ctx) {
      const upload = await ctx.create({ length: 200_000 })
      const refused = ctx.bytes({
        method: 'PATCH',
        to: upload,
        fields: { ...asPatch, 'Upload-Offset': '7' },
        body: 'x'.repeat(100_000),
      })
      const connection = await ctx.connect()
      connection.write(refused)
      expectStatus(await answerOf(connection, 'PATCH', 'PATCH at a wrong offset, 100000 bytes'), 409)
      connection.write(ctx.bytes({ method: 'HEAD', to: upload }))
      const next = await answerOf(connection, 'HEAD', 'HEAD on the same connection').catch(
        (error: unknown) => {
          if (error instanceof WireError && error.trouble === 'closed') return undefined
          throw error
        },
      )
      connection.close()
      if (next !== undefined) expectOffset(next, 0)
    },
  },
  {
    id: 'B-20',
    title: 'a PATCH that will be refused is answered although its body never comes',
    level: 'DECISION',
    requires: ['creation'],
    async run(ctx) {
      const upload = await ctx.create({ length: 200_000 })
      const request = await ctx.open({
        method: 'PATCH',
        to: upload,
        fields: { ...asPatch, 'Upload-Offset': '7', 'Content-Length': '100000' },
      })
      request.write('only a start')
      const first = await request.first(answerMs)
      if (first !== 'answer') throw new Unmet(`expected 409 without waiting for the body, got ${first}`)
      const answer = await request.answer
      expectStatus(answer, 409)
      const closes =
        (await request.closes(answerMs)) || header(answer, 'Connection')?.toLowerCase() === 'close'
      request.close()
      expectThat(
        closes,
        'expected the connection to be closed: the rest of the body would be taken for a request',
        answer,
      )
    },
  },
  {
    id: 'B-21',
    title: 'a kept connection serves one request after the other, also when both are sent at once',
    level: 'DECISION',
    section: `${rfc9112}#section-9.3`,
    requires: ['creation'],
    async run(ctx) {
      const upload = await ctx.create({ length: 5 })
      const connection = await ctx.connect()
      const patch = ctx.bytes({ method: 'PATCH', to: upload, fields: asPatch, body: 'hello' })
      const head = ctx.bytes({ method: 'HEAD', to: upload })
      connection.write(Buffer.concat([patch, head, head]))
      const first = await connection.response('PATCH')
      expectStatus({ ...first, sent: 'PATCH, HEAD and HEAD at once' }, 204)
      const second = await connection.response('HEAD')
      expectOffset({ ...second, sent: 'HEAD behind a PATCH on one connection' }, 5)
      expectOffset(await answerOf(connection, 'HEAD', 'a second HEAD on the connection'), 5)
      connection.close()
    },
  },
  {
    id: 'B-22',
    title: 'HTTP/1.0 without Host is answered and the connection closed',
    level: 'DECISION',
    section: `${rfc9112}#section-9.3`,
    async run(ctx) {
      const ask = { method: 'OPTIONS', version: '1.0', fields: { Host: null } } as const
      const { answer, closed } = await send(ctx, ctx.bytes(ask), 'OPTIONS over HTTP/1.0')
      if (answer !== undefined) expectThat(answer.status < 500, 'expected no server error', answer)
      expectThat(closed, 'expected the connection to be closed', answer)
    },
  },
  {
    id: 'B-23',
    title: 'a body on HEAD, GET and OPTIONS does not disturb the next request of the connection',
    level: 'DECISION',
    section: `${rfc9112}#section-9.3`,
    requires: ['creation'],
    async run(ctx) {
      const upload = await ctx.create({ length: 5 })
      const body = `GET ${ctx.endpoint}smuggled HTTP/1.1\r\nHost: ${ctx.url.host}\r\n\r\n`
      await every(['HEAD', 'OPTIONS'], async (method) => {
        const connection = await ctx.connect()
        connection.write(ctx.bytes({ method, to: upload, body }))
        await connection.response(method)
        connection.write(ctx.bytes({ method: 'HEAD', to: upload }))
        const next = await answerOf(connection, 'HEAD', `HEAD after ${method} with a body`).catch(
          (error: unknown) => {
            if (error instanceof WireError && error.trouble === 'closed') return undefined
            throw error
          },
        )
        connection.close()
        if (next !== undefined) expectOffset(next, 0)
      })
    },
  },
]
