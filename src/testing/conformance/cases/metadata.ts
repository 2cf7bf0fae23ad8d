import { tusSection, type Chapter } from '../case.ts'
import type { Context } from '../context.ts'
import { every, expectHeader, expectNoHeader, expectStatus, expectThat, header } from '../expect.ts'
import { rawUtf8 } from '../wire-request.ts'

/** File names that break out of a header, a path or a log if they are used as they are. */
const nastyNames = [
  '..\r\nX-Smuggled: yes',
  'a\nX-Smuggled: yes',
  '../../../../etc/passwd',
  '..\\..\\windows\\system.ini',
  'nul\u0000byte.txt',
  '"; filename="evil.html',
  '\u{1f4a9}\u202egnp.exe',
  'x'.repeat(4096),
]

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64')
}

async function expectRefusedMetadata(ctx: Context, values: readonly string[]): Promise<void> {
  await every(values, async (metadata) => {
    const answer = await ctx.post({ 'Upload-Length': '5', 'Upload-Metadata': metadata })
    expectStatus(answer, 400)
    expectNoHeader(answer, 'Location')
  })
}

/** tus 1.0 §Upload-Metadata. */
export const metadata: Chapter = {
  title: 'Upload-Metadata',
  section: tusSection('upload-metadata'),
  cases: [
    {
      id: 'T-M1',
      title: 'key with value and key alone are accepted (how the server decodes them is not seen from here)',
      level: 'MUST',
      requires: ['creation'],
      async run(ctx) {
        const metadata = 'filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential'
        expectHeader(
          await ctx.head(await ctx.create({ length: 5, metadata })),
          'Upload-Metadata',
          /filename d29ybGR/,
        )
      },
    },
    {
      id: 'T-M2',
      title: 'an empty value is legal with and without the space behind its key',
      level: 'MAY',
      requires: ['creation'],
      async run(ctx) {
        await every(['k', 'k ,b YQ==', 'k,b YQ=='], async (metadata) => {
          await ctx.create({ length: 5, metadata })
        })
      },
    },
    {
      id: 'T-M3',
      title: 'a key that comes twice: 400',
      level: 'DECISION',
      requires: ['creation'],
      async run(ctx) {
        await expectRefusedMetadata(ctx, ['a YQ==,a Yg==', 'a YQ==,b,a YQ==', 'a,a'])
      },
    },
    {
      id: 'T-M4',
      title: 'an empty key, or a key with a space: 400',
      level: 'DECISION',
      requires: ['creation'],
      async run(ctx) {
        await expectRefusedMetadata(ctx, ['a b c', ',', ',a YQ==', 'a YQ==,', 'a YQ==,,b Yg=='])
      },
    },
    {
      id: 'T-M5',
      title: 'a value that is not Base64 (with padding, RFC 4648 §4): 400',
      level: 'DECISION',
      requires: ['creation'],
      async run(ctx) {
        await expectRefusedMetadata(ctx, ['a !!!', 'a YQ', 'a YQ=', 'a _-8=', 'a Y Q==', 'a YQ==YQ=='])
      },
    },
    {
      id: 'T-M6',
      title: 'spaces around commas are accepted, and so are two header lines',
      level: 'DECISION',
      requires: ['creation'],
      async run(ctx) {
        await every(['a YQ==, b Yg==', ['a YQ==', 'b Yg==']], async (value) => {
          const answer = await ctx.post({ 'Upload-Length': '5', 'Upload-Metadata': value })
          expectHeader(await ctx.head(ctx.uploadOf(answer)), 'Upload-Metadata', /^a YQ==,\s?b Yg==$/)
        })
      },
    },
    {
      id: 'T-M7',
      title: 'an empty header counts as none',
      level: 'DECISION',
      requires: ['creation'],
      async run(ctx) {
        expectNoHeader(await ctx.head(await ctx.create({ length: 5, metadata: '' })), 'Upload-Metadata')
      },
    },
    {
      id: 'T-M8',
      title: 'a key outside ASCII is refused, or comes back byte for byte',
      level: 'SHOULD',
      requires: ['creation'],
      async run(ctx) {
        const metadata = rawUtf8('ключ YQ==,имя')
        const answer = await ctx.post({ 'Upload-Length': '5', 'Upload-Metadata': metadata })
        expectStatus(answer, 201, 400)
        if (answer.status === 400) return
        expectHeader(await ctx.head(ctx.uploadOf(answer)), 'Upload-Metadata', metadata)
      },
    },
    {
      id: 'T-M9',
      title:
        'names with CR LF, NUL, quotes or 4 kB never break out of a header (paths and logs are not seen from here)',
      level: 'SHOULD',
      requires: ['creation'],
      patience: 2,
      async run(ctx) {
        await every(nastyNames, async (name) => await expectHarmless(ctx, name))
        await ctx.expectAlive()
      },
    },
    {
      id: 'T-M9d',
      title: 'a download offers the name without its path',
      level: 'DECISION',
      requires: ['creation'],
      async run(ctx) {
        if (!ctx.capabilities.download) ctx.notApplicable('the server does not serve finished uploads')
        await every(['../../etc/passwd', '..\\..\\system.ini', '/etc/passwd'], async (name) => {
          const answer = await ctx.get(await ctx.finished('hi', { metadata: `filename ${base64(name)}` }))
          const disposition = header(answer, 'Content-Disposition') ?? ''
          const decoded = disposition.replaceAll(/%2f|%5c/gi, '/')
          expectThat(!/etc[/\\]|\.\.[/\\]/.test(decoded), 'expected no path in Content-Disposition', answer)
        })
      },
    },
    {
      id: 'T-M10',
      title: 'metadata of 20 kB: 431 (or 400, 413), or an upload that gives it back whole',
      level: 'DECISION',
      requires: ['creation'],
      async run(ctx) {
        const metadata = `filename ${base64('x'.repeat(15_000))}`
        const answer = await ctx.post({ 'Upload-Length': '5', 'Upload-Metadata': metadata })
        expectStatus(answer, 201, 400, 413, 431)
        if (answer.status === 201)
          expectHeader(await ctx.head(ctx.uploadOf(answer)), 'Upload-Metadata', metadata)
        await ctx.expectAlive()
      },
    },
  ],
}

async function expectHarmless(ctx: Context, name: string): Promise<void> {
  const metadata = `filename ${base64(name)}`
  const answer = await ctx.post({ 'Upload-Length': '2', 'Upload-Metadata': metadata })
  expectStatus(answer, 201, 400, 413, 431)
  if (answer.status !== 201) return
  const upload = ctx.uploadOf(answer)
  expectStatus(await ctx.patch(upload, 0, 'hi'), 204)
  const answers = [
    answer,
    await ctx.head(upload),
    ...(ctx.capabilities.download ? [await ctx.get(upload)] : []),
  ]
  for (const each of answers) {
    expectNoHeader(each, 'X-Smuggled')
    const disposition = header(each, 'Content-Disposition') ?? ''
    expectThat(!/filename="evil\.html"/.test(disposition), 'expected quotes in a name to be escaped', each)
  }
}
