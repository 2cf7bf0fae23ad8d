import { tusSection, type Chapter } from '../case.ts'
import type { Context } from '../context.ts'
import {
  every,
  expectHeader,
  expectNoHeader,
  expectOffset,
  expectRefused,
  expectStatus,
  expectThat,
  header,
} from '../expect.ts'

const badLengths = ['-1', 'abc', '1.5', '1e2', '0x10', '+5', '', '5, 5', '5 5', '12abc', '9007199254740992']

async function expectNotCreated(ctx: Context, fields: Record<string, string>, status: number): Promise<void> {
  const answer = await ctx.post(fields)
  expectStatus(answer, status)
  expectNoHeader(answer, 'Location')
}

/** The announced limit; ends the case where there is none. */
function limitOf(ctx: Context): bigint {
  const limit = ctx.capabilities.maxSizeBytes
  if (limit === undefined) return ctx.notApplicable('the server announces no Tus-Max-Size')
  if (limit >= BigInt(Number.MAX_SAFE_INTEGER)) {
    return ctx.notApplicable('Tus-Max-Size is beyond the integers that are told apart')
  }
  return limit
}

/** tus 1.0 §Creation. */
export const creation: Chapter = {
  title: 'Creation',
  section: tusSection('post'),
  cases: [
    {
      id: 'T-C1',
      title: 'POST with Upload-Length: 201 and a Location; HEAD there says 0 of that length',
      level: 'MUST',
      requires: ['creation'],
      async run(ctx) {
        const answer = await ctx.head(await ctx.create({ length: 100 }))
        expectOffset(answer, 0)
        expectHeader(answer, 'Upload-Length', '100')
      },
    },
    {
      id: 'T-C2',
      title: 'neither Upload-Length nor Upload-Defer-Length: 400',
      level: 'DECISION',
      requires: ['creation'],
      async run(ctx) {
        await expectNotCreated(ctx, {}, 400)
      },
    },
    {
      id: 'T-C3',
      title: 'both Upload-Length and Upload-Defer-Length: 400',
      level: 'DECISION',
      requires: ['creation-defer-length'],
      async run(ctx) {
        await expectNotCreated(ctx, { 'Upload-Length': '5', 'Upload-Defer-Length': '1' }, 400)
      },
    },
    {
      id: 'T-C4',
      title: 'an Upload-Length that is not digits (-1, 1e2, 1.5, 0x10, "5, 5", above 2^53-1): 400',
      level: 'DECISION',
      requires: ['creation'],
      patience: 2,
      async run(ctx) {
        await every(
          badLengths,
          async (length) => await expectNotCreated(ctx, { 'Upload-Length': length }, 400),
        )
      },
    },
    {
      id: 'T-C4a',
      title: 'spaces around an Upload-Length are not part of it',
      level: 'DECISION',
      requires: ['creation'],
      async run(ctx) {
        const answer = await ctx.post({ 'Upload-Length': ' \t5 \t' })
        expectHeader(await ctx.head(ctx.uploadOf(answer)), 'Upload-Length', '5')
      },
    },
    {
      id: 'T-C5',
      title: 'Upload-Length above Tus-Max-Size: 413; exactly at it: 201 (or 507 where the disk is too small)',
      level: 'MUST',
      requires: ['creation'],
      async run(ctx) {
        const limit = limitOf(ctx)
        await expectNotCreated(ctx, { 'Upload-Length': String(limit + 1n) }, 413)
        expectStatus(await ctx.post({ 'Upload-Length': String(limit) }), 201, 507)
      },
    },
    {
      id: 'T-C6',
      title: 'Upload-Length: 0 makes an upload that is complete at once',
      level: 'MAY',
      requires: ['creation'],
      async run(ctx) {
        const upload = await ctx.create({ length: 0 })
        const answer = await ctx.head(upload)
        expectOffset(answer, 0)
        expectHeader(answer, 'Upload-Length', '0')
        await ctx.expectContent(upload, '')
      },
    },
    {
      id: 'T-C7',
      title: 'an empty POST needs no Content-Type',
      level: 'MUST',
      requires: ['creation'],
      async run(ctx) {
        ctx.uploadOf(await ctx.post({ 'Upload-Length': '5', 'Content-Type': null }))
      },
    },
    {
      id: 'T-C7d',
      title: 'an empty POST may have any Content-Type',
      level: 'DECISION',
      requires: ['creation'],
      async run(ctx) {
        await every(['text/plain', 'application/x-www-form-urlencoded', 'image/png'], async (type) => {
          ctx.uploadOf(await ctx.post({ 'Upload-Length': '5', 'Content-Type': type }))
        })
      },
    },
    {
      id: 'T-C8',
      title: 'the Location works as it was given, for HEAD, PATCH and DELETE',
      level: 'MUST',
      requires: ['creation'],
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        await ctx.expectAt(upload, 0)
        expectStatus(await ctx.patch(upload, 0, 'hello'), 204)
        if (ctx.has('termination')) expectStatus(await ctx.terminate(upload), 204)
      },
    },
    {
      id: 'T-C9',
      title: 'a server that creates uploads lists creation',
      level: 'MUST',
      async run(ctx) {
        if (ctx.has('creation')) return
        const answer = await ctx.ask({ method: 'POST', fields: { 'Upload-Length': '5' } })
        expectThat(
          answer.status !== 201,
          'expected creation in Tus-Extension: the server creates uploads',
          answer,
        )
        ctx.notApplicable('the server does not create uploads')
      },
    },
    {
      id: 'T-C10',
      title:
        'a creation refused for its metadata is a 4xx without Location (only seen if the server refuses any)',
      level: 'MAY',
      requires: ['creation'],
      async run(ctx) {
        const filetype = Buffer.from('application/x-msdownload').toString('base64')
        const answer = await ctx.post({ 'Upload-Length': '5', 'Upload-Metadata': `filetype ${filetype}` })
        if (answer.status === 201) ctx.notApplicable('the server takes the metadata that was tried')
        expectRefused(answer)
        expectThat(
          header(answer, 'Location') === undefined,
          'expected no Location of a refused upload',
          answer,
        )
      },
    },
  ],
}
