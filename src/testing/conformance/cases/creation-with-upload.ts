import { tusSection, type Chapter } from '../case.ts'
import { offsetOctets, type Context } from '../context.ts'
import {
  expectHeader,
  expectNoHeader,
  expectOffset,
  expectRefused,
  expectStatus,
  expectThat,
  header,
  Unmet,
  type Answer,
} from '../expect.ts'
import { WireError } from '../wire-response.ts'
import type { Fields } from '../wire-request.ts'

/** A POST that asks first; returns what came before any byte of the body was sent. */
async function askFirst(ctx: Context, fields: Fields): Promise<Answer> {
  const request = await ctx.open({
    method: 'POST',
    fields: { 'Content-Type': offsetOctets, 'Content-Length': '5', Expect: '100-continue', ...fields },
  })
  try {
    const first = await request.first(2000)
    if (first === 'answer') return await request.answer
    throw new Unmet(
      first === 'interim'
        ? 'expected the final answer first, got 100 Continue for a request that will be refused'
        : 'expected a final answer before the body was sent',
    )
  } finally {
    request.close()
  }
}

/** tus 1.0 §Creation With Upload. */
export const creationWithUpload: Chapter = {
  title: 'Creation with upload',
  section: tusSection('creation-with-upload'),
  cases: [
    {
      id: 'T-U1',
      title: 'POST with the first bytes: 201, Location and Upload-Offset of what was taken',
      level: 'MUST',
      requires: ['creation-with-upload'],
      async run(ctx) {
        const upload = await ctx.create({ length: 11, body: 'hello' })
        expectOffset(upload.created, 5)
        await ctx.expectAt(upload, 5)
        expectStatus(await ctx.patch(upload, 5, ' world'), 204)
        await ctx.expectContent(upload, 'hello world')
      },
    },
    {
      id: 'T-U2',
      title: 'POST with the whole file: complete at once',
      level: 'MUST',
      requires: ['creation-with-upload'],
      async run(ctx) {
        const upload = await ctx.create({ length: 11, body: 'hello world' })
        expectOffset(upload.created, 11)
        await ctx.expectAt(upload, 11)
        await ctx.expectContent(upload, 'hello world')
      },
    },
    {
      id: 'T-U3',
      title:
        'the body of the POST breaks off: what arrived is kept (only seen if the server still tells the URL)',
      level: 'SHOULD',
      requires: ['creation-with-upload'],
      async run(ctx) {
        const fields = { 'Upload-Length': '100', 'Content-Type': offsetOctets, 'Content-Length': '100' }
        const request = await ctx.open({ method: 'POST', fields })
        request.write('hello')
        request.finish()
        const answer = await request.answer.catch((error: unknown) => {
          if (error instanceof WireError && error.trouble === 'closed') return undefined
          throw error
        })
        request.close()
        await ctx.expectAlive()
        if (answer === undefined || header(answer, 'Location') === undefined) {
          return ctx.notApplicable('the server does not tell the URL of a broken creation')
        }
        await ctx.expectAt(ctx.uploadOf({ ...answer, status: 201 }), 5)
      },
    },
    {
      id: 'T-U4',
      title: 'a body larger than Upload-Length: 413, no Location',
      level: 'DECISION',
      requires: ['creation-with-upload'],
      async run(ctx) {
        const answer = await ctx.post({ 'Upload-Length': '5', 'Content-Type': offsetOctets }, 'hello world')
        expectStatus(answer, 413)
        expectNoHeader(answer, 'Location')
      },
    },
    {
      id: 'T-U5',
      title: 'a body with another Content-Type: 415, nothing created',
      level: 'DECISION',
      requires: ['creation-with-upload'],
      async run(ctx) {
        const answer = await ctx.post({ 'Upload-Length': '5', 'Content-Type': 'text/plain' }, 'hello')
        expectStatus(answer, 415)
        expectNoHeader(answer, 'Location')
      },
    },
    {
      id: 'T-U6',
      title: 'with a deferred length and a body: 201 with Upload-Offset',
      level: 'DECISION',
      requires: ['creation-with-upload', 'creation-defer-length'],
      async run(ctx) {
        const upload = await ctx.create({ defer: true, body: 'hello' })
        expectOffset(upload.created, 5)
        expectHeader(await ctx.head(upload), 'Upload-Defer-Length', '1')
      },
    },
    {
      id: 'T-U7',
      title: 'a body for a final upload is refused, nothing created',
      level: 'MUST',
      requires: ['creation-with-upload', 'concatenation'],
      async run(ctx) {
        const part = await ctx.partial('hello')
        const fields = { 'Upload-Concat': `final;${part.target}`, 'Content-Type': offsetOctets }
        const answer = await ctx.post(fields, 'X')
        expectRefused(answer)
        expectNoHeader(answer, 'Location')
      },
    },
    {
      id: 'T-U8',
      title: 'Expect: 100-continue: a request that will be refused gets its 4xx without 100 Continue',
      level: 'SHOULD',
      requires: ['creation-with-upload'],
      async run(ctx) {
        expectStatus(await askFirst(ctx, { 'Upload-Length': '5', 'Tus-Resumable': '0.2.2' }), 412)
        expectRefused(await askFirst(ctx, { 'Upload-Length': 'abc' }))
        const limit = ctx.capabilities.maxSizeBytes
        if (limit !== undefined)
          expectStatus(await askFirst(ctx, { 'Upload-Length': String(limit + 1n) }), 413)
      },
    },
    {
      id: 'T-U8a',
      title: 'Expect: 100-continue: a good request gets 100 Continue, then 201',
      level: 'DECISION',
      requires: ['creation-with-upload'],
      async run(ctx) {
        const request = await ctx.open({
          method: 'POST',
          fields: {
            'Upload-Length': '5',
            'Content-Type': offsetOctets,
            'Content-Length': '5',
            Expect: '100-continue',
          },
        })
        const first = await request.first(2000)
        request.write('hello')
        const answer = await request.answer
        request.close()
        expectThat(first === 'interim', 'expected 100 Continue before the body', answer)
        expectStatus(answer, 201)
        expectOffset(answer, 5)
      },
    },
    {
      id: 'T-U9',
      title: 'an empty POST of this media type: Upload-Offset: 0 in the 201',
      level: 'DECISION',
      requires: ['creation-with-upload'],
      async run(ctx) {
        expectOffset((await ctx.create({ length: 5, body: '' })).created, 0)
      },
    },
  ],
}
