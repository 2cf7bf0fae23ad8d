import type { Chapter } from '../case.ts'
import type { Context } from '../context.ts'
import { every, expectHeader, expectStatus, expectThat, listHeader, type Answer } from '../expect.ts'

const origin = 'https://app.example'

/** What a browser client must be able to read. */
const exposed = [
  'Location',
  'Tus-Resumable',
  'Tus-Version',
  'Tus-Extension',
  'Tus-Max-Size',
  'Tus-Checksum-Algorithm',
  'Upload-Offset',
  'Upload-Length',
  'Upload-Defer-Length',
  'Upload-Metadata',
  'Upload-Expires',
  'Upload-Concat',
]

/** What a browser client must be able to send. */
const sendable = ['Tus-Resumable', 'Upload-Length', 'Upload-Offset', 'Upload-Metadata', 'Content-Type']

function needsCors(ctx: Context): void {
  if (!ctx.capabilities.cors) ctx.notApplicable('the server sends no CORS fields')
}

function expectAllowed(answer: Answer): void {
  expectHeader(answer, 'Access-Control-Allow-Origin', /^(?:\*|https:\/\/app\.example)$/)
  const allow = listHeader(answer, 'Access-Control-Allow-Origin')
  const vary = listHeader(answer, 'Vary').map((name) => name.toLowerCase())
  const fits = allow[0] === '*' || vary.includes('origin') || vary.includes('*')
  expectThat(fits, 'expected Vary: Origin, since the answer depends on it', answer)
}

function missingFrom(answer: Answer, name: string, wanted: readonly string[]): string[] {
  const found = new Set(listHeader(answer, name).map((item) => item.toLowerCase()))
  return found.has('*') ? [] : wanted.filter((item) => !found.has(item.toLowerCase()))
}

function expectAll(answer: Answer, name: string, wanted: readonly string[]): void {
  const missing = missingFrom(answer, name, wanted)
  expectThat(missing.length === 0, `expected ${name} to name ${missing.join(', ')}`, answer)
}

async function preflight(ctx: Context, method: string): Promise<Answer> {
  return await ctx.options({
    Origin: origin,
    'Access-Control-Request-Method': method,
    'Access-Control-Request-Headers': sendable.join(', ').toLowerCase(),
  })
}

/** Not in tus; what the Fetch standard asks of a server that a browser uploads to. */
export const cors: Chapter = {
  title: 'CORS',
  section: 'https://fetch.spec.whatwg.org/#http-cors-protocol',
  cases: [
    {
      id: 'T-O8',
      title: 'a preflight gets the OPTIONS answer plus the methods and fields of tus',
      level: 'DECISION',
      async run(ctx) {
        needsCors(ctx)
        await every(
          ['POST', 'PATCH', 'HEAD', ...(ctx.has('termination') ? ['DELETE'] : [])],
          async (method) => {
            const answer = await preflight(ctx, method)
            expectStatus(answer, 200, 204)
            expectHeader(answer, 'Tus-Version', /1\.0\.0/)
            expectAllowed(answer)
            expectAll(answer, 'Access-Control-Allow-Methods', [method])
            expectAll(answer, 'Access-Control-Allow-Headers', sendable)
          },
        )
      },
    },
    {
      id: 'T-O8x',
      title: 'answers expose the fields a client has to read',
      level: 'DECISION',
      requires: ['creation'],
      async run(ctx) {
        needsCors(ctx)
        const created = await ctx.post({ 'Upload-Length': '5', Origin: origin })
        expectAll(created, 'Access-Control-Expose-Headers', exposed)
        const answer = await ctx.head(ctx.uploadOf(created), { Origin: origin })
        expectAll(answer, 'Access-Control-Expose-Headers', exposed)
      },
    },
    {
      id: 'T-O8e',
      title: 'every answer has CORS fields, errors included',
      level: 'DECISION',
      requires: ['creation'],
      async run(ctx) {
        needsCors(ctx)
        const from = { Origin: origin }
        const upload = ctx.uploadOf(await ctx.post({ 'Upload-Length': '5', ...from }))
        const asks: [string, () => Promise<Answer>][] = [
          ['POST', async () => await ctx.post({ 'Upload-Length': '5', ...from })],
          ['a bad Upload-Length', async () => await ctx.post({ 'Upload-Length': 'x', ...from })],
          ['HEAD', async () => await ctx.head(upload, from)],
          ['HEAD of an unknown upload', async () => await ctx.head(ctx.unknown(), from)],
          ['a wrong version', async () => await ctx.head(upload, { ...from, 'Tus-Resumable': '0.2.2' })],
          ['a wrong offset', async () => await ctx.patch(upload, 3, 'x', from)],
          [
            'a wrong type',
            async () => await ctx.patch(upload, 0, 'x', { ...from, 'Content-Type': 'text/plain' }),
          ],
          ['PATCH', async () => await ctx.patch(upload, 0, 'hello', from)],
          ['GET of an unknown upload', async () => await ctx.get(ctx.unknown(), from)],
          ['DELETE of an unknown upload', async () => await ctx.terminate(ctx.unknown(), from)],
        ]
        await every(asks, async ([, ask]) => expectAllowed(await ask()), { label: ([name]) => name })
      },
    },
  ],
}
