import { tusSection, type Chapter } from '../case.ts'
import type { Context, Upload } from '../context.ts'
import { expectHeader, expectNoHeader, expectStatus, expectThat, header, type Answer } from '../expect.ts'
import { stalledPatch } from '../stall.ts'

/** Longest expiry that a case waits for. */
const waitableMs = 3000

interface Dated {
  readonly upload: Upload
  readonly first: Answer
  readonly second: Answer
}

/** An unfinished upload with two PATCHes; ends the case if nothing says that it expires. */
async function expiring(ctx: Context): Promise<Dated> {
  const upload = await ctx.create({ length: 11 })
  const first = await ctx.patch(upload, 0, 'hello')
  const second = await ctx.patch(upload, 5, ' ')
  const dates = [upload.created, first, second].map((answer) => header(answer, 'Upload-Expires'))
  if (dates.every((date) => date === undefined)) ctx.notApplicable('this upload does not expire')
  return { upload, first, second }
}

function dateIn(answer: Answer): number {
  expectHeader(answer, 'Upload-Expires', /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/)
  const text = header(answer, 'Upload-Expires') ?? ''
  const time = Date.parse(text)
  // Also refuses a date that does not exist and a wrong day of the week.
  expectThat(new Date(time).toUTCString() === text, 'expected Upload-Expires to be a real date', answer)
  return time
}

/** Waits until the upload has expired by the server's own clock; ends the case if that is far away. */
async function waitForExpiry(ctx: Context, answer: Answer): Promise<void> {
  const now = Date.parse(header(answer, 'Date') ?? '') || Date.now()
  const left = dateIn(answer) - now
  if (left > waitableMs)
    ctx.notApplicable(`the upload expires in ${Math.round(left / 1000)} s, too long to wait`)
  // Both dates have whole seconds.
  await ctx.pause(Math.max(0, left) + 1500)
}

/** tus 1.0 §Expiration. */
export const expiration: Chapter = {
  title: 'Expiration',
  section: tusSection('upload-expires'),
  cases: [
    {
      id: 'T-E1',
      title: 'Upload-Expires is on every PATCH answer of an upload that will expire',
      level: 'MUST',
      requires: ['expiration'],
      async run(ctx) {
        const { first, second } = await expiring(ctx)
        dateIn(first)
        dateIn(second)
      },
    },
    {
      id: 'T-E1d',
      title: 'Upload-Expires is on PATCH answers that are errors too',
      level: 'DECISION',
      requires: ['expiration'],
      async run(ctx) {
        const { upload } = await expiring(ctx)
        const answer = await ctx.patch(upload, 0, 'X')
        expectStatus(answer, 409)
        dateIn(answer)
      },
    },
    {
      id: 'T-E2',
      title: 'Upload-Expires is in the 201 (its first PATCH knows the date, so it was known)',
      level: 'MUST',
      requires: ['expiration'],
      async run(ctx) {
        dateIn((await expiring(ctx)).upload.created)
      },
    },
    {
      id: 'T-E3',
      title: 'the date is an RFC 9110 date in GMT, wherever it is sent',
      level: 'MUST',
      requires: ['expiration'],
      async run(ctx) {
        const { upload, first, second } = await expiring(ctx)
        for (const answer of [upload.created, first, second, await ctx.head(upload)]) {
          if (header(answer, 'Upload-Expires') !== undefined) dateIn(answer)
        }
      },
    },
    {
      id: 'T-E4',
      title: 'after that time HEAD, PATCH and DELETE get 404 or 410, without Upload-Offset',
      level: 'SHOULD',
      requires: ['expiration'],
      async run(ctx) {
        const { upload, second } = await expiring(ctx)
        await waitForExpiry(ctx, second)
        const answers = [await ctx.head(upload), await ctx.patch(upload, 6, 'world')]
        if (ctx.has('termination')) answers.push(await ctx.terminate(upload))
        for (const answer of answers) {
          expectStatus(answer, 404, 410)
          expectNoHeader(answer, 'Upload-Offset')
        }
      },
    },
    {
      id: 'T-E5',
      title: 'a date that moves is the same in PATCH and HEAD: HEAD never says an earlier one',
      level: 'MAY',
      requires: ['expiration'],
      async run(ctx) {
        const { upload, second } = await expiring(ctx)
        const answer = await ctx.head(upload)
        if (header(answer, 'Upload-Expires') === undefined) ctx.notApplicable('HEAD tells no date')
        expectThat(
          dateIn(answer) >= dateIn(second),
          `expected at least ${header(second, 'Upload-Expires')}`,
          answer,
        )
      },
    },
    {
      id: 'T-E6',
      title: 'the PATCH that completes the upload tells a date only if complete uploads expire',
      level: 'DECISION',
      requires: ['expiration'],
      async run(ctx) {
        const { upload } = await expiring(ctx)
        const last = await ctx.patch(upload, 6, 'world')
        expectStatus(last, 204)
        const onHead = header(await ctx.head(upload), 'Upload-Expires')
        if (onHead === undefined) expectNoHeader(last, 'Upload-Expires')
        else dateIn(last)
      },
    },
    {
      id: 'T-E7',
      title: 'an upload with a PATCH in progress is not removed under it',
      level: 'DECISION',
      requires: ['expiration'],
      async run(ctx) {
        const { upload } = await expiring(ctx)
        const fields = { 'Upload-Offset': '6' }
        const running = await stalledPatch(ctx, upload, 'wo', 5, fields)
        await waitForExpiry(ctx, await ctx.patch(await ctx.create({ length: 11 }), 0, 'hello'))
        running.write('rld')
        const answer = await running.answer
        running.close()
        if (answer.status === 408)
          ctx.notApplicable('the server gives a stalled body up before the upload expires')
        expectStatus(answer, 204)
      },
    },
    {
      id: 'T-E8',
      title: 'a server that sends Upload-Expires lists expiration',
      level: 'MUST',
      section: tusSection('expiration'),
      requires: ['creation'],
      async run(ctx) {
        if (ctx.has('expiration')) return
        const upload = await ctx.create({ length: 11 })
        expectNoHeader(upload.created, 'Upload-Expires')
        expectNoHeader(await ctx.patch(upload, 0, 'hello'), 'Upload-Expires')
        ctx.notApplicable('nothing is said of expiry')
      },
    },
  ],
}
