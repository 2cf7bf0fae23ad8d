import { tusSection, type Chapter } from '../case.ts'
import { offsetOctets, type Context, type Upload } from '../context.ts'
import {
  every,
  expectHeader,
  expectNoHeader,
  expectOffset,
  expectRefused,
  expectStatus,
  expectThat,
  Unmet,
} from '../expect.ts'

async function expectDeferred(ctx: Context, upload: Upload): Promise<void> {
  const answer = await ctx.head(upload)
  expectHeader(answer, 'Upload-Defer-Length', '1')
  expectNoHeader(answer, 'Upload-Length')
}

async function expectLength(ctx: Context, upload: Upload, length: number): Promise<void> {
  const answer = await ctx.head(upload)
  expectHeader(answer, 'Upload-Length', String(length))
  expectNoHeader(answer, 'Upload-Defer-Length')
}

function limitOf(ctx: Context): bigint {
  return ctx.capabilities.maxSizeBytes ?? ctx.notApplicable('the server announces no Tus-Max-Size')
}

/** tus 1.0 §Creation, deferred length. */
export const deferLength: Chapter = {
  title: 'Deferred length',
  section: tusSection('upload-defer-length'),
  cases: [
    {
      id: 'T-L1',
      title: 'Upload-Defer-Length: 1 makes an upload without a length; HEAD says so',
      level: 'MUST',
      requires: ['creation-defer-length'],
      async run(ctx) {
        await expectDeferred(ctx, await ctx.create({ defer: true }))
      },
    },
    {
      id: 'T-L2',
      title: 'any other value of Upload-Defer-Length: 400',
      level: 'SHOULD',
      requires: ['creation-defer-length'],
      async run(ctx) {
        await every(['0', '2', 'true', '1, 1', '01', ''], async (value) => {
          const answer = await ctx.post({ 'Upload-Defer-Length': value })
          expectStatus(answer, 400)
          expectNoHeader(answer, 'Location')
        })
      },
    },
    {
      id: 'T-L3',
      title: 'the length arrives with a later PATCH, with or without data',
      level: 'MUST',
      requires: ['creation-defer-length'],
      async run(ctx) {
        const upload = await ctx.create({ defer: true })
        expectStatus(await ctx.patch(upload, 0, 'hello'), 204)
        expectStatus(await ctx.patch(upload, 5, ' wo', { 'Upload-Length': '11' }), 204)
        await expectLength(ctx, upload, 11)
        expectStatus(await ctx.patch(upload, 8, 'rld'), 204)
        await ctx.expectContent(upload, 'hello world')
        const empty = await ctx.create({ defer: true })
        expectStatus(await ctx.patch(empty, 0, 'hello'), 204)
        expectOffset(await ctx.patch(empty, 5, '', { 'Upload-Length': '5' }), 5)
        await expectLength(ctx, empty, 5)
        await ctx.expectContent(empty, 'hello')
      },
    },
    {
      id: 'T-L4',
      title: 'a length once set never changes',
      level: 'MUST',
      requires: ['creation-defer-length'],
      async run(ctx) {
        const upload = await ctx.create({ defer: true })
        await ctx.patch(upload, 0, 'hello', { 'Upload-Length': '11' })
        const answer = await ctx.patch(upload, 5, '', { 'Upload-Length': '20' })
        await expectLength(ctx, upload, 11)
        expectThat(answer.status < 500, 'expected no server error', answer)
      },
    },
    {
      id: 'T-L4d',
      title: 'another length afterwards is 400; the same one again is accepted',
      level: 'DECISION',
      requires: ['creation-defer-length'],
      async run(ctx) {
        const upload = await ctx.create({ defer: true })
        await ctx.patch(upload, 0, 'hello', { 'Upload-Length': '11' })
        expectStatus(await ctx.patch(upload, 5, ' ', { 'Upload-Length': '20' }), 400)
        await ctx.expectAt(upload, 5)
        expectStatus(await ctx.patch(upload, 5, ' ', { 'Upload-Length': '11' }), 204)
      },
    },
    {
      id: 'T-L5',
      title: 'a length below what is stored or sent is 400 or 413 and is not set',
      level: 'DECISION',
      requires: ['creation-defer-length'],
      async run(ctx) {
        const upload = await ctx.create({ defer: true })
        await ctx.patch(upload, 0, 'hello')
        expectStatus(await ctx.patch(upload, 5, '', { 'Upload-Length': '3' }), 400, 413)
        await expectDeferred(ctx, upload)
        expectStatus(await ctx.patch(upload, 5, ' world', { 'Upload-Length': '7' }), 400, 413)
        await expectDeferred(ctx, upload)
        await ctx.expectAt(upload, 5)
      },
    },
    {
      id: 'T-L6',
      title: 'a length above Tus-Max-Size set by a PATCH: 413, not set',
      level: 'DECISION',
      requires: ['creation-defer-length'],
      async run(ctx) {
        const length = String(limitOf(ctx) + 1n)
        const upload = await ctx.create({ defer: true })
        expectStatus(await ctx.patch(upload, 0, '', { 'Upload-Length': length }), 413)
        await expectDeferred(ctx, upload)
      },
    },
    {
      id: 'T-L6a',
      title: 'while the length is unknown, a body beyond Tus-Max-Size is refused with 413 before it is read',
      level: 'DECISION',
      requires: ['creation-defer-length'],
      async run(ctx) {
        const request = await ctx.open({
          method: 'PATCH',
          to: await ctx.create({ defer: true }),
          fields: {
            'Content-Type': offsetOctets,
            'Upload-Offset': '0',
            'Content-Length': String(limitOf(ctx) + 1n),
            Expect: '100-continue',
          },
        })
        const first = await request.first(2000)
        if (first !== 'answer') {
          request.close()
          throw new Unmet(`expected 413 at once, got ${first === 'interim' ? '100 Continue' : first}`)
        }
        expectStatus(await request.answer, 413)
        request.close()
      },
    },
    {
      id: 'T-L7',
      title: 'Upload-Length on PATCH of an upload with a length: equal is ignored, different is 400',
      level: 'DECISION',
      requires: ['creation'],
      async run(ctx) {
        const upload = await ctx.create({ length: 11 })
        expectStatus(await ctx.patch(upload, 0, 'hello', { 'Upload-Length': '11' }), 204)
        expectStatus(await ctx.patch(upload, 5, ' world', { 'Upload-Length': '12' }), 400)
        await ctx.expectAt(upload, 5)
      },
    },
    {
      id: 'T-L8',
      title: 'the length of a PATCH that fails is not set',
      level: 'DECISION',
      requires: ['creation-defer-length'],
      async run(ctx) {
        const upload = await ctx.create({ defer: true })
        expectStatus(await ctx.patch(upload, 3, 'hello', { 'Upload-Length': '11' }), 409)
        await expectDeferred(ctx, upload)
        if (!ctx.has('checksum')) return
        const wrong = { 'Upload-Checksum': 'sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=', 'Upload-Length': '11' }
        expectRefused(await ctx.patch(upload, 0, 'hello', wrong))
        await expectDeferred(ctx, upload)
      },
    },
    {
      id: 'T-L9',
      title: 'not announced: Upload-Defer-Length is 400 or 501, never an upload of length 0',
      level: 'DECISION',
      requires: ['creation'],
      without: 'creation-defer-length',
      async run(ctx) {
        const answer = await ctx.post({ 'Upload-Defer-Length': '1' })
        expectStatus(answer, 400, 501)
        expectNoHeader(answer, 'Location')
      },
    },
  ],
}
