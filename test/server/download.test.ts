import { describe, expect, test } from 'vitest'
import { bytes } from '../support/bytes.ts'
import type { Answered, Served } from '../support/exchange.ts'
import { serve } from '../support/exchange.ts'

const CONTENT = bytes(1000)

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64')
}

async function stored(
  metadata: Readonly<Record<string, string>> = {},
  options = {},
): Promise<[Served, string]> {
  const server = serve(options)
  const pairs = Object.entries(metadata).map(([key, value]) => `${key} ${base64(value)}`)
  const headers = {
    'upload-length': '1000',
    ...(pairs.length === 0 ? {} : { 'upload-metadata': pairs.join(',') }),
  }
  return [server, await server.create(headers, CONTENT)]
}

async function got(metadata: Readonly<Record<string, string>>, options = {}): Promise<Answered> {
  const [server, upload] = await stored(metadata, options)
  return server.ask('GET', upload)
}

test('a complete upload can be had, and nothing of it runs in our origin', async () => {
  const answer = await got({ filename: 'a.bin' })
  expect(answer.status).toBe(200)
  expect(answer.body).toEqual(CONTENT)
  expect(answer.headers.get('content-length')).toBe('1000')
  expect(answer.headers.get('content-disposition')).toBe('attachment; filename=a.bin')
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
  expect(answer.headers.get('content-security-policy')).toContain('sandbox')
  expect(answer.headers.get('accept-ranges')).toBe('bytes')
  expect(answer.headers.get('etag')).toMatch(/^"[a-z2-9]{28}"$/)
  expect(answer.headers.get('last-modified')).toBe('Thu, 01 Jan 2026 00:00:00 GMT')
})

test('an unfinished one answers with its fields, no bytes, and goes on undisturbed', async () => {
  const server = serve()
  const upload = await server.create({ 'upload-length': '2000' }, CONTENT)
  const answer = await server.ask('GET', upload)
  expect([answer.status, answer.body.length, answer.headers.get('upload-offset')]).toEqual([204, 0, '1000'])
  expect(answer.headers.get('upload-length')).toBe('2000')
})

describe('Range', () => {
  test.each<[string, number, number, number]>([
    ['bytes=0-0', 206, 0, 1],
    ['bytes=10-19', 206, 10, 20],
    ['bytes=990-', 206, 990, 1000],
    ['bytes=-5', 206, 995, 1000],
    ['bytes=0-99999', 206, 0, 1000],
    ['bytes=0-1,5-6', 200, 0, 1000],
    ['lines=0-1', 200, 0, 1000],
    ['bytes=5-1', 200, 0, 1000],
    ['garbage', 200, 0, 1000],
  ])('%s', async (range, status, start, end) => {
    const [server, upload] = await stored()
    const answer = await server.ask('GET', upload, { headers: { range } })
    expect(answer.status).toBe(status)
    expect(answer.body).toEqual(CONTENT.subarray(start, end))
    expect(answer.headers.get('content-length')).toBe(String(end - start))
    expect(answer.headers.get('content-range')).toBe(
      status === 206 ? `bytes ${start}-${end - 1}/1000` : undefined,
    )
  })

  test.each(['bytes=1000-', 'bytes=-0', 'bytes=5000-6000'])('%s: 416 with the size', async (range) => {
    const [server, upload] = await stored()
    const answer = await server.ask('GET', upload, { headers: { range } })
    expect([answer.status, answer.headers.get('content-range')]).toEqual([416, 'bytes */1000'])
    expect(answer.body.length).toBe(0)
  })

  test('of an empty upload cannot be satisfied; the whole of it can', async () => {
    const server = serve()
    const upload = await server.create({ 'upload-length': '0' })
    expect((await server.ask('GET', upload, { headers: { range: 'bytes=0-' } })).status).toBe(416)
    const whole = await server.ask('GET', upload)
    expect([whole.status, whole.headers.get('content-length')]).toEqual([200, '0'])
  })
})

describe('conditions', () => {
  const ETAG = 'the right one'
  test.each<[string, Record<string, string>, number]>([
    ['If-None-Match: *', { 'if-none-match': '*' }, 304],
    ['If-None-Match: it', { 'if-none-match': ETAG }, 304],
    ['If-None-Match: weak it', { 'if-none-match': `W/${ETAG}` }, 304],
    ['If-None-Match: another', { 'if-none-match': '"x"' }, 200],
    ['If-Match: it', { 'if-match': ETAG }, 200],
    ['If-Match: another', { 'if-match': '"x"' }, 412],
    ['If-Match: weak it', { 'if-match': `W/${ETAG}` }, 412],
    ['If-Modified-Since then', { 'if-modified-since': 'Thu, 01 Jan 2026 00:00:00 GMT' }, 304],
    ['If-Modified-Since before', { 'if-modified-since': 'Wed, 31 Dec 2025 23:59:59 GMT' }, 200],
    ['If-Unmodified-Since before', { 'if-unmodified-since': 'Wed, 31 Dec 2025 23:59:59 GMT' }, 412],
    ['If-Range: it', { 'if-range': ETAG, range: 'bytes=0-0' }, 206],
    ['If-Range: another', { 'if-range': '"x"', range: 'bytes=0-0' }, 200],
    ['If-Range: weak it', { 'if-range': `W/${ETAG}`, range: 'bytes=0-0' }, 200],
  ])('%s', async (_, headers, status) => {
    const [server, upload] = await stored()
    const etag = (await server.ask('GET', upload)).headers.get('etag') ?? ''
    const asked = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value.replace(ETAG, etag)]),
    )
    const answer = await server.ask('GET', upload, { headers: asked })
    expect(answer.status).toBe(status)
    if (status === 304) expect([answer.headers.get('etag'), answer.body.length]).toEqual([etag, 0])
  })
})

describe('names', () => {
  test.each<[string, string]>([
    ['../../etc/passwd', 'attachment; filename=passwd'],
    ['C:\\Windows\\x.exe', 'attachment; filename=x.exe'],
    ['a";b.txt', 'inline; filename="a_;b.txt"'],
    [
      'über straße.bin',
      'attachment; filename="?ber stra?e.bin"; filename*=UTF-8\'\'%C3%BCber%20stra%C3%9Fe.bin',
    ],
    ['', 'attachment; filename=upload'],
    ['..', 'attachment; filename=upload'],
    ['a\r\nSet-Cookie: x=y', 'attachment; filename="a Set-Cookie_ x=y"'],
  ])('%j', async (filename, disposition) => {
    const answer = await got({ filename })
    const [kind, ...rest] = disposition.split('; ')
    const actual = answer.headers.get('content-disposition') ?? ''
    expect(actual.startsWith(kind ?? '')).toBe(true)
    if (/[ü"]/.test(filename)) expect(actual).toContain(rest.at(-1)?.slice(0, 9))
    else expect(actual).toBe(disposition)
  })

  test.each([
    'a\0b',
    '\u202egpj.exe',
    '😀.png',
    'x'.repeat(3000),
    '\ud800 alone',
    'a\r\n\r\n<script>',
    '%00',
    "'*",
  ])('%j makes a field that is one line of ASCII', async (filename) => {
    const answer = await got({ filename })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-disposition')).toMatch(/^(?:attachment|inline)(?:; [\x20-\x7e]+)$/)
    for (const value of answer.headers.values()) expect(value).toMatch(/^[\x20-\x7e]*$/)
  })

  test('without one the id is the name', async () => {
    const answer = await got({})
    expect(answer.headers.get('content-disposition')).toMatch(/^attachment; filename=[a-z2-9]{28}$/)
  })
})

describe('types', () => {
  test.each<[Record<string, string>, string, 'inline' | 'attachment']>([
    [{ filename: 'a.png' }, 'image/png', 'inline'],
    [{ filename: 'a.txt' }, 'text/plain; charset=utf-8', 'inline'],
    [{ filename: 'a.html' }, 'text/html', 'attachment'],
    [{ filename: 'a.svg' }, 'image/svg+xml', 'attachment'],
    [{ filename: 'a.pdf' }, 'application/pdf', 'attachment'],
    [{ filename: 'a.png', filetype: 'text/html' }, 'text/html', 'attachment'],
    [{ filename: 'a.html', filetype: 'image/png' }, 'image/png', 'inline'],
    [{ filename: 'a.html', filetype: 'IMAGE/PNG' }, 'image/png', 'inline'],
    [{ filetype: 'image/png; x=<script>' }, 'application/octet-stream', 'attachment'],
    [{ filetype: 'image/png\r\nX: y' }, 'application/octet-stream', 'attachment'],
    [{ filetype: 'a'.repeat(500) }, 'application/octet-stream', 'attachment'],
    [{ filename: 'a' }, 'application/octet-stream', 'attachment'],
  ])('%j', async (metadata, type, kind) => {
    const { headers } = await got(metadata)
    expect(headers.get('content-type')).toBe(type)
    expect(headers.get('content-disposition')?.startsWith(kind)).toBe(true)
  })

  test('the operator says what may be shown', async () => {
    const { headers } = await got({ filename: 'a.png' }, { download: { inlineTypes: [] } })
    expect(headers.get('content-disposition')).toMatch(/^attachment/)
  })
})
