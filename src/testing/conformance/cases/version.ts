import { tusSection, type Chapter } from '../case.ts'
import { offsetOctets, type Context, type Upload } from '../context.ts'
import {
  every,
  expectHeader,
  expectNoHeader,
  expectOffset,
  expectStatus,
  expectThat,
  expectVersionRefusal,
  header,
  listHeader,
  Unmet,
  type Answer,
} from '../expect.ts'

const candidates = ['0.2.2', '2.0.0', '1.0']

/** Requests of all kinds, most of them wrong, one per status that a server may answer with. */
async function allKindsOfAnswers(ctx: Context): Promise<[string, Answer][]> {
  const upload = await ctx.create({ length: 5 })
  const limit = ctx.capabilities.maxSizeBytes
  const wrongType = { 'Content-Type': 'text/plain' }
  const wrongSum = { 'Upload-Checksum': 'sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }
  const answers: [string, Answer][] = [
    ['a created upload', upload.created],
    ['HEAD', await ctx.head(upload)],
    ['an unsupported version', await ctx.head(upload, { 'Tus-Resumable': '0.2.2' })],
    ['a wrong offset', await ctx.patch(upload, 3, 'he')],
    ['a wrong Content-Type', await ctx.patch(upload, 0, 'hello', wrongType)],
    ['a bad Upload-Offset', await ctx.patch(upload, 'x', 'hello')],
    ['PATCH', await ctx.patch(upload, 0, 'hello')],
    ['a bad Upload-Length', await ctx.post({ 'Upload-Length': 'x' })],
    ['HEAD of an unknown upload', await ctx.head(ctx.unknown())],
    ['PATCH of an unknown upload', await ctx.patch(ctx.unknown(), 0, 'hello')],
    ['DELETE of an unknown upload', await ctx.terminate(ctx.unknown())],
    ['a method without meaning', await ctx.ask({ method: 'PUT', to: upload })],
  ]
  if (limit !== undefined)
    answers.push(['too large', await ctx.post({ 'Upload-Length': String(limit + 1n) })])
  if (ctx.has('checksum')) {
    const other = await ctx.create({ length: 5 })
    answers.push(['a wrong checksum', await ctx.patch(other, 0, 'hello', wrongSum)])
  }
  if (ctx.has('termination')) {
    answers.push(['DELETE', await ctx.terminate(upload)], ['HEAD after DELETE', await ctx.head(upload)])
  }
  return answers
}

function unsupportedBy(ctx: Context): string[] {
  return candidates.filter((version) => !ctx.capabilities.versions.includes(version))
}

async function expectNothingHappens(ctx: Context, version: string): Promise<void> {
  const bad = { 'Tus-Resumable': version }
  const upload = await ctx.finished('hello')
  const refusedPost = await ctx.post({ 'Upload-Length': '5', ...bad })
  expectVersionRefusal(refusedPost)
  expectNoHeader(refusedPost, 'Location')
  expectVersionRefusal(await ctx.head(upload, bad))
  if (!ctx.has('termination')) return
  expectVersionRefusal(await ctx.terminate(upload, bad))
  await ctx.expectAt(upload, 5)
}

async function expectPatchRefused(ctx: Context, version: string): Promise<void> {
  const upload: Upload = await ctx.create({ length: 5 })
  expectVersionRefusal(await ctx.patch(upload, 0, 'hello', { 'Tus-Resumable': version }))
  await ctx.expectAt(upload, 0)
}

/** tus 1.0 §Tus-Resumable, §Tus-Version. */
export const version: Chapter = {
  title: 'Version (Tus-Resumable, Tus-Version)',
  section: tusSection('tus-resumable'),
  cases: [
    {
      id: 'T-V1',
      title: 'every answer but to OPTIONS carries Tus-Resumable: 1.0.0, errors included',
      level: 'MUST',
      patience: 2,
      async run(ctx) {
        const answers = await allKindsOfAnswers(ctx)
        const bare = answers.filter(([, answer]) => header(answer, 'Tus-Resumable') !== '1.0.0')
        const names = bare.map(([name, { status }]) => `${name} (${status})`).join(', ')
        if (bare[0] !== undefined) {
          throw new Unmet(`expected Tus-Resumable: 1.0.0, it is missing or wrong on: ${names}`, bare[0][1])
        }
      },
    },
    {
      id: 'T-V2',
      title: 'an unsupported version gets 412 with Tus-Version, and nothing is created, changed or deleted',
      level: 'MUST',
      async run(ctx) {
        await every(unsupportedBy(ctx), async (version) => await expectNothingHappens(ctx, version))
      },
    },
    {
      id: 'T-V2d',
      title: 'a version given twice (1.0.0, 1.0.0) is no version',
      level: 'DECISION',
      async run(ctx) {
        await expectPatchRefused(ctx, '1.0.0, 1.0.0')
      },
    },
    {
      id: 'T-V3',
      title: 'PATCH with a right offset and a body but an unsupported version stores nothing',
      level: 'MUST',
      async run(ctx) {
        await every(unsupportedBy(ctx), async (version) => await expectPatchRefused(ctx, version))
      },
    },
    {
      id: 'T-V4',
      title: 'POST, PATCH and DELETE without Tus-Resumable get 412 with Tus-Version',
      level: 'DECISION',
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        const without = { 'Tus-Resumable': null }
        expectVersionRefusal(await ctx.post({ 'Upload-Length': '5', ...without }))
        expectVersionRefusal(await ctx.patch(upload, 0, 'hello', without))
        if (ctx.has('termination')) expectVersionRefusal(await ctx.terminate(upload, without))
        await ctx.expectAt(upload, 0)
      },
    },
    {
      id: 'T-V5',
      title: 'HEAD without Tus-Resumable is served',
      level: 'DECISION',
      async run(ctx) {
        const answer = await ctx.head(await ctx.create({ length: 5 }), { 'Tus-Resumable': null })
        expectStatus(answer, 200, 204)
        expectOffset(answer, 0)
      },
    },
    {
      id: 'T-V6',
      title: 'OPTIONS ignores Tus-Resumable, whatever it says',
      level: 'MUST',
      section: tusSection('options'),
      async run(ctx) {
        await every(['0.9.0', '2.0.0', 'garbage'], async (version) => {
          const answer = await ctx.options({ 'Tus-Resumable': version })
          expectStatus(answer, 200, 204)
          expectHeader(answer, 'Tus-Version', /1\.0\.0/)
        })
      },
    },
    {
      id: 'T-V7',
      title: 'the version is checked before the upload is looked up: 412, not 404',
      level: 'DECISION',
      async run(ctx) {
        const fields = { 'Tus-Resumable': '0.2.2' }
        expectVersionRefusal(await ctx.head(ctx.unknown(), fields))
        const patch = { ...fields, 'Content-Type': offsetOctets }
        expectVersionRefusal(await ctx.patch(ctx.unknown(), 0, 'hello', patch))
      },
    },
    {
      id: 'T-V8',
      title: 'Tus-Version is a comma-separated list with 1.0.0 in it (its order is the server’s preference)',
      level: 'MUST',
      section: tusSection('tus-version'),
      async run(ctx) {
        const answer = await ctx.options()
        expectHeader(answer, 'Tus-Version', /^\d+\.\d+\.\d+(?:[ \t]*,[ \t]*\d+\.\d+\.\d+)*$/)
        const versions = listHeader(answer, 'Tus-Version')
        expectThat(versions.includes('1.0.0'), 'expected 1.0.0 among the versions', answer)
        expectThat(new Set(versions).size === versions.length, 'expected each version once', answer)
      },
    },
  ],
}
