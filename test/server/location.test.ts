import { describe, expect, test } from 'vitest'
import type { Ask } from '../support/exchange.ts'
import { serve } from '../support/exchange.ts'

interface Case extends Omit<Ask, 'headers'> {
  readonly name: string
  readonly publicUrl?: string
  readonly headers?: Readonly<Record<string, string>>
  /** What stands before the id. */
  readonly expected: string
}

const host = { host: 'up.example:1080' }
const cases: readonly Case[] = [
  { name: 'the host of the request', headers: host, expected: 'http://up.example:1080/files/' },
  { name: 'over TLS', headers: host, isSecure: true, expected: 'https://up.example:1080/files/' },
  { name: 'IPv6', headers: { host: '[::1]:1080' }, expected: 'http://[::1]:1080/files/' },
  {
    name: 'a public URL',
    publicUrl: 'https://cdn.example/up/',
    headers: host,
    expected: 'https://cdn.example/up/',
  },
  {
    name: 'a public URL without a slash at its end',
    publicUrl: 'https://cdn.example/up',
    expected: 'https://cdn.example/up/',
  },
  {
    name: 'a public URL, whatever a proxy says',
    publicUrl: 'https://cdn.example/',
    headers: { ...host, forwarded: 'host=x' },
    expected: 'https://cdn.example/',
  },
  { name: 'no host', expected: '/files/' },
  {
    name: 'HTTP/1.0, as Nginx speaks to its upstream',
    headers: host,
    httpVersion: '1.0',
    expected: '/files/',
  },
  { name: 'an empty host', headers: { host: '' }, expected: '/files/' },
  { name: 'a name of Docker', headers: { host: 'my_app:1080' }, expected: 'http://my_app:1080/files/' },
  ...['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'via', 'x-real-ip'].map(
    (sign) => ({
      name: `a sign of a proxy: ${sign}`,
      headers: { ...host, [sign]: 'evil.example' },
      expected: '/files/',
    }),
  ),
]

test.each(cases)('$name', async ({ publicUrl, headers, expected, httpVersion, isSecure }) => {
  const server = serve(publicUrl === undefined ? {} : { publicUrl })
  const answer = await server.tus('POST', '/files/', {
    headers: { 'upload-length': '10', ...headers },
    ...(httpVersion === undefined ? {} : { httpVersion }),
    ...(isSecure === undefined ? {} : { isSecure }),
  })
  expect(answer.status).toBe(201)
  const location = answer.headers.get('location') ?? ''
  expect(location.slice(0, -28)).toBe(expected)
  expect(location.slice(-28)).toMatch(/^[a-z2-9]{28}$/)
})

const malformed = [
  'up example',
  'a/b',
  'evil.example@up.example',
  'a,b',
  'a:99999',
  'a:b',
  '"',
  '<x>',
  '..',
  'ä.example',
]

test.each(malformed)('%j is no host: refused, nothing stored', async (odd) => {
  const server = serve()
  const answer = await server.tus('POST', '/files/', { headers: { 'upload-length': '10', host: odd } })
  expect([answer.status, answer.headers.has('location')]).toEqual([400, false])
  expect(answer.text).toMatch(/^ERR_INVALID_REQUEST: [\x20-\x7e]+\n$/)
  expect(await server.catalog.list({ limit: 1 })).toEqual([])
})

test('the path is the one the server was given, also the root', async () => {
  for (const path of ['/', '/a/', '/a/b-c.d/']) {
    const answer = await serve({ path }).tus('POST', path, { headers: { 'upload-length': '10' } })
    expect(answer.headers.get('location')?.slice(0, -28)).toBe(path)
  }
})

test.each(['', 'files', '/files', 'files/', '//', '/a//b/', '/a b/', '/a?b/', '/ä/', '/../%2e/'])(
  '%j is no path',
  (path) => {
    expect(() => serve({ path })).toThrow(TypeError)
  },
)

test.each(['', 'cdn.example', '/files/', 'ftp://cdn.example/', 'javascript:alert(1)'])(
  '%j is no public URL',
  (url) => {
    expect(() => serve({ publicUrl: url })).toThrow(TypeError)
  },
)

describe('what is ours', () => {
  const server = serve()

  test.each(['/', '/file', '/filesystem/', '/other/files/', '/FILES/'])('%s is not', async (target) => {
    expect(await server.handle('GET', target)).toBe('not-ours')
  })

  test.each(['/files', '/files/', '/files/?a=b', `/files/${'x'.repeat(28)}`, '/files/..', '/files/a/b', '*'])(
    '%s is',
    async (target) => {
      expect(await server.handle('OPTIONS', target)).toMatchObject({ status: 204 })
    },
  )
})

test('parts of a final may be named by any address that clients see', async () => {
  const server = serve({ publicUrl: 'https://cdn.example/up/' })
  const part = await server.create({ 'upload-length': '0', 'upload-concat': 'partial' })
  const id = part.slice(part.lastIndexOf('/') + 1)
  for (const url of [
    `https://cdn.example/up/${id}`,
    `/up/${id}`,
    `/files/${id}`,
    `http://up.example/files/${id}`,
    id,
  ]) {
    const answer = await server.tus('POST', '/files/', {
      headers: { ...host, 'upload-concat': `final;${url}`, host: 'up.example' },
    })
    expect(answer.status, url).toBe(201)
  }
  const foreign = await server.tus('POST', '/files/', {
    headers: { 'upload-concat': `final;https://evil.example/files/${id}` },
  })
  expect(foreign.status).toBe(400)
})
