import { tusSection, type Chapter } from '../case.ts'
import { offsetOctets } from '../context.ts'
import { every, expectHeader, expectOffset, expectStatus, expectThat } from '../expect.ts'

const asPatch = { 'Content-Type': offsetOctets, 'Upload-Offset': '0' }

/** tus 1.0 §X-HTTP-Method-Override. */
export const override: Chapter = {
  title: 'X-HTTP-Method-Override',
  section: tusSection('x-http-method-override'),
  cases: [
    {
      id: 'T-X1',
      title: 'POST with the override PATCH is exactly a PATCH',
      level: 'MUST',
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        const fields = { ...asPatch, 'X-HTTP-Method-Override': 'PATCH' }
        const answer = await ctx.ask({ method: 'POST', to: upload, fields, body: 'hello' })
        expectStatus(answer, 204)
        expectOffset(answer, 5)
        await ctx.expectAt(upload, 5)
        const again = await ctx.ask({ method: 'POST', to: upload, fields, body: 'hello' })
        expectStatus(again, 409)
      },
    },
    {
      id: 'T-X2',
      title: 'POST with the override HEAD tells the offset, without a body',
      level: 'MUST',
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        await ctx.patch(upload, 0, 'he')
        const fields = { 'X-HTTP-Method-Override': 'HEAD' }
        const answer = await ctx.ask({ method: 'POST', to: upload, fields })
        expectStatus(answer, 200, 204)
        expectOffset(answer, 2)
        expectHeader(answer, 'Upload-Length', '5')
        expectThat(answer.body.length === 0, 'expected an empty body', answer)
      },
    },
    {
      id: 'T-X2t',
      title: 'POST with the override DELETE terminates',
      level: 'MUST',
      requires: ['termination'],
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        const fields = { 'X-HTTP-Method-Override': 'DELETE' }
        expectStatus(await ctx.ask({ method: 'POST', to: upload, fields }), 204)
        await ctx.expectGone(upload)
      },
    },
    {
      id: 'T-X3',
      title: 'the actual method is ignored: the override counts on PUT and GET as well',
      level: 'MUST',
      async run(ctx) {
        await every(['PUT', 'PATCH'], async (method) => {
          const upload = await ctx.create({ length: 5 })
          const fields = { ...asPatch, 'X-HTTP-Method-Override': 'PATCH' }
          expectStatus(await ctx.ask({ method, to: upload, fields, body: 'hello' }), 204)
        })
        const upload = await ctx.create({ length: 5 })
        const looked = await ctx.ask({
          method: 'GET',
          to: upload,
          fields: { 'X-HTTP-Method-Override': 'HEAD' },
        })
        expectOffset(looked, 0)
        if (!ctx.has('termination')) return
        const fields = { 'X-HTTP-Method-Override': 'DELETE' }
        expectStatus(await ctx.ask({ method: 'GET', to: upload, fields }), 204)
        await ctx.expectGone(upload)
      },
    },
    {
      id: 'T-X4',
      title: 'an unknown override is 405 or 501 and changes nothing',
      level: 'DECISION',
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        await every(['FOO', 'TRACE', 'PATCHES'], async (method) => {
          const fields = { ...asPatch, 'X-HTTP-Method-Override': method }
          expectStatus(await ctx.ask({ method: 'POST', to: upload, fields, body: 'hello' }), 405, 501)
          await ctx.expectAt(upload, 0)
        })
      },
    },
    {
      id: 'T-X4a',
      title: 'the override is accepted in lower case',
      level: 'DECISION',
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        const fields = { ...asPatch, 'X-HTTP-Method-Override': 'patch' }
        expectStatus(await ctx.ask({ method: 'POST', to: upload, fields, body: 'hello' }), 204)
      },
    },
    {
      id: 'T-X5',
      title: 'the override counts in tus only: without Tus-Resumable it deletes nothing',
      level: 'DECISION',
      requires: ['termination'],
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        const fields = {
          'X-HTTP-Method-Override': 'DELETE',
          'Tus-Resumable': null,
          'Upload-Draft-Interop-Version': '6',
        }
        const answer = await ctx.ask({ method: 'POST', to: upload, fields })
        expectThat(answer.status !== 204, 'expected the override to be ignored outside tus', answer)
        await ctx.expectAt(upload, 0)
      },
    },
  ],
}
