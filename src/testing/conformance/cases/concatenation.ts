import { tusSection, type Chapter } from '../case.ts'
import type { Context, Upload } from '../context.ts'
import {
  every,
  expectHeader,
  expectNoHeader,
  expectOffset,
  expectRefused,
  expectStatus,
  expectThat,
  header,
  offsetIn,
  type Answer,
} from '../expect.ts'
import { concatenationUrls } from './concatenation-urls.ts'

async function helloWorld(ctx: Context): Promise<[Upload, Upload]> {
  return [await ctx.partial('hello'), await ctx.partial(' world')]
}

function finalOf(...parts: readonly Upload[]): string {
  return `final;${parts.map(({ target }) => target).join(' ')}`
}

async function expectComplete(ctx: Context, final: Upload, content: string): Promise<void> {
  const answer = await ctx.head(final)
  expectOffset(answer, content.length)
  expectHeader(answer, 'Upload-Length', String(content.length))
  await ctx.expectContent(final, content)
}

async function expectNoFinal(ctx: Context, concat: string, ...statuses: readonly number[]): Promise<void> {
  const answer = await ctx.post({ 'Upload-Concat': concat })
  if (statuses.length === 0) expectRefused(answer)
  else expectStatus(answer, ...statuses)
  expectNoHeader(answer, 'Location')
}

/** Two halves that together are one byte too large; ends the case where the limit is too high to reach. */
async function tooLarge(ctx: Context): Promise<Answer> {
  const limit = ctx.capabilities.maxSizeBytes ?? ctx.notApplicable('the server announces no Tus-Max-Size')
  if (limit <= 1_048_576n) {
    const half = await ctx.partial('x'.repeat(Number(limit / 2n) + 1))
    return await ctx.post({ 'Upload-Concat': finalOf(half, half) })
  }
  if (!ctx.has('concatenation-unfinished')) ctx.notApplicable(`Tus-Max-Size is ${limit}, too much to send`)
  const answer = await ctx.post({ 'Upload-Length': String(limit), 'Upload-Concat': 'partial' })
  if (answer.status === 507) ctx.notApplicable('the server has no room for an upload of Tus-Max-Size')
  const half = ctx.uploadOf(answer)
  return await ctx.post({ 'Upload-Concat': finalOf(half, await ctx.partial('x')) })
}

/** tus 1.0 §Concatenation. */
export const concatenation: Chapter = {
  title: 'Concatenation',
  section: tusSection('concatenation'),
  cases: [
    {
      id: 'T-N1',
      title: 'a partial upload: 201; HEAD has Upload-Offset and Upload-Concat: partial',
      level: 'MUST',
      requires: ['concatenation'],
      async run(ctx) {
        const answer = await ctx.head(await ctx.create({ length: 5, concat: 'partial' }))
        expectOffset(answer, 0)
        expectHeader(answer, 'Upload-Concat', 'partial')
      },
    },
    {
      id: 'T-N2',
      title: 'a final upload of two: 201; length and offset are the sum; the content is in list order',
      level: 'MUST',
      requires: ['concatenation'],
      async run(ctx) {
        const parts = await helloWorld(ctx)
        const concat = finalOf(...parts)
        const final = await ctx.create({ concat })
        expectHeader(await ctx.head(final), 'Upload-Concat', /^final;/)
        await expectComplete(ctx, final, 'hello world')
      },
    },
    {
      id: 'T-N3',
      title: 'other orders, a part twice in one list, and a part in two finals',
      level: 'MUST',
      requires: ['concatenation'],
      async run(ctx) {
        const [hello, world] = await helloWorld(ctx)
        await expectComplete(ctx, await ctx.create({ concat: finalOf(world, hello) }), ' worldhello')
        const twice = await ctx.post({ 'Upload-Concat': finalOf(hello, hello) })
        // The server MAY delete partial uploads after the first concatenation.
        if (twice.status === 404 || twice.status === 410)
          ctx.notApplicable('the server removes partial uploads')
        await expectComplete(ctx, ctx.uploadOf(twice), 'hellohello')
      },
    },
    ...concatenationUrls,
    {
      id: 'T-N5',
      title: 'Upload-Length with a final upload is refused or ignored: the length is the sum',
      level: 'MUST',
      requires: ['concatenation'],
      async run(ctx) {
        const parts = await helloWorld(ctx)
        const answer = await ctx.post({ 'Upload-Concat': finalOf(...parts), 'Upload-Length': '99' })
        if (answer.status !== 201) expectRefused(answer)
        else await expectComplete(ctx, ctx.uploadOf(answer), 'hello world')
      },
    },
    {
      id: 'T-N6',
      title:
        'concatenation-unfinished not announced: an unfinished partial upload is refused, nothing created',
      level: 'DECISION',
      requires: ['concatenation'],
      without: 'concatenation-unfinished',
      async run(ctx) {
        const open = await ctx.create({ length: 5, concat: 'partial' })
        await expectNoFinal(ctx, finalOf(await ctx.partial('hello'), open))
      },
    },
    {
      id: 'T-N6u',
      title:
        'unfinished parts: 201, Upload-Length at once, and after the last byte offset and length are equal',
      level: 'MUST',
      requires: ['concatenation-unfinished'],
      async run(ctx) {
        const open = await ctx.create({ length: 6, concat: 'partial' })
        const final = await ctx.create({ concat: finalOf(await ctx.partial('hello'), open) })
        expectHeader(await ctx.head(final), 'Upload-Length', '11')
        expectStatus(await ctx.patch(open, 0, ' world'), 204)
        const end = performance.now() + 3000
        // The server may need a moment to put the parts together.
        while (header(await ctx.head(final), 'Upload-Offset') !== '11' && performance.now() < end) {
          await ctx.pause(50)
        }
        await expectComplete(ctx, final, 'hello world')
      },
    },
    {
      id: 'T-N6s',
      title: 'HEAD of a final upload has no Upload-Offset until it is done',
      level: 'SHOULD',
      requires: ['concatenation-unfinished'],
      async run(ctx) {
        const open = await ctx.create({ length: 6, concat: 'partial' })
        const final = await ctx.create({ concat: finalOf(await ctx.partial('hello'), open) })
        expectNoHeader(await ctx.head(final), 'Upload-Offset')
      },
    },
    {
      id: 'T-N7',
      title:
        'an unknown part is 404 or 400; no part, an upload that is not partial, and other values are 400',
      level: 'DECISION',
      requires: ['concatenation'],
      patience: 2,
      async run(ctx) {
        const part = await ctx.partial('hello')
        await expectNoFinal(ctx, `final;${part.target} ${ctx.unknown()}`, 400, 404)
        await expectNoFinal(ctx, finalOf(await ctx.finished('hello')), 400)
        await expectNoFinal(ctx, finalOf(await ctx.create({ concat: finalOf(part) })), 400)
        await every(
          ['final;', 'final; ', 'final', 'foo', 'Partial', `Final;${part.target}`, ''],
          async (concat) => {
            await expectNoFinal(ctx, concat, 400)
          },
        )
        if (!ctx.has('termination')) return
        const deleted = await ctx.partial('hello')
        await ctx.terminate(deleted)
        await expectNoFinal(ctx, finalOf(deleted), 400, 404, 410)
      },
    },
    {
      id: 'T-N7a',
      title: 'double spaces in the list are tolerated',
      level: 'DECISION',
      requires: ['concatenation'],
      async run(ctx) {
        const [hello, world] = await helloWorld(ctx)
        const concat = `final;${hello.target}  ${world.target}`
        await expectComplete(ctx, await ctx.create({ concat }), 'hello world')
      },
    },
    {
      id: 'T-N8',
      title: 'PATCH of a final upload: 403, whatever its offset and body; final and parts stay as they are',
      level: 'MUST',
      requires: ['concatenation'],
      async run(ctx) {
        const parts = await helloWorld(ctx)
        const final = await ctx.create({ concat: finalOf(...parts) })
        const attempts: [number, string][] = [
          [11, 'X'],
          [11, ''],
          [0, 'X'],
          [5, ''],
        ]
        await every(attempts, async ([offset, body]) =>
          expectStatus(await ctx.patch(final, offset, body), 403),
        )
        await expectComplete(ctx, final, 'hello world')
        const [hello] = parts
        const part = await ctx.head(hello)
        if (part.status === 200) expectOffset(part, 5)
      },
    },
    {
      id: 'T-N9',
      title: 'metadata of the parts is not in the final upload; its own is',
      level: 'MUST',
      requires: ['concatenation'],
      async run(ctx) {
        const part = await ctx.finished('hello', { concat: 'partial', metadata: 'part YQ==' })
        const bare = await ctx.create({ concat: finalOf(part) })
        expectNoHeader(await ctx.head(bare), 'Upload-Metadata')
        const other = await ctx.finished('hello', { concat: 'partial', metadata: 'part YQ==' })
        const named = await ctx.create({ concat: finalOf(other), metadata: 'filename Yg==' })
        expectHeader(await ctx.head(named), 'Upload-Metadata', 'filename Yg==')
      },
    },
    {
      id: 'T-N10',
      title: 'a sum above Tus-Max-Size: 413',
      level: 'MUST',
      requires: ['concatenation'],
      async run(ctx) {
        const answer = await tooLarge(ctx)
        expectStatus(answer, 413)
        expectNoHeader(answer, 'Location')
      },
    },
    {
      id: 'T-N11',
      title: 'partial uploads are not processed before they are concatenated',
      level: 'SHOULD',
      requires: ['concatenation'],
      async run(ctx) {
        await Promise.resolve()
        ctx.notApplicable('processing is not seen from outside')
      },
    },
    {
      id: 'T-N12',
      title:
        'after concatenation the parts still answer or are gone (404, 410), and the final upload reads whole',
      level: 'MAY',
      requires: ['concatenation'],
      async run(ctx) {
        const [hello, world] = await helloWorld(ctx)
        const final = await ctx.create({ concat: finalOf(hello, world) })
        const answer = await ctx.head(hello)
        expectStatus(answer, 200, 204, 404, 410)
        if (answer.status < 300) expectThat(offsetIn(answer) === 5, 'expected the part to be whole', answer)
        await expectComplete(ctx, final, 'hello world')
      },
    },
    {
      id: 'T-N13',
      title:
        'a final upload with Upload-Defer-Length is 400; a partial one may defer, and counts as unfinished',
      level: 'DECISION',
      requires: ['concatenation', 'creation-defer-length'],
      async run(ctx) {
        const part = await ctx.partial('hello')
        const both = { 'Upload-Concat': finalOf(part), 'Upload-Defer-Length': '1' }
        expectStatus(await ctx.post(both), 400)
        const open = await ctx.create({ defer: true, concat: 'partial' })
        await ctx.patch(open, 0, 'hello')
        if (ctx.has('concatenation-unfinished')) {
          expectNoHeader(await ctx.head(await ctx.create({ concat: finalOf(open) })), 'Upload-Length')
        } else {
          await expectNoFinal(ctx, finalOf(open))
        }
      },
    },
    {
      id: 'T-N14',
      title: 'not announced: Upload-Concat is 400 or 501, never a normal upload',
      level: 'DECISION',
      requires: ['creation'],
      without: 'concatenation',
      async run(ctx) {
        const answer = await ctx.post({ 'Upload-Length': '5', 'Upload-Concat': 'partial' })
        expectStatus(answer, 400, 501)
        expectNoHeader(answer, 'Location')
      },
    },
  ],
}
