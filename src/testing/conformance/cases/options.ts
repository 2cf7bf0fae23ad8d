import { extensions, tusSection, type Chapter, type Extension } from '../case.ts'
import { offsetOctets, type Context } from '../context.ts'
import {
  every,
  expectHeader,
  expectNoHeader,
  expectOffset,
  expectStatus,
  expectThat,
  header,
  listHeader,
  type Answer,
} from '../expect.ts'

const wrongSha1 = 'sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA='

async function patchWithWrongTrailer(ctx: Context): Promise<Answer> {
  return await ctx.ask({
    method: 'PATCH',
    to: await ctx.create({ length: 5 }),
    fields: { 'Content-Type': offsetOctets, 'Upload-Offset': '0' },
    chunks: ['hello'],
    trailers: { 'Upload-Checksum': wrongSha1 },
  })
}

/** One sign of life per announced extension; the chapters of the extensions go into depth. */
const works: Partial<Record<Extension, (ctx: Context) => Promise<void>>> = {
  async creation(ctx) {
    await ctx.create({ length: 5 })
  },
  async 'creation-with-upload'(ctx) {
    expectOffset((await ctx.create({ length: 5, body: 'he' })).created, 2)
  },
  async 'creation-defer-length'(ctx) {
    expectHeader(await ctx.head(await ctx.create({ defer: true })), 'Upload-Defer-Length', '1')
  },
  async checksum(ctx) {
    const answer = await ctx.patch(await ctx.create({ length: 5 }), 0, 'hello', {
      'Upload-Checksum': wrongSha1,
    })
    expectThat(answer.status >= 400, 'expected a wrong checksum to be refused', answer)
  },
  async 'checksum-trailer'(ctx) {
    const answer = await patchWithWrongTrailer(ctx)
    expectThat(answer.status >= 400, 'expected a wrong checksum in the trailer to be refused', answer)
  },
  async termination(ctx) {
    expectStatus(await ctx.terminate(await ctx.create({ length: 5 })), 204)
  },
  async concatenation(ctx) {
    const upload = await ctx.create({ length: 5, concat: 'partial' })
    expectHeader(await ctx.head(upload), 'Upload-Concat', 'partial')
  },
}

/** What a server must not do when it does not announce an extension. */
const inert: Partial<Record<Extension, (ctx: Context) => Promise<void>>> = {
  async creation(ctx) {
    const answer = await ctx.ask({ method: 'POST', fields: { 'Upload-Length': '5' } })
    expectThat(answer.status !== 201, 'expected no 201: creation is not announced', answer)
  },
  async 'creation-with-upload'(ctx) {
    const fields = { 'Upload-Length': '5', 'Content-Type': offsetOctets }
    const answer = await ctx.post(fields, 'he')
    if (answer.status === 201) await ctx.expectAt(ctx.uploadOf(answer), 0)
  },
  async 'creation-defer-length'(ctx) {
    const answer = await ctx.post({ 'Upload-Defer-Length': '1' })
    expectThat(answer.status >= 400, 'expected a refusal: deferred length is not announced', answer)
  },
  async checksum(ctx) {
    const answer = await ctx.patch(await ctx.create({ length: 5 }), 0, 'hello', {
      'Upload-Checksum': wrongSha1,
    })
    expectThat(answer.status !== 460, 'expected no 460: checksum is not announced', answer)
  },
  async 'checksum-trailer'(ctx) {
    const answer = await patchWithWrongTrailer(ctx)
    expectThat(answer.status !== 460, 'expected no 460: checksum-trailer is not announced', answer)
  },
  async termination(ctx) {
    const upload = await ctx.create({ length: 5 })
    const answer = await ctx.terminate(upload)
    expectThat(answer.status >= 400, 'expected a refusal: termination is not announced', answer)
    await ctx.expectAt(upload, 0)
  },
  async concatenation(ctx) {
    const answer = await ctx.post({ 'Upload-Length': '5', 'Upload-Concat': 'partial' })
    if (answer.status === 201) expectNoHeader(await ctx.head(ctx.uploadOf(answer)), 'Upload-Concat')
  },
  async expiration(ctx) {
    const upload = await ctx.create({ length: 5 })
    expectNoHeader(upload.created, 'Upload-Expires')
    expectNoHeader(await ctx.patch(upload, 0, 'he'), 'Upload-Expires')
  },
}

async function expectDependency(ctx: Context, name: Extension, parent: Extension): Promise<void> {
  expectThat(
    !ctx.has(name) || ctx.has(parent),
    `expected ${name} only together with ${parent}`,
    await ctx.options(),
  )
}

async function expectSameAnnouncement(ctx: Context, target: string): Promise<void> {
  const wanted = await ctx.options()
  const answer = await ctx.options({}, target)
  expectStatus(answer, 200, 204)
  for (const name of ['Tus-Version', 'Tus-Extension', 'Tus-Max-Size', 'Tus-Checksum-Algorithm']) {
    const value = header(wanted, name)
    if (value === undefined) expectNoHeader(answer, name)
    else expectHeader(answer, name, value)
  }
}

/** tus 1.0 §OPTIONS. */
export const options: Chapter = {
  title: 'OPTIONS',
  section: tusSection('options'),
  cases: [
    {
      id: 'T-O1',
      title: 'OPTIONS without Tus-Resumable gets 204 or 200 with Tus-Version',
      level: 'MUST',
      async run(ctx) {
        const answer = await ctx.options()
        expectStatus(answer, 200, 204)
        expectHeader(answer, 'Tus-Version', /1\.0\.0/)
      },
    },
    {
      id: 'T-O2',
      title: 'Tus-Extension lists each extension by its exact name; without extensions it is absent',
      level: 'MUST',
      section: tusSection('tus-extension'),
      async run(ctx) {
        const answer = await ctx.options()
        const value = header(answer, 'Tus-Extension')
        if (value === undefined) return
        expectHeader(answer, 'Tus-Extension', /^[^\s,]+(?:[ \t]*,[ \t]*[^\s,]+)*$/)
        const names = listHeader(answer, 'Tus-Extension')
        expectThat(new Set(names).size === names.length, 'expected each extension once', answer)
        for (const name of names) {
          const nearly = extensions.find((known) => known === name.toLowerCase().replaceAll('_', '-'))
          expectThat(nearly === undefined || nearly === name, `expected ${nearly}, got ${name}`, answer)
        }
      },
    },
    {
      id: 'T-O3',
      title: 'the announcement is true: what is listed works, what is not listed is not acted upon',
      level: 'MUST',
      section: tusSection('tus-extension'),
      patience: 2,
      async run(ctx) {
        const possible = ctx.has('creation') ? extensions : extensions.filter((name) => name === 'creation')
        await every(possible, async (name) => {
          await (ctx.has(name) ? works[name] : inert[name])?.(ctx)
        })
      },
    },
    {
      id: 'T-O4',
      title: 'creation-with-upload is never listed without creation',
      level: 'MUST',
      section: tusSection('creation-with-upload'),
      async run(ctx) {
        await expectDependency(ctx, 'creation-with-upload', 'creation')
      },
    },
    {
      id: 'T-O4d',
      title: 'the other extensions are listed only with those they build on',
      level: 'DECISION',
      async run(ctx) {
        await expectDependency(ctx, 'creation-defer-length', 'creation')
        await expectDependency(ctx, 'concatenation', 'creation')
        await expectDependency(ctx, 'concatenation-unfinished', 'concatenation')
        await expectDependency(ctx, 'checksum-trailer', 'checksum')
      },
    },
    {
      id: 'T-O5',
      title: 'Tus-Max-Size, where sent, is a non-negative integer',
      level: 'MUST',
      section: tusSection('tus-max-size'),
      async run(ctx) {
        const answer = await ctx.options()
        if (header(answer, 'Tus-Max-Size') === undefined) ctx.notApplicable('the server announces no limit')
        expectHeader(answer, 'Tus-Max-Size', /^\d+$/)
      },
    },
    {
      id: 'T-O5d',
      title: 'a server without a limit leaves Tus-Max-Size out (no 0)',
      level: 'DECISION',
      section: tusSection('tus-max-size'),
      async run(ctx) {
        const answer = await ctx.options()
        expectThat(header(answer, 'Tus-Max-Size') !== '0', 'expected no Tus-Max-Size: 0', answer)
      },
    },
    {
      id: 'T-O6',
      title: 'Tus-Checksum-Algorithm lists lower-case ASCII names, sha1 among them',
      level: 'MUST',
      section: tusSection('tus-checksum-algorithm'),
      requires: ['checksum'],
      async run(ctx) {
        const answer = await ctx.options()
        expectHeader(answer, 'Tus-Checksum-Algorithm', /^[!-+\--@[-~]+(?:[ \t]*,[ \t]*[!-+\--@[-~]+)*$/)
        const names = listHeader(answer, 'Tus-Checksum-Algorithm')
        expectThat(names.includes('sha1'), 'expected sha1 among the algorithms', answer)
      },
    },
    {
      id: 'T-O7',
      title: 'OPTIONS on an upload, also an unknown one, says the same as on the creation URL',
      level: 'DECISION',
      async run(ctx) {
        await expectSameAnnouncement(ctx, ctx.unknown())
        if (ctx.has('creation')) await expectSameAnnouncement(ctx, (await ctx.create({ length: 5 })).target)
      },
    },
  ],
}
