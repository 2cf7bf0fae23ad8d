import { tusSection, type Case } from '../case.ts'
import type { Context, Upload } from '../context.ts'
import { every, expectHeader, expectNoHeader, expectOffset, expectRefused, expectThat } from '../expect.ts'

const section = tusSection('upload-concat')

async function expectWhole(ctx: Context, final: Upload): Promise<void> {
  const answer = await ctx.head(final)
  expectOffset(answer, 5)
  expectHeader(answer, 'Upload-Length', '5')
  await ctx.expectContent(final, 'hello')
}

/** The ways to write a part's URL relative to the creation URL that resolve to it. */
function relativeForms(ctx: Context, part: Upload): string[] {
  return [part.id, `./${part.id}`].filter((form) => new URL(form, ctx.url).href === part.url.href)
}

/** How the URLs of parts may be written. */
export const concatenationUrls: readonly Case[] = [
  {
    id: 'T-N4',
    title: 'the URLs of parts may be absolute or relative (with a leading slash), and as Location gave them',
    level: 'MAY',
    section,
    requires: ['concatenation'],
    async run(ctx) {
      const forms: ((part: Upload) => string)[] = [
        ({ location }) => location,
        ({ url }) => url.href,
        ({ target }) => target,
      ]
      await every(
        forms,
        async (form) => {
          await expectWhole(ctx, await ctx.create({ concat: `final;${form(await ctx.partial('hello'))}` }))
        },
        { label: (form) => ['Location', 'the absolute URL', 'the path'][forms.indexOf(form)] ?? '' },
      )
    },
  },
  {
    id: 'T-N4a',
    title: 'an id alone is resolved against the creation URL',
    level: 'DECISION',
    section,
    requires: ['concatenation'],
    async run(ctx) {
      const part = await ctx.partial('hello')
      const forms = relativeForms(ctx, part)
      if (forms.length === 0) ctx.notApplicable('uploads do not live below the creation URL')
      await every(
        forms,
        async (form) => await expectWhole(ctx, await ctx.create({ concat: `final;${form}` })),
      )
    },
  },
  {
    id: 'T-N4o',
    title: 'a URL of another origin is 4xx and is never fetched',
    level: 'DECISION',
    section,
    requires: ['concatenation'],
    async run(ctx) {
      const part = await ctx.partial('hello')
      const foreign = [
        `http://other.invalid${part.target}`,
        `//other.invalid${part.target}`,
        `ftp://${part.url.host}${part.target}`,
        'file:///etc/passwd',
        'http://169.254.169.254/latest/meta-data',
      ]
      await every(foreign, async (url) => {
        const answer = await ctx.post({ 'Upload-Concat': `final;${url}` })
        expectRefused(answer)
        expectNoHeader(answer, 'Location')
      })
    },
  },
  {
    id: 'T-N4e',
    title: 'other spellings of a part (percent-encoded, trailing slash, query) work or are 4xx',
    level: 'DECISION',
    section,
    requires: ['concatenation'],
    async run(ctx) {
      const part = await ctx.partial('hello')
      const first = part.id.charCodeAt(0).toString(16)
      const path = part.url.pathname
      const encoded = path.replace(part.id, `%${first}${part.id.slice(1)}`)
      await every([encoded, `${path}/`, `${path}?x=y`, `${path}#z`, `/.${path}`], async (form) => {
        const answer = await ctx.post({ 'Upload-Concat': `final;${form}` })
        expectThat(answer.status < 500, 'expected no server error', answer)
        if (answer.status === 201) await expectWhole(ctx, ctx.uploadOf(answer))
        else expectRefused(answer)
      })
    },
  },
]
