import { tusSection, type Chapter } from '../case.ts'
import { offsetOctets } from '../context.ts'
import { every, expectHeader, expectOffset, expectStatus, expectThat, offsetIn } from '../expect.ts'

const badOffsets = [
  '-1',
  '+0',
  '0x0',
  '0.0',
  '1.0',
  '0e0',
  '1e2',
  '',
  '0, 0',
  '0 0',
  'abc',
  '9007199254740992',
]

/** tus 1.0 §PATCH: what is accepted and what is refused. */
export const patch: Chapter = {
  title: 'PATCH',
  section: tusSection('patch'),
  cases: [
    {
      id: 'T-P1',
      title: 'bytes at the right offset: 204, the new Upload-Offset, no body; HEAD agrees',
      level: 'MUST',
      async run(ctx) {
        const upload = await ctx.create({ length: 11 })
        const answer = await ctx.patch(upload, 0, 'hello')
        expectStatus(answer, 204)
        expectOffset(answer, 5)
        await ctx.expectAt(upload, 5)
        expectOffset(await ctx.patch(upload, 5, ' world'), 11)
        await ctx.expectContent(upload, 'hello world')
      },
    },
    {
      id: 'T-P2',
      title: 'another offset (lower, higher, beyond the length): 409, the upload stays as it was',
      level: 'MUST',
      async run(ctx) {
        const upload = await ctx.create({ length: 11 })
        await ctx.patch(upload, 0, 'hello')
        await every(
          [0, 4, 6, 11, 12, 1000],
          async (offset) => {
            expectStatus(await ctx.patch(upload, offset, 'X'), 409)
            await ctx.expectAt(upload, 5)
          },
          { label: (offset) => `offset ${offset} of an upload at 5` },
        )
        await ctx.patch(upload, 5, ' world')
        await ctx.expectContent(upload, 'hello world')
      },
    },
    {
      id: 'T-P2d',
      title: 'the 409 says the current Upload-Offset',
      level: 'DECISION',
      async run(ctx) {
        const upload = await ctx.create({ length: 11 })
        await ctx.patch(upload, 0, 'hello')
        expectOffset(await ctx.patch(upload, 3, 'X'), 5)
      },
    },
    {
      id: 'T-P3',
      title: 'another or a missing Content-Type: 415, unchanged',
      level: 'SHOULD',
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        await every(['text/plain', 'application/offset', null], async (type) => {
          expectStatus(await ctx.patch(upload, 0, 'hello', { 'Content-Type': type }), 415)
          await ctx.expectAt(upload, 0)
        })
      },
    },
    {
      id: 'T-P3d',
      title: 'the Content-Type is compared without case and parameters',
      level: 'DECISION',
      async run(ctx) {
        await every(['Application/Offset+Octet-Stream', `${offsetOctets}; x=y`], async (type) => {
          const upload = await ctx.create({ length: 5 })
          expectStatus(await ctx.patch(upload, 0, 'hello', { 'Content-Type': type }), 204)
        })
      },
    },
    {
      id: 'T-P4',
      title: 'no Upload-Offset: 400, unchanged',
      level: 'DECISION',
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        expectStatus(await ctx.patch(upload, 0, 'hello', { 'Upload-Offset': null }), 400)
        await ctx.expectAt(upload, 0)
      },
    },
    {
      id: 'T-P5',
      title: 'an Upload-Offset that is not digits (1e2, +0, 0x0, two lines, above 2^53-1): 400, unchanged',
      level: 'DECISION',
      patience: 2,
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        await every([...badOffsets, ['0', '0']], async (offset) => {
          expectStatus(await ctx.patch(upload, 0, 'hello', { 'Upload-Offset': offset }), 400)
          await ctx.expectAt(upload, 0)
        })
      },
    },
    {
      id: 'T-P5a',
      title: 'leading zeros and spaces around an Upload-Offset are accepted',
      level: 'DECISION',
      async run(ctx) {
        await every(['00', '  0\t'], async (offset) => {
          const upload = await ctx.create({ length: 5 })
          expectStatus(await ctx.patch(upload, offset, 'hello'), 204)
        })
      },
    },
    {
      id: 'T-P6',
      title: 'several small PATCHes make the same bytes as one',
      level: 'MUST',
      async run(ctx) {
        const content = 'many small pieces'
        const upload = await ctx.create({ length: content.length })
        for (const [offset, byte] of content.split('').entries()) {
          const answer = await ctx.patch(upload, offset, byte)
          expectStatus(answer, 204)
          expectOffset(answer, offset + 1)
        }
        await ctx.expectContent(upload, content)
      },
    },
    {
      id: 'T-P7',
      title: 'an empty PATCH at the right offset: 204, same offset, also on a complete upload',
      level: 'DECISION',
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        for (const offset of [0, 5]) {
          const answer = await ctx.patch(upload, offset, '')
          expectStatus(answer, 204)
          expectOffset(answer, offset)
          await ctx.patch(upload, offset, 'hello'.slice(offset))
        }
      },
    },
    {
      id: 'T-P8',
      title: 'Content-Length beyond the length: 413, offset unchanged',
      level: 'DECISION',
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        expectStatus(await ctx.patch(upload, 0, 'hello world'), 413)
        await ctx.expectAt(upload, 0)
      },
    },
    {
      id: 'T-P9',
      title: 'a chunked body beyond the length: 413, closed, what fits is kept, nothing beyond is stored',
      level: 'DECISION',
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        const request = await ctx.open({
          method: 'PATCH',
          to: upload,
          fields: { 'Content-Type': offsetOctets, 'Upload-Offset': '0', 'Transfer-Encoding': 'chunked' },
        })
        // The body has no end: what comes after the answer can only be cut off.
        request.write('b\r\nhello world\r\n')
        const answer = await request.answer
        expectStatus(answer, 413)
        expectThat(await request.closes(3000), 'expected the connection to be closed after the 413', answer)
        request.close()
        await ctx.expectAt(upload, 5)
        await ctx.expectContent(upload, 'hello')
      },
    },
    {
      id: 'T-P9m',
      title: 'a chunked body within the length is stored like any other',
      level: 'MUST',
      async run(ctx) {
        const upload = await ctx.create({ length: 11 })
        const fields = { 'Content-Type': offsetOctets, 'Upload-Offset': '0' }
        const answer = await ctx.ask({ method: 'PATCH', to: upload, fields, chunks: ['hello', ' ', 'world'] })
        expectStatus(answer, 204)
        expectOffset(answer, 11)
        await ctx.expectContent(upload, 'hello world')
      },
    },
    {
      id: 'T-P10',
      title: 'PATCH of an unknown upload: 404',
      level: 'SHOULD',
      async run(ctx) {
        expectStatus(await ctx.patch(ctx.unknown(), 0, 'hello'), 404)
      },
    },
    {
      id: 'T-P13',
      title: 'PATCH with data on a complete upload: 413 (or 204 without storing), content unchanged',
      level: 'DECISION',
      async run(ctx) {
        const upload = await ctx.finished('hello')
        const answer = await ctx.patch(upload, 5, ' world')
        expectStatus(answer, 413, 204)
        if (answer.status === 204) expectOffset(answer, 5)
        await ctx.expectAt(upload, 5)
        await ctx.expectContent(upload, 'hello')
      },
    },
    {
      id: 'T-P14',
      title:
        'the new offset counts bytes stored: 204, HEAD and content agree (a crash is not seen from here)',
      level: 'MUST',
      async run(ctx) {
        const content = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251))
        const upload = await ctx.create({ length: content.length })
        let offset = 0
        for (const size of [1, 65_536, 100_000, content.length]) {
          const answer = await ctx.patch(upload, offset, content.subarray(offset, offset + size))
          expectStatus(answer, 204)
          const next = offsetIn(answer)
          expectThat(next > offset, 'expected progress', answer)
          expectHeader(await ctx.head(upload), 'Upload-Offset', String(next))
          offset = next
        }
        // A server may store fewer bytes than it was sent, and says so in the offset: then there is more to send.
        while (offset < content.length)
          offset = offsetIn(await ctx.patch(upload, offset, content.subarray(offset)))
        await ctx.expectContent(upload, content)
      },
    },
    {
      id: 'T-P16',
      title: 'PATCH to the creation URL, or POST below it, is 404 or 405 and creates nothing',
      level: 'DECISION',
      async run(ctx) {
        expectStatus(await ctx.patch(ctx.endpoint, 0, 'hello'), 404, 405)
        const upload = await ctx.create({ length: 5 })
        await every(['the upload', 'an unknown upload'], async (where) => {
          const to = where === 'the upload' ? upload : ctx.unknown()
          const answer = await ctx.ask({ method: 'POST', to, fields: { 'Upload-Length': '5' } })
          expectStatus(answer, 404, 405)
        })
        await ctx.expectAt(upload, 0)
      },
    },
  ],
}
