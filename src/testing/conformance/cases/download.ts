import type { Chapter } from '../case.ts'
import type { Context, Upload } from '../context.ts'
import {
  every,
  expectHeader,
  expectNoHeader,
  expectOffset,
  expectSameBytes,
  expectStatus,
  expectThat,
  header,
} from '../expect.ts'

const rfc9110 = 'https://www.rfc-editor.org/rfc/rfc9110.html'
const content = 'hello world'

async function downloadable(ctx: Context, metadata?: string): Promise<Upload> {
  if (!ctx.capabilities.download) ctx.notApplicable('the server does not serve finished uploads')
  return await ctx.finished(content, metadata === undefined ? {} : { metadata })
}

async function expectRange(
  ctx: Context,
  upload: Upload,
  range: string,
  from: number,
  to: number,
): Promise<void> {
  const answer = await ctx.get(upload, { Range: range })
  expectStatus(answer, 206)
  expectHeader(answer, 'Content-Range', `bytes ${from}-${to}/${content.length}`)
  expectSameBytes(answer.body, Buffer.from(content.slice(from, to + 1)), answer)
}

async function entityTag(ctx: Context, upload: Upload): Promise<string> {
  const answer = await ctx.get(upload)
  expectHeader(answer, 'ETag', /^"[^"]*"$/)
  return header(answer, 'ETag') ?? ''
}

/** GET of an upload is not part of tus; most servers have it. */
export const download: Chapter = {
  title: 'Download',
  section: `${rfc9110}#section-9.3.1`,
  cases: [
    {
      id: 'G-1',
      title: 'GET of a finished upload: 200, its bytes, Content-Length, Accept-Ranges',
      level: 'DECISION',
      async run(ctx) {
        const answer = await ctx.get(await downloadable(ctx))
        expectStatus(answer, 200)
        expectSameBytes(answer.body, Buffer.from(content), answer)
        expectHeader(answer, 'Content-Length', String(content.length))
        expectHeader(answer, 'Accept-Ranges', 'bytes')
      },
    },
    {
      id: 'G-2',
      title: 'Range: from-to, open end, last bytes, beyond the end',
      level: 'DECISION',
      section: `${rfc9110}#section-14.2`,
      async run(ctx) {
        const upload = await downloadable(ctx)
        await expectRange(ctx, upload, 'bytes=2-4', 2, 4)
        await expectRange(ctx, upload, 'bytes=6-', 6, 10)
        await expectRange(ctx, upload, 'bytes=-5', 6, 10)
        await expectRange(ctx, upload, 'bytes=0-999', 0, 10)
      },
    },
    {
      id: 'G-3',
      title: 'a Range that cannot be satisfied: 416 with the size; one that is no range is ignored',
      level: 'DECISION',
      section: `${rfc9110}#section-15.5.17`,
      async run(ctx) {
        const upload = await downloadable(ctx)
        await every(['bytes=11-', 'bytes=100-200', 'bytes=-0'], async (range) => {
          const answer = await ctx.get(upload, { Range: range })
          expectStatus(answer, 416)
          expectHeader(answer, 'Content-Range', `bytes */${content.length}`)
        })
        await every(['bytes=abc', 'bytes=4-2', 'lines=1-2', 'bytes 1-2'], async (range) => {
          expectStatus(await ctx.get(upload, { Range: range }), 200)
        })
      },
    },
    {
      id: 'G-4',
      title: 'a strong ETag; If-None-Match with it: 304 without a body',
      level: 'DECISION',
      section: `${rfc9110}#section-13.1.2`,
      async run(ctx) {
        const upload = await downloadable(ctx)
        const tag = await entityTag(ctx, upload)
        await every([tag, `"other", ${tag}`, `W/${tag}`, '*'], async (value) => {
          const answer = await ctx.get(upload, { 'If-None-Match': value })
          expectStatus(answer, 304)
          expectHeader(answer, 'ETag', tag)
        })
        expectStatus(await ctx.get(upload, { 'If-None-Match': '"other"' }), 200)
      },
    },
    {
      id: 'G-5',
      title: 'If-Range with another tag: the whole; with the right one: the range',
      level: 'DECISION',
      section: `${rfc9110}#section-13.1.5`,
      async run(ctx) {
        const upload = await downloadable(ctx)
        const tag = await entityTag(ctx, upload)
        expectStatus(await ctx.get(upload, { Range: 'bytes=2-4', 'If-Range': '"other"' }), 200)
        expectStatus(await ctx.get(upload, { Range: 'bytes=2-4', 'If-Range': tag }), 206)
      },
    },
    {
      id: 'G-6',
      title: 'GET of an unfinished upload: 204 with the offset fields, no bytes',
      level: 'DECISION',
      async run(ctx) {
        if (!ctx.capabilities.download) ctx.notApplicable('the server does not serve finished uploads')
        const upload = await ctx.create({ length: content.length })
        await ctx.patch(upload, 0, 'hello')
        const answer = await ctx.get(upload)
        expectStatus(answer, 204)
        expectOffset(answer, 5)
      },
    },
    {
      id: 'G-7',
      title: 'what is served cannot act as a page of the server: attachment, nosniff, sandbox',
      level: 'DECISION',
      async run(ctx) {
        const name = Buffer.from('page.html').toString('base64')
        const type = Buffer.from('text/html').toString('base64')
        const answer = await ctx.get(await downloadable(ctx, `filename ${name},filetype ${type}`))
        expectHeader(answer, 'Content-Disposition', /^attachment/)
        expectHeader(answer, 'X-Content-Type-Options', 'nosniff')
        expectHeader(answer, 'Content-Security-Policy', /sandbox/)
      },
    },
    {
      id: 'G-8',
      title: 'a name outside ASCII is offered as filename*',
      level: 'DECISION',
      section: 'https://www.rfc-editor.org/rfc/rfc6266.html#section-4.3',
      async run(ctx) {
        const name = Buffer.from('für \u{1f600}.txt').toString('base64')
        const answer = await ctx.get(await downloadable(ctx, `filename ${name}`))
        expectHeader(answer, 'Content-Disposition', /filename\*=UTF-8''f%C3%BCr%20%F0%9F%98%80\.txt/i)
      },
    },
    {
      id: 'G-9',
      title: 'GET of an unknown upload: 404',
      level: 'DECISION',
      async run(ctx) {
        if (!ctx.capabilities.download) ctx.notApplicable('the server does not serve finished uploads')
        expectStatus(await ctx.get(ctx.unknown()), 404)
      },
    },
    {
      id: 'G-10',
      title: 'HEAD stays the question for the offset, with or without a Range',
      level: 'DECISION',
      async run(ctx) {
        const upload = await downloadable(ctx)
        const answer = await ctx.head(upload, { Range: 'bytes=0-1' })
        expectStatus(answer, 200, 204)
        expectOffset(answer, content.length)
        expectNoHeader(answer, 'Content-Range')
        expectThat(answer.body.length === 0, 'expected no body', answer)
      },
    },
  ],
}
