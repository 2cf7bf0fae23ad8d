import { tusSection, type Chapter } from '../case.ts'
import type { Context, Upload } from '../context.ts'
import {
  every,
  expectHeader,
  expectNoHeader,
  expectOffset,
  expectStatus,
  expectThat,
  header,
  offsetIn,
  type Answer,
} from '../expect.ts'
import { headerValues } from '../wire-response.ts'
import { stalledPatch } from '../stall.ts'

const verbatim = ['filename d29ybGQudHh0,is_confidential', 'a ,b,c YQ==', 'z YQ==,a Yg==,m']

/** The directive itself: `no-store-ish` is not one. */
const noStore = /(?:^|,)[ \t]*no-store[ \t]*(?:,|$)/i

/** HEAD at the start, in the middle and at the end of one upload. */
async function allAlong(ctx: Context, look: (answer: Answer, offset: number) => void): Promise<void> {
  const upload = await ctx.create({ length: 11 })
  look(await ctx.head(upload), 0)
  await ctx.patch(upload, 0, 'hello')
  look(await ctx.head(upload), 5)
  await ctx.patch(upload, 5, ' world')
  look(await ctx.head(upload), 11)
}

async function goneUploads(ctx: Context): Promise<(Upload | string)[]> {
  if (!ctx.has('creation') || !ctx.has('termination')) return [ctx.unknown()]
  const deleted = await ctx.create({ length: 5 })
  await ctx.terminate(deleted)
  return [ctx.unknown(), deleted]
}

function expectNoBodyLength(answer: Answer): void {
  const lengths = headerValues(answer, 'content-length')
  expectThat(lengths.length === 0, `expected no Content-Length on a ${answer.status}`, answer)
}

/** tus 1.0 §HEAD. */
export const head: Chapter = {
  title: 'HEAD',
  section: tusSection('head'),
  cases: [
    {
      id: 'T-H1',
      title: 'Upload-Offset is always there: at 0, in the middle, and when the upload is complete',
      level: 'MUST',
      async run(ctx) {
        await allAlong(ctx, expectOffset)
      },
    },
    {
      id: 'T-H2',
      title: 'the status is 200 or 204',
      level: 'SHOULD',
      async run(ctx) {
        await allAlong(ctx, (answer) => expectStatus(answer, 200, 204))
      },
    },
    {
      id: 'T-H3',
      title: 'Upload-Length is there when the size is known, also 0',
      level: 'MUST',
      async run(ctx) {
        await allAlong(ctx, (answer) => expectHeader(answer, 'Upload-Length', '11'))
        const empty = await ctx.head(await ctx.create({ length: 0 }))
        expectHeader(empty, 'Upload-Length', '0')
        expectOffset(empty, 0)
      },
    },
    {
      id: 'T-H4',
      title: 'Upload-Defer-Length: 1 while the size is unknown, Upload-Length afterwards, never both',
      level: 'MUST',
      section: tusSection('upload-defer-length'),
      requires: ['creation-defer-length'],
      async run(ctx) {
        const upload = await ctx.create({ defer: true })
        const expectDeferred = async (): Promise<void> => {
          const answer = await ctx.head(upload)
          expectHeader(answer, 'Upload-Defer-Length', '1')
          expectNoHeader(answer, 'Upload-Length')
        }
        await expectDeferred()
        expectStatus(await ctx.patch(upload, 0, 'hello'), 204)
        await expectDeferred()
        expectStatus(await ctx.patch(upload, 5, ' wor', { 'Upload-Length': '11' }), 204)
        const answer = await ctx.head(upload)
        expectHeader(answer, 'Upload-Length', '11')
        expectNoHeader(answer, 'Upload-Defer-Length')
      },
    },
    {
      id: 'T-H5',
      title: 'Cache-Control: no-store',
      level: 'MUST',
      async run(ctx) {
        await allAlong(ctx, (answer) => expectHeader(answer, 'Cache-Control', noStore))
      },
    },
    {
      id: 'T-H5d',
      title: 'Cache-Control: no-store on errors too',
      level: 'DECISION',
      async run(ctx) {
        await every(
          await goneUploads(ctx),
          async (upload) => expectHeader(await ctx.head(upload), 'Cache-Control', noStore),
          { label: nameOf },
        )
      },
    },
    {
      id: 'T-H6',
      title: 'an unknown or deleted upload gets 404, 410 or 403, without Upload-Offset',
      level: 'SHOULD',
      async run(ctx) {
        await every(
          await goneUploads(ctx),
          async (upload) => {
            const answer = await ctx.head(upload)
            expectStatus(answer, 404, 410, 403)
            expectNoHeader(answer, 'Upload-Offset')
          },
          { label: nameOf },
        )
      },
    },
    {
      id: 'T-H6d',
      title: 'unknown is 404, and a deleted one 404 or 410; 403 only means “not yours”',
      level: 'DECISION',
      async run(ctx) {
        const [unknown, deleted] = await goneUploads(ctx)
        if (unknown !== undefined) expectStatus(await ctx.head(unknown), 404)
        if (deleted !== undefined) expectStatus(await ctx.head(deleted), 404, 410)
      },
    },
    {
      id: 'T-H7',
      title: 'Upload-Metadata comes back as the client specified it, byte for byte',
      level: 'MUST',
      async run(ctx) {
        await every(verbatim, async (metadata) => {
          const answer = await ctx.head(await ctx.create({ length: 5, metadata }))
          expectHeader(answer, 'Upload-Metadata', metadata)
        })
      },
    },
    {
      id: 'T-H8',
      title: 'Upload-Concat comes back as received, for partial and final uploads',
      level: 'MUST',
      section: tusSection('concatenation'),
      requires: ['concatenation'],
      async run(ctx) {
        const parts = [await ctx.partial('hello'), await ctx.partial(' world')]
        const concat = `final;${parts.map(({ target }) => target).join(' ')}`
        const final = await ctx.create({ concat })
        expectHeader(await ctx.head(final), 'Upload-Concat', concat)
        const [part] = parts
        if (part !== undefined) expectHeader(await ctx.head(part), 'Upload-Concat', 'partial')
      },
    },
    {
      id: 'T-H9',
      title: 'HEAD does not send the upload’s length as Content-Length, and a 204 has none at all',
      level: 'DECISION',
      section: 'https://www.rfc-editor.org/rfc/rfc9110.html#section-8.6',
      async run(ctx) {
        const upload = await ctx.create({ length: 11 })
        const expectNotTheLength = (answer: Answer): void => {
          expectThat(header(answer, 'Content-Length') !== '11', 'expected no Content-Length: 11', answer)
          if (answer.status === 204) expectNoBodyLength(answer)
        }
        expectNotTheLength(await ctx.head(upload))
        expectNotTheLength(await ctx.patch(upload, 0, 'hello world'))
        // Once complete, a GET has 11 bytes and the field would be right: only the 204 rule is left.
        const finished = await ctx.head(upload)
        if (finished.status === 204) expectNoBodyLength(finished)
        const options = await ctx.options()
        if (options.status === 204) expectNoBodyLength(options)
        if (ctx.has('termination')) expectNotTheLength(await ctx.terminate(upload))
      },
    },
    {
      id: 'T-H10',
      title: 'Upload-Expires is on HEAD too while the upload can expire',
      level: 'DECISION',
      section: tusSection('upload-expires'),
      requires: ['expiration'],
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        const patched = await ctx.patch(upload, 0, 'he')
        const expires = header(patched, 'Upload-Expires') ?? header(upload.created, 'Upload-Expires')
        if (expires === undefined) ctx.notApplicable('this upload does not expire')
        expectHeader(await ctx.head(upload), 'Upload-Expires', /GMT$/)
      },
    },
    {
      id: 'T-H11',
      title: 'HEAD while a PATCH runs answers an offset that the next PATCH is accepted with',
      level: 'DECISION',
      async run(ctx) {
        const upload = await ctx.create({ length: 10 })
        const running = await stalledPatch(ctx, upload, 'hello', 10)
        const answer = await ctx.head(upload)
        expectStatus(answer, 200, 204)
        const offset = offsetIn(answer)
        expectThat(offset <= 5, 'expected at most the 5 bytes that were sent', answer)
        expectStatus(await ctx.patch(upload, offset, 'hello12345'.slice(offset)), 204)
        // Bytes of the old request may not land behind those of the new one.
        running.write('XXXXX')
        running.close()
        await ctx.expectAt(upload, 10)
        await ctx.expectContent(upload, 'hello12345')
      },
    },
  ],
}

function nameOf(upload: Upload | string): string {
  return typeof upload === 'string' ? 'an unknown upload' : 'a deleted upload'
}
