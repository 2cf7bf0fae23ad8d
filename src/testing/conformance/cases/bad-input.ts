import type { Case, Chapter } from '../case.ts'
import { offsetOctets, type Context, type Upload } from '../context.ts'
import {
  every,
  expectHeader,
  expectNoHeader,
  expectRefused,
  expectStatus,
  expectThat,
  header,
  type Answer,
} from '../expect.ts'
import { pathTricks } from '../path-tricks.ts'
import { badWire } from './bad-wire.ts'

const hugeNumbers = [
  '9007199254740992',
  '9223372036854775807',
  '9223372036854775808',
  '18446744073709551616',
  '1'.repeat(400),
]

/** Runs one request per path trick; the real upload must be the same afterwards. */
async function tryPaths(
  ctx: Context,
  ask: (target: string, upload: Upload) => Promise<Answer | undefined>,
): Promise<void> {
  const upload = await ctx.create({ length: 5 })
  await every(
    pathTricks(upload.id),
    async (trick) => {
      const answer = await ask(ctx.capabilities.uploadBase + trick, upload)
      if (answer === undefined) return
      expectRefused(answer)
      expectNoHeader(answer, 'X-Smuggled')
    },
    { atOnce: 4 },
  )
  await ctx.expectAt(upload, 0)
  await ctx.expectAlive()
}

/** A name in `Upload-Metadata` as a client would send it. */
function named(name: string): string {
  return `filename ${Buffer.from(name, 'utf8').toString('base64')}`
}

const paths: readonly Case[] = [
  {
    id: 'B-1',
    title: 'HEAD of 80 path tricks (../, %2e%2e%2f, double encoding, overlong UTF-8, NUL …): 4xx',
    level: 'DECISION',
    requires: ['creation'],
    patience: 3,
    async run(ctx) {
      await tryPaths(ctx, async (to) => await ctx.attempt({ method: 'HEAD', to }))
    },
  },
  {
    id: 'B-2',
    title: 'PATCH of 80 path tricks: 4xx, nothing is written',
    level: 'DECISION',
    requires: ['creation'],
    patience: 3,
    async run(ctx) {
      const fields = { 'Content-Type': offsetOctets, 'Upload-Offset': '0' }
      await tryPaths(ctx, async (to) => await ctx.attempt({ method: 'PATCH', to, fields, body: 'X' }))
    },
  },
  {
    id: 'B-3',
    title: 'DELETE of 80 path tricks: 4xx, nothing is removed',
    level: 'DECISION',
    requires: ['creation', 'termination'],
    patience: 3,
    async run(ctx) {
      await tryPaths(ctx, async (to) => await ctx.attempt({ method: 'DELETE', to }))
    },
  },
  {
    id: 'B-4',
    title: '80 path tricks as parts of a final upload: 4xx, nothing is created',
    level: 'DECISION',
    requires: ['concatenation'],
    patience: 3,
    async run(ctx) {
      await tryPaths(ctx, async (target) => {
        const answer = await ctx.attempt({ method: 'POST', fields: { 'Upload-Concat': `final;${target}` } })
        if (answer !== undefined) expectNoHeader(answer, 'Location')
        return answer
      })
    },
  },
]

const fields: readonly Case[] = [
  {
    id: 'B-5',
    title: 'two Upload-Offset or Upload-Length lines: 4xx, nothing stored',
    level: 'DECISION',
    requires: ['creation'],
    async run(ctx) {
      const upload = await ctx.create({ length: 5 })
      for (const offsets of [
        ['0', '0'],
        ['0', '5'],
      ]) {
        expectRefused(await ctx.patch(upload, 0, 'hello', { 'Upload-Offset': offsets }))
        await ctx.expectAt(upload, 0)
        expectRefused(await ctx.post({ 'Upload-Length': offsets }))
      }
    },
  },
  {
    id: 'B-6',
    title: 'numbers from 2^53 to 400 digits as offset and length: 4xx',
    level: 'DECISION',
    requires: ['creation'],
    async run(ctx) {
      const upload = await ctx.create({ length: 5 })
      await every(hugeNumbers, async (number) => {
        expectRefused(await ctx.post({ 'Upload-Length': number }))
        expectRefused(await ctx.patch(upload, number, 'hello'))
      })
      await ctx.expectAt(upload, 0)
    },
  },
  {
    id: 'B-7',
    title: '10,000 metadata pairs: refused (4xx) or kept whole; the server stays alive',
    level: 'DECISION',
    requires: ['creation'],
    async run(ctx) {
      for (const count of [1000, 10_000]) {
        const metadata = Array.from({ length: count }, (_, at) => `k${at} YQ==`).join(',')
        const ask = { method: 'POST', fields: { 'Upload-Length': '5', 'Upload-Metadata': metadata } }
        const answer = await ctx.attempt(ask)
        await ctx.expectAlive()
        if (answer === undefined) continue
        if (answer.status !== 201) expectRefused(answer)
        else expectHeader(await ctx.head(ctx.uploadOf(answer)), 'Upload-Metadata', metadata)
      }
    },
  },
  {
    id: 'B-8',
    title: 'metadata that is no Base64: 4xx, nothing created',
    level: 'DECISION',
    requires: ['creation'],
    async run(ctx) {
      await every(
        ['filename ====', 'filename a', 'filename YQ==\u00ff', 'filename %41', 'a "YQ=="'],
        async (value) => {
          const answer = await ctx.post({ 'Upload-Length': '5', 'Upload-Metadata': value })
          expectRefused(answer)
          expectNoHeader(answer, 'Location')
        },
      )
    },
  },
  {
    id: 'B-9',
    title:
      'file names with CR, LF, NUL, emoji, only dots or only spaces: 201 or 4xx, and they come back as sent',
    level: 'DECISION',
    requires: ['creation'],
    async run(ctx) {
      const names = [
        'a\rb',
        'a\nb',
        'a\u0000b',
        '\u{1f600}.txt',
        '.',
        '..',
        ' ',
        '',
        '/',
        'con',
        '-rf',
        'a\u2028b',
      ]
      await every(names, async (name) => {
        const answer = await ctx.post({ 'Upload-Length': '0', 'Upload-Metadata': named(name).trimEnd() })
        expectThat(
          answer.status === 201 || (answer.status >= 400 && answer.status < 500),
          'expected 201 or 4xx',
          answer,
        )
        if (answer.status !== 201) return
        const upload = ctx.uploadOf(answer)
        expectHeader(await ctx.head(upload), 'Upload-Metadata', named(name).trimEnd())
        if (ctx.capabilities.download) expectStatus(await ctx.get(upload), 200, 204)
      })
      await ctx.expectAlive()
    },
  },
  {
    id: 'B-10',
    title: 'unknown method overrides (TRACE, empty, two names, control bytes): 4xx or 501, nothing changes',
    level: 'DECISION',
    requires: ['creation'],
    async run(ctx) {
      const upload = await ctx.create({ length: 5 })
      const values = ['TRACE', 'CONNECT', 'FOO', 'POST, DELETE', 'DELETE DELETE', '__proto__', 'constructor']
      await every([...values, ['DELETE', 'HEAD']], async (value) => {
        const answer = await ctx.ask({
          method: 'POST',
          to: upload,
          fields: { 'X-HTTP-Method-Override': value },
        })
        if (answer.status !== 501) expectRefused(answer)
        await ctx.expectAt(upload, 0)
      })
    },
  },
  {
    id: 'B-11',
    title: 'X-Forwarded-* and Forwarded from anybody do not decide the Location',
    level: 'DECISION',
    requires: ['creation'],
    async run(ctx) {
      const claims: Record<string, string>[] = [
        { 'X-Forwarded-Host': 'evil.invalid', 'X-Forwarded-Proto': 'https' },
        { Forwarded: 'for=1.2.3.4;host=evil.invalid;proto=https' },
        { 'X-Forwarded-Host': 'evil.invalid, other.invalid', 'X-Forwarded-Prefix': '/evil.invalid' },
        { 'X-Original-URL': '/evil.invalid', 'X-Rewrite-URL': '/evil.invalid', 'X-Host': 'evil.invalid' },
        { 'X-Forwarded-Host': 'evil.invalid/files/"><script>' },
      ]
      await every(claims, async (claim) => {
        const answer = await ctx.post({ 'Upload-Length': '5', ...claim })
        expectStatus(answer, 201)
        const location = header(answer, 'Location') ?? ''
        expectThat(!location.includes('evil.invalid'), 'expected a Location without the claimed host', answer)
      })
    },
  },
  {
    id: 'B-12',
    title: 'a Host that is no host: 4xx, or a Location that does not repeat it',
    level: 'DECISION',
    section: 'https://www.rfc-editor.org/rfc/rfc9112.html#section-3.2',
    requires: ['creation'],
    async run(ctx) {
      const hosts = [
        'evil host',
        'a/b',
        '"><script>',
        'user@evil.invalid',
        'a:99999',
        'a:b',
        '[::',
        '..',
        'a?b#c',
        '%0d%0aX: y',
      ]
      await every(hosts, async (host) => {
        const answer = await ctx.attempt({ method: 'POST', fields: { Host: host, 'Upload-Length': '5' } })
        if (answer === undefined) return
        if (answer.status !== 201) return expectRefused(answer)
        const location = header(answer, 'Location') ?? ''
        expectThat(!location.includes(host), 'expected a Location without this Host', answer)
      })
      await ctx.expectAlive()
    },
  },
]

/** Input that no good client sends. None of it is in the tus text; all of it reaches every server. */
export const badInput: Chapter = {
  title: 'Bad input',
  section: 'https://www.rfc-editor.org/rfc/rfc9110.html#section-17',
  cases: [...paths, ...fields, ...badWire],
}
