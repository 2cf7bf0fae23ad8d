import { tusSection, type Chapter } from '../case.ts'
import { expectHeader, expectOffset, expectStatus, expectThat, every } from '../expect.ts'
import { stalledPatch } from '../stall.ts'

/** tus 1.0 §Termination. */
export const termination: Chapter = {
  title: 'Termination',
  section: tusSection('termination'),
  cases: [
    {
      id: 'T-D1',
      title: 'DELETE of an unfinished and of a complete upload: 204',
      level: 'MUST',
      requires: ['termination'],
      async run(ctx) {
        const unfinished = await ctx.create({ length: 11 })
        await ctx.patch(unfinished, 0, 'hello')
        await every(
          [unfinished, await ctx.create({ length: 5 }), await ctx.finished('hello')],
          async (upload) => expectStatus(await ctx.terminate(upload), 204),
          { label: ({ target }) => target },
        )
      },
    },
    {
      id: 'T-D2',
      title: 'afterwards HEAD, PATCH and DELETE get 404 or 410',
      level: 'SHOULD',
      requires: ['termination'],
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        await ctx.terminate(upload)
        await ctx.expectGone(upload)
        expectStatus(await ctx.patch(upload, 0, 'hello'), 404, 410)
        expectStatus(await ctx.terminate(upload), 404, 410)
        if (ctx.capabilities.download) expectStatus(await ctx.get(upload), 404, 410)
      },
    },
    {
      id: 'T-D3',
      title: 'DELETE of an unknown upload: 404',
      level: 'DECISION',
      requires: ['termination'],
      async run(ctx) {
        expectStatus(await ctx.terminate(ctx.unknown()), 404)
      },
    },
    {
      id: 'T-D4',
      title: 'DELETE while a PATCH runs: 204, the PATCH is cut off, nothing reappears',
      level: 'DECISION',
      requires: ['termination'],
      async run(ctx) {
        const upload = await ctx.create({ length: 10 })
        const running = await stalledPatch(ctx, upload, 'hello', 10)
        expectStatus(await ctx.terminate(upload), 204)
        running.write('world')
        const answer = await running.answer.catch(() => undefined)
        running.close()
        if (answer !== undefined) {
          expectThat(answer.status >= 400, 'expected the PATCH not to succeed after the DELETE', answer)
        }
        await ctx.expectGone(upload)
      },
    },
    {
      id: 'T-D5',
      title: 'not announced: DELETE is 405 with Allow (or 501), and deletes nothing',
      level: 'DECISION',
      requires: ['creation'],
      without: 'termination',
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        const answer = await ctx.terminate(upload)
        expectStatus(answer, 405, 501)
        if (answer.status === 405) expectHeader(answer, 'Allow', /PATCH/)
        await ctx.expectAt(upload, 0)
      },
    },
    {
      id: 'T-D6',
      title: 'DELETE of a partial upload leaves the final one readable, or is refused (403, 409)',
      level: 'DECISION',
      requires: ['termination', 'concatenation'],
      async run(ctx) {
        const part = await ctx.partial('hello')
        const final = await ctx.create({ concat: `final;${part.target}` })
        expectStatus(await ctx.terminate(part), 204, 403, 404, 409, 410)
        await ctx.expectAt(final, 5)
        await ctx.expectContent(final, 'hello')
      },
    },
    {
      id: 'T-D7',
      title: 'a body on DELETE is ignored, and Content-Length: 0 is accepted',
      level: 'DECISION',
      requires: ['termination'],
      async run(ctx) {
        await every(['', 'a body that means nothing'], async (body) => {
          const upload = await ctx.create({ length: 5 })
          expectStatus(await ctx.ask({ method: 'DELETE', to: upload, body }), 204)
          await ctx.expectGone(upload)
        })
        const other = await ctx.head(await ctx.create({ length: 5 }))
        expectOffset(other, 0)
      },
    },
  ],
}
