import { describe, expect, test } from 'vitest'
import type { Addresses } from '../../src/server/location.ts'
import { makeAddresses } from '../../src/server/location.ts'
import type { Arrival } from '../../src/server/proxies.ts'
import type { Ask } from '../support/exchange.ts'
import { serve } from '../support/exchange.ts'

interface Case extends Omit<Ask, 'headers'> {
  readonly name: string
  readonly publicUrl?: string
  readonly trustedProxies?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
  /** What stands before the id. */
  readonly expected: string
}

const host = { host: 'up.example:1080' }
/** Requests of these tests come from 127.0.0.1. */
const told = {
  ...host,
  'x-forwarded-for': '192.0.2.1',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'files.example',
  'x-forwarded-prefix': '/api',
}
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
  ...[
    'forwarded',
    'x-forwarded-for',
    'x-forwarded-host',
    'x-forwarded-port',
    'x-forwarded-prefix',
    'x-forwarded-proto',
    'via',
    'x-real-ip',
  ].map((sign) => ({
    name: `a sign of a proxy: ${sign}`,
    headers: { ...host, [sign]: 'evil.example' },
    expected: '/files/',
  })),
  {
    name: 'a trusted proxy',
    trustedProxies: ['loopback'],
    headers: told,
    expected: 'https://files.example/api/files/',
  },
  {
    name: 'a trusted proxy that speaks HTTP/1.0 and tells only the scheme',
    trustedProxies: ['127.0.0.1'],
    headers: { ...host, 'x-forwarded-proto': 'https' },
    httpVersion: '1.0',
    expected: 'https://up.example:1080/files/',
  },
  {
    name: 'a trusted proxy that tells only the prefix',
    trustedProxies: ['loopback'],
    headers: { ...host, 'x-forwarded-prefix': '/api' },
    expected: '/api/files/',
  },
  { name: 'a proxy that is not trusted', trustedProxies: ['10.0.0.0/8'], headers: told, expected: '/files/' },
  { name: 'nobody is trusted', trustedProxies: [], headers: told, expected: '/files/' },
  {
    name: 'no proxy, where some are trusted',
    trustedProxies: ['loopback'],
    headers: host,
    expected: 'http://up.example:1080/files/',
  },
  {
    name: 'a public URL, whatever a trusted proxy says',
    publicUrl: 'https://cdn.example/up/',
    trustedProxies: ['loopback'],
    headers: told,
    expected: 'https://cdn.example/up/',
  },
]

test.each(cases)('$name', async ({ publicUrl, trustedProxies, headers, expected, httpVersion, isSecure }) => {
  const server = serve({ ...(publicUrl === undefined ? {} : { publicUrl }), trustedProxies })
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

test('a trusted proxy that is none is a mistake, which is named', () => {
  expect(() => serve({ trustedProxies: ['loopback', '10.0.0.0/33'] })).toThrow(TypeError)
  expect(() => serve({ trustedProxies: ['loopback', '10.0.0.0/33'] })).toThrow('"10.0.0.0/33"')
})

describe('what onRequest is told', () => {
  const tellTale = async (options: {
    readonly publicUrl?: string
    readonly trustedProxies?: readonly string[]
  }): Promise<unknown> => {
    const heard: unknown[] = []
    const server = serve({
      ...options,
      onRequest({ request, connectionAddress, scheme, host: name }) {
        heard.push([request.peerAddress, connectionAddress, scheme, name])
      },
    })
    await server.tus('POST', '/files/', { headers: { 'upload-length': '1', ...told } })
    return heard[0]
  }

  test('the client, by a trusted proxy', async () => {
    const heard = await tellTale({ trustedProxies: ['loopback'] })
    expect(heard).toEqual(['192.0.2.1', '127.0.0.1', 'https', 'files.example'])
  })

  test('the connection, where the proxy is not trusted', async () => {
    const plain = ['127.0.0.1', '127.0.0.1', 'http', 'up.example:1080']
    expect(await tellTale({})).toEqual(plain)
    expect(await tellTale({ trustedProxies: ['10.0.0.0/8'] })).toEqual(plain)
  })

  test('the client by a trusted proxy, the rest by the public URL', async () => {
    const heard = await tellTale({ trustedProxies: ['loopback'], publicUrl: 'https://cdn.example:8443/up/' })
    expect(heard).toEqual(['192.0.2.1', '127.0.0.1', 'https', 'cdn.example:8443'])
  })
})

describe('what clients may call a part of a final by', () => {
  const arrival = (headers: Readonly<Record<string, string>>): Arrival => ({
    peerAddress: '127.0.0.1',
    isSecure: false,
    httpVersion: '1.1',
    header: (name) => headers[name],
  })
  const addresses = (trustedProxies?: readonly string[], publicUrl?: string): Addresses =>
    makeAddresses({ basePath: '/files/', publicUrl, trustedProxies })

  test('the path with the prefix of a trusted proxy', () => {
    expect(addresses(['loopback']).publicBasePathOf(arrival(told))).toBe('/api/files/')
    expect(addresses(['10.0.0.0/8']).publicBasePathOf(arrival(told))).toBe('/files/')
    expect(addresses(['loopback'], 'https://cdn.example/up').publicBasePathOf(arrival(told))).toBe('/up/')
  })

  test('either scheme: a proxy that ends TLS may tell nothing', () => {
    expect(addresses().origins(arrival(host))).toEqual(['https://up.example:1080', 'http://up.example:1080'])
  })

  test('X-Forwarded-Host, but not of a proxy that is known not to be trusted', () => {
    const name = 'https://files.example'
    expect(addresses().origins(arrival(told))).toContain(name)
    expect(addresses(['loopback']).origins(arrival(told))).toContain(name)
    expect(addresses(['10.0.0.0/8']).origins(arrival(told))).not.toContain(name)
  })
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
