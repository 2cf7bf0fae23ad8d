import { tusSection, type Chapter } from '../case.ts'
import { offsetOctets, type Context, type Upload } from '../context.ts'
import { checksum as checksumOf, sha1 } from '../digests.ts'
import {
  every,
  expectOffset,
  expectNoHeader,
  expectRefused,
  expectStatus,
  expectThat,
  offsetIn,
  type Answer,
} from '../expect.ts'
import { stalledPatch } from '../stall.ts'
import type { Fields } from '../wire-request.ts'

const wrong = sha1('something else')

async function patchWith(
  ctx: Context,
  upload: Upload,
  body: string,
  value: string | readonly string[],
): Promise<Answer> {
  return await ctx.patch(upload, 0, body, { 'Upload-Checksum': value })
}

async function expectDiscarded(ctx: Context, upload: Upload, answer: Answer): Promise<void> {
  expectRefused(answer)
  await ctx.expectAt(upload, 0)
}

/** A chunked PATCH of `hello` with a trailer. */
async function patchTrailing(
  ctx: Context,
  upload: Upload,
  trailers: Readonly<Record<string, string>>,
  fields: Fields = {},
): Promise<Answer> {
  return await ctx.ask({
    method: 'PATCH',
    to: upload,
    fields: { 'Content-Type': offsetOctets, 'Upload-Offset': '0', ...fields },
    chunks: ['hel', 'lo'],
    trailers,
  })
}

/** tus 1.0 §Checksum. */
export const checksum: Chapter = {
  title: 'Checksum',
  section: tusSection('checksum'),
  cases: [
    {
      id: 'T-K1',
      title: 'the right sha1: 204 and the new offset',
      level: 'MUST',
      requires: ['checksum'],
      async run(ctx) {
        const upload = await ctx.create({ length: 11 })
        const answer = await patchWith(ctx, upload, 'hello world', 'sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=')
        expectStatus(answer, 204)
        expectOffset(answer, 11)
        await ctx.expectContent(upload, 'hello world')
      },
    },
    {
      id: 'T-K1a',
      title: 'every announced algorithm tells right from wrong',
      level: 'MUST',
      requires: ['checksum'],
      async run(ctx) {
        const known = ctx.capabilities.checksumAlgorithms.filter((name) => checksumOf(name, '') !== undefined)
        await every(known, async (name) => {
          const upload = await ctx.create({ length: 5 })
          await expectDiscarded(
            ctx,
            upload,
            await patchWith(ctx, upload, 'hello', checksumOf(name, 'hallo') ?? ''),
          )
          expectStatus(await patchWith(ctx, upload, 'hello', checksumOf(name, 'hello') ?? ''), 204)
        })
      },
    },
    {
      id: 'T-K2',
      title: 'a wrong digest: the bytes are discarded, the offset stays, and the right ones then succeed',
      level: 'MUST',
      requires: ['checksum'],
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        await expectDiscarded(ctx, upload, await patchWith(ctx, upload, 'hallo', sha1('hello')))
        expectOffset(await patchWith(ctx, upload, 'hello', sha1('hello')), 5)
        await ctx.expectContent(upload, 'hello')
      },
    },
    {
      id: 'T-K2o',
      title: 'the status of a wrong digest is 460 Checksum Mismatch',
      level: 'MAY',
      requires: ['checksum'],
      async run(ctx) {
        const answer = await patchWith(ctx, await ctx.create({ length: 5 }), 'hello', wrong)
        expectStatus(answer, 460)
        expectThat(
          /^checksum mismatch$/i.test(answer.reason),
          'expected the phrase “Checksum Mismatch”',
          answer,
        )
      },
    },
    {
      id: 'T-K3',
      title: 'an unknown algorithm: discarded, offset unchanged',
      level: 'MUST',
      requires: ['checksum'],
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        await expectDiscarded(ctx, upload, await patchWith(ctx, upload, 'hello', 'nohash AAAA'))
      },
    },
    {
      id: 'T-K3o',
      title: 'the status of an unknown algorithm is 400',
      level: 'MAY',
      requires: ['checksum'],
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        expectStatus(await patchWith(ctx, upload, 'hello', 'nohash AAAA'), 400)
      },
    },
    {
      id: 'T-K4',
      title: 'sha1 is supported',
      level: 'MUST',
      requires: ['checksum'],
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        expectStatus(await patchWith(ctx, upload, 'hello', sha1('hello')), 204)
      },
    },
    {
      id: 'T-K4d',
      title: 'names of algorithms are lower case: SHA1 is 400',
      level: 'DECISION',
      requires: ['checksum'],
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        expectStatus(await patchWith(ctx, upload, 'hello', sha1('hello').replace('sha1', 'SHA1')), 400)
        await ctx.expectAt(upload, 0)
      },
    },
    {
      id: 'T-K5',
      title: 'a malformed Upload-Checksum (no space, not Base64, wrong size, two lines): 400, unchanged',
      level: 'DECISION',
      requires: ['checksum'],
      async run(ctx) {
        const right = sha1('hello')
        const upload = await ctx.create({ length: 5 })
        const rows = [
          'sha1',
          '',
          right.replace(' ', ''),
          'sha1 !!!',
          'sha1 AAAA',
          `${right} x`,
          [right, right],
        ]
        await every(rows, async (value) => {
          expectStatus(await patchWith(ctx, upload, 'hello', value), 400)
          await ctx.expectAt(upload, 0)
        })
      },
    },
    {
      id: 'T-K6',
      title:
        'bytes are not visible before they are verified (HEAD in the middle; a crash is not seen from here)',
      level: 'MUST',
      requires: ['checksum'],
      async run(ctx) {
        const upload = await ctx.create({ length: 10 })
        const fields = { 'Upload-Checksum': sha1('helloworld') }
        const running = await stalledPatch(ctx, upload, 'hello', 10, fields)
        const answer = await ctx.head(upload)
        if (answer.status === 200 || answer.status === 204) expectOffset(answer, 0)
        running.close()
      },
    },
    {
      id: 'T-K7',
      title: 'the connection breaks during a PATCH with a checksum: its bytes are discarded',
      level: 'DECISION',
      requires: ['checksum'],
      async run(ctx) {
        const upload = await ctx.create({ length: 10 })
        const running = await stalledPatch(ctx, upload, 'hello', 10, {
          'Upload-Checksum': sha1('helloworld'),
        })
        running.finish()
        await running.closes(2000)
        running.close()
        const offset = await ctx.settled(upload)
        expectThat(offset === 0, `expected offset 0, HEAD says ${offset}`)
      },
    },
    {
      id: 'T-K8',
      title: 'a PATCH without the header is not verified, even after one with it',
      level: 'DECISION',
      requires: ['checksum'],
      async run(ctx) {
        const upload = await ctx.create({ length: 11 })
        expectStatus(await patchWith(ctx, upload, 'hello', sha1('hello')), 204)
        expectStatus(await ctx.patch(upload, 5, ' world'), 204)
        await ctx.expectContent(upload, 'hello world')
      },
    },
    {
      id: 'T-K9',
      title:
        'creation with upload is verified too: a mismatch is 460 and creates nothing; without a body it is ignored',
      level: 'DECISION',
      requires: ['checksum', 'creation-with-upload'],
      async run(ctx) {
        const fields = { 'Upload-Length': '5', 'Content-Type': offsetOctets }
        const answer = await ctx.post({ ...fields, 'Upload-Checksum': wrong }, 'hello')
        expectStatus(answer, 460)
        expectNoHeader(answer, 'Location')
        const right = await ctx.post({ ...fields, 'Upload-Checksum': sha1('hello') }, 'hello')
        expectOffset(ctx.uploadOf(right).created, 5)
        ctx.uploadOf(await ctx.post({ 'Upload-Length': '5', 'Upload-Checksum': wrong }))
      },
    },
    {
      id: 'T-K10',
      title: 'a body beyond the length with a checksum: 413 or 460, nothing stored',
      level: 'DECISION',
      requires: ['checksum'],
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        const fields = {
          'Content-Type': offsetOctets,
          'Upload-Offset': '0',
          'Upload-Checksum': sha1('hello world'),
        }
        const answer = await ctx.ask({ method: 'PATCH', to: upload, fields, chunks: ['hello', ' world'] })
        expectStatus(answer, 413, 460)
        await ctx.expectAt(upload, 0)
      },
    },
    {
      id: 'T-K11',
      title: 'an empty body with the digest of nothing: 204',
      level: 'DECISION',
      requires: ['checksum'],
      async run(ctx) {
        const answer = await patchWith(ctx, await ctx.create({ length: 5 }), '', sha1(''))
        expectStatus(answer, 204)
        expectOffset(answer, 0)
      },
    },
    {
      id: 'T-KT1',
      title: 'a server that acts on checksum trailers lists checksum-trailer',
      level: 'MUST',
      requires: ['checksum'],
      async run(ctx) {
        const answer = await patchTrailing(ctx, await ctx.create({ length: 5 }), { 'Upload-Checksum': wrong })
        const acts = answer.status === 460
        expectThat(!acts || ctx.has('checksum-trailer'), 'expected checksum-trailer in Tus-Extension', answer)
        if (!acts) ctx.needs('checksum-trailer')
      },
    },
    {
      id: 'T-KT2',
      title: 'the digest in the trailer: right is 204, wrong is discarded',
      level: 'MUST',
      requires: ['checksum-trailer'],
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        await expectDiscarded(ctx, upload, await patchTrailing(ctx, upload, { 'Upload-Checksum': wrong }))
        const answer = await patchTrailing(ctx, upload, { 'Upload-Checksum': sha1('hello') })
        expectStatus(answer, 204)
        expectThat(offsetIn(answer) === 5, 'expected offset 5', answer)
        await ctx.expectContent(upload, 'hello')
      },
    },
    {
      id: 'T-KT3',
      title:
        'a declared trailer that never comes is 400, and so are header and trailer that differ; both discard',
      level: 'DECISION',
      requires: ['checksum-trailer'],
      async run(ctx) {
        const upload = await ctx.create({ length: 5 })
        const missing = await patchTrailing(ctx, upload, {}, { Trailer: 'Upload-Checksum' })
        expectStatus(missing, 400)
        await ctx.expectAt(upload, 0)
        const both = { 'Upload-Checksum': sha1('hello') }
        expectStatus(await patchTrailing(ctx, upload, { 'Upload-Checksum': wrong }, both), 400)
        await ctx.expectAt(upload, 0)
        expectStatus(await patchTrailing(ctx, upload, both, both), 204)
      },
    },
    {
      id: 'T-KT4',
      title: 'trailers work the same over HTTP/2',
      level: 'DECISION',
      requires: ['checksum-trailer'],
      async run(ctx) {
        await Promise.resolve()
        ctx.notApplicable('this suite speaks HTTP/1.1')
      },
    },
  ],
}
