import { describe, expect, test } from 'vitest'
import { serve } from '../support/exchange.ts'
import type { CorsOptions } from '../../src/server/cors.ts'

const HERE = 'https://app.example'
const ELSEWHERE = 'https://evil.example'
const ALLOW = 'access-control-allow-origin'

interface Case {
  readonly name: string
  readonly cors?: CorsOptions | false
  readonly origin: string | undefined
  readonly allow: string | undefined
  readonly vary: string | undefined
  readonly credentials?: string
}

const list = { origins: [HERE, 'null'] }
const predicate = { origins: (origin: string) => origin.endsWith('.example') && origin !== ELSEWHERE }
const cases: readonly Case[] = [
  { name: 'by default any origin', origin: HERE, allow: '*', vary: undefined },
  { name: 'no origin, no fields', origin: undefined, allow: undefined, vary: undefined },
  { name: 'a list: an origin on it', cors: list, origin: HERE, allow: HERE, vary: 'Origin' },
  { name: 'a list: another one', cors: list, origin: ELSEWHERE, allow: undefined, vary: 'Origin' },
  {
    name: 'a list: no origin, but caches must know',
    cors: list,
    origin: undefined,
    allow: undefined,
    vary: 'Origin',
  },
  { name: 'a list: part of a name', cors: list, origin: `${HERE}.evil`, allow: undefined, vary: 'Origin' },
  {
    name: 'a list: another scheme',
    cors: list,
    origin: 'http://app.example',
    allow: undefined,
    vary: 'Origin',
  },
  { name: 'a list: null, if it stands there', cors: list, origin: 'null', allow: 'null', vary: 'Origin' },
  { name: 'a predicate: yes', cors: predicate, origin: HERE, allow: HERE, vary: 'Origin' },
  { name: 'a predicate: no', cors: predicate, origin: ELSEWHERE, allow: undefined, vary: 'Origin' },
  {
    name: 'credentials',
    cors: { ...list, credentials: true },
    origin: HERE,
    allow: HERE,
    vary: 'Origin',
    credentials: 'true',
  },
  {
    name: 'credentials, another origin',
    cors: { ...list, credentials: true },
    origin: ELSEWHERE,
    allow: undefined,
    vary: 'Origin',
  },
  { name: 'off', cors: false, origin: HERE, allow: undefined, vary: undefined },
]

describe.each(cases)('$name', ({ cors, origin, allow, vary, credentials }) => {
  const headers = origin === undefined ? {} : { origin }
  const server = serve(cors === undefined ? {} : { cors })

  test.each([
    ['a preflight', 'OPTIONS', '/files/', 204],
    ['a refusal', 'POST', '/files/', 412],
    ['an unknown upload', 'HEAD', `/files/${'x'.repeat(28)}`, 404],
    ['no upload at all', 'GET', '/files/..', 404],
  ])('%s', async (_, method, target, status) => {
    const answer = await server.ask(method, target, { headers })
    expect(answer.status).toBe(status)
    expect(answer.headers.get(ALLOW)).toBe(allow)
    expect(answer.headers.get('vary')).toBe(vary)
    expect(answer.headers.get('access-control-allow-credentials')).toBe(credentials)
    expect(answer.headers.has('access-control-expose-headers')).toBe(allow !== undefined)
    expect(answer.headers.has('access-control-allow-methods')).toBe(
      allow !== undefined && method === 'OPTIONS',
    )
  })
})

test('a page may read every field that the protocol answers with (T-O8)', async () => {
  const answer = await serve().ask('OPTIONS', '/files/', { headers: { origin: HERE } })
  const exposed = answer.headers.get('access-control-expose-headers')?.split(', ')
  expect(exposed).toEqual(
    expect.arrayContaining([
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
    ]),
  )
  expect(answer.headers.get('access-control-allow-methods')?.split(', ').sort()).toEqual([
    'DELETE',
    'GET',
    'HEAD',
    'OPTIONS',
    'PATCH',
    'POST',
  ])
  expect(answer.headers.get('access-control-max-age')).toBe('86400')
})

describe('fields that a page wants to send', () => {
  const allowed = async (requested: string): Promise<string> => {
    const headers = { origin: HERE, 'access-control-request-headers': requested }
    const answer = await serve().ask('OPTIONS', '/files/', { headers })
    return answer.headers.get('access-control-allow-headers') ?? ''
  }

  test('are allowed beside those of the protocol', async () => {
    expect(await allowed('x-api-key, traceparent')).toMatch(/Upload-Offset.*, x-api-key, traceparent$/)
  })

  test.each(['x: y', 'a b', 'a\r\nb', '*/', ', ,', 'a,,b', `x${'a'.repeat(2000)}`, 'ä'])(
    'but not %j',
    async (odd) => {
      expect(await allowed(odd)).not.toContain(odd)
    },
  )
})

test('own settings: how long a preflight is kept, further fields to read', async () => {
  const server = serve({ cors: { maxAgeSeconds: 60, exposeHeaders: ['X-Own'] } })
  const answer = await server.ask('OPTIONS', '/files/', { headers: { origin: HERE } })
  expect(answer.headers.get('access-control-max-age')).toBe('60')
  expect(answer.headers.get('access-control-expose-headers')).toMatch(/, X-Own$/)
})

test('credentials for every page of the web are a mistake', () => {
  expect(() => serve({ cors: { credentials: true } })).toThrow(TypeError)
  expect(() => serve({ cors: { origins: '*', credentials: true } })).toThrow(TypeError)
})

test('a predicate that throws allows nothing, and the request is answered', async () => {
  const error = new Error('my mistake')
  const server = serve({
    cors: {
      origins: () => {
        throw error
      },
    },
  })
  const answer = await server.ask('OPTIONS', '/files/', { headers: { origin: HERE } })
  expect(answer.status).toBe(204)
  expect(answer.headers.get(ALLOW)).toBeUndefined()
  expect(server.failures).toEqual([error])
})
