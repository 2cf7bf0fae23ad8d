import { expect, test } from 'vitest'
import { Upload } from 'tus-js-client'
import type { UploadOptions } from 'tus-js-client'
import { afterTest } from '../../e2e/support/after-test.ts'
import { contentOf } from '../../e2e/support/content.ts'
import { HttpClient, offsetOf } from '../../e2e/support/http-client.ts'
import { discardingServer } from '../servers/discarding.ts'
import { misbehavingServer } from '../servers/misbehaving.ts'
import { resumableUploadLike } from '../servers/resumable-upload-like.ts'
import { rustusLike } from '../servers/rustus-like.ts'
import type { ScriptedServer } from '../servers/scripted-server.ts'
import { tusdLike } from '../servers/tusd-like.ts'
import { tussiLike } from '../servers/tussi-like.ts'

const content = contentOf(4)
const KIB = 1024
const OCTETS = { 'Content-Type': 'application/offset+octet-stream' }

const peers: [string, () => Promise<ScriptedServer>][] = [
  ['tusd', tusdLike],
  ['rustus', rustusLike],
  ['tussi', tussiLike],
  ['resumable-upload', resumableUploadLike],
]

async function started<T extends { close(): Promise<void> }>(server: Promise<T>): Promise<T> {
  const one = await server
  afterTest(() => one.close())
  return one
}

function client(): HttpClient {
  const one = new HttpClient()
  afterTest(() => one.close())
  return one
}

/** A foreign client as the judge of the imitations. */
function uploadWithTusJs(
  server: ScriptedServer,
  bytes: Buffer,
  options: UploadOptions = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const upload: Upload = new Upload(bytes, {
      endpoint: server.url,
      retryDelays: null,
      chunkSize: 200 * KIB,
      onSuccess: () => resolve(new URL(upload.url ?? '').pathname),
      onError: reject,
      ...options,
    })
    upload.start()
  })
}

test.each(peers)('%s-like takes an upload in chunks from tus-js-client', async (_, start) => {
  const server = await started(start())
  const bytes = content.slice(0, 500_001)
  const path = await uploadWithTusJs(server, bytes, { metadata: { filename: 'a.bin' } })
  expect(server.uploads.get(path)?.bytes.equals(bytes)).toBe(true)
  expect(server.requests.map(({ method, status }) => `${method} ${status}`)).toEqual([
    'POST 201',
    'PATCH 204',
    'PATCH 204',
    'PATCH 204',
  ])
})

test.each(peers.slice(0, 2))('%s-like joins parts', async (_, start) => {
  const server = await started(start())
  const bytes = content.slice(0, 500_001)
  const path = await uploadWithTusJs(server, bytes, { parallelUploads: 2 })
  expect(server.uploads.get(path)?.bytes.equals(bytes)).toBe(true)
  expect(server.uploads.size).toBe(3)
})

test('tusd-like: 200 on OPTIONS, absolute Location, full length on HEAD, 412 without a version, cut bytes kept', async () => {
  const server = await started(tusdLike())
  const http = client()
  const answer = await http.ask({ method: 'OPTIONS', url: server.url })
  expect(answer.status).toBe(200)
  expect(answer.headers['tus-extension']).not.toContain('checksum')
  const bare = { 'Upload-Length': 10, 'Content-Length': 0 }
  expect((await http.ask({ method: 'POST', url: server.url, headers: bare })).status).toBe(412)
  const headers = { ...bare, 'Tus-Resumable': '1.0.0' }
  const made = await http.ask({ method: 'POST', url: server.url, headers })
  const url = made.headers.location ?? ''
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/files\/[0-9a-f]{32}$/)
  expect((await http.head(url)).headers['content-length']).toBe('10')
  const endless = async function* (): AsyncGenerator<Buffer> {
    yield content.slice(0, 4)
    await new Promise(() => undefined)
  }
  const stuck = http.patch(url, 0, endless()).catch((error: unknown) => error)
  while (server.uploads.get(new URL(url).pathname)?.offset !== 4) await new Promise(setImmediate)
  // The newer request cuts the older one off and keeps its bytes.
  const other = client()
  expect(await other.offset(url)).toBe(4)
  expect(String(await stuck)).toMatch(/hang up|ECONNRESET/)
  expect((await other.patch(url, 4, content.slice(4, 10))).status).toBe(204)
  expect(server.uploads.get(new URL(url).pathname)?.bytes.equals(content.slice(0, 10))).toBe(true)
  expect((await other.patch(url, 10, Buffer.alloc(0), { 'Upload-Length': '10' })).status).toBe(400)
  expect((await other.remove(url)).status).toBe(204)
  expect((await other.head(url)).status).toBe(404)
})

test('rustus-like: 413 past 256 KiB, 417 for a wrong checksum, no version needed, a cut body is lost', async () => {
  const server = await started(rustusLike())
  const http = client()
  const url = await http.create(server.url, 600 * KIB)
  expect((await http.patch(url, 0, content.slice(0, 256 * KIB + 1))).status).toBe(413)
  const wrong = { 'Upload-Checksum': 'sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }
  expect((await http.patch(url, 0, content.slice(0, 100), wrong)).status).toBe(417)
  const right = { 'Upload-Checksum': 'sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=' }
  expect((await http.patch(url, 0, Buffer.from('hello'), right)).status).toBe(204)
  expect((await http.ask({ method: 'PATCH', url, headers: { ...OCTETS, 'Content-Length': 0 } })).status).toBe(
    415,
  )
  const abort = new AbortController()
  const headers = { ...OCTETS, 'Upload-Offset': 5, 'Content-Length': 1000 }
  const half = async function* (): AsyncGenerator<Buffer> {
    yield content.slice(0, 500)
    await new Promise(() => undefined)
  }
  const cut = http.ask({ method: 'PATCH', url, headers, body: half(), signal: abort.signal })
  while (server.requests.at(-1)?.bodyBytes !== 500) await new Promise(setImmediate)
  abort.abort()
  await expect(cut).rejects.toThrow()
  expect(await http.offset(url)).toBe(5)
})

test('rustus-like can cut instead of answering 413, and refuse every checksum', async () => {
  const server = await started(rustusLike({ overLimit: 'cut', refusesChecksums: true, maxBodyBytes: 10 }))
  const http = client()
  const url = await http.create(server.url, 100)
  await expect(http.patch(url, 0, content.slice(0, 11))).rejects.toThrow()
  const right = { 'Upload-Checksum': 'sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=' }
  expect((await http.patch(url, 0, Buffer.from('hello'), right)).status).toBe(417)
  expect((await http.patch(url, 0, Buffer.from('hello'))).status).toBe(204)
})

test('tussi-like: 204 on HEAD, 411 for chunked bodies, the offset in a 409, 404 once complete', async () => {
  const server = await started(tussiLike({ maxBodyBytes: 100 }))
  const http = client()
  const url = await http.create(server.url, 200)
  const head = await http.head(url)
  expect([head.status, offsetOf(head)]).toEqual([204, 0])
  const pieces = async function* (): AsyncGenerator<Buffer> {
    yield content.slice(0, 10)
  }
  expect((await http.patch(url, 0, pieces())).status).toBe(411)
  expect((await http.patch(url, 0, content.slice(0, 101))).status).toBe(413)
  expect((await http.patch(url, 0, content.slice(0, 100))).status).toBe(204)
  const conflict = await http.patch(url, 0, content.slice(0, 100))
  expect([conflict.status, offsetOf(conflict)]).toEqual([409, 100])
  expect((await http.patch(url, 100, content.slice(100, 200))).status).toBe(204)
  expect((await http.head(url)).status).toBe(404)
  expect(server.uploads.get(new URL(url).pathname)?.bytes.equals(content.slice(0, 200))).toBe(true)
  const emoji = { 'Upload-Metadata': `filename ${Buffer.from('🎈').toString('base64')}` }
  await expect(http.create(server.url, 10, emoji)).rejects.toThrow(/400 filename/)
})

test('resumable-upload-like: relative Location, chunked bodies count as empty, unknown checksums are ignored', async () => {
  const server = await started(resumableUploadLike())
  const http = client()
  const headers = { 'Tus-Resumable': '1.0.0', 'Upload-Length': 10, 'Content-Length': 0 }
  const made = await http.ask({ method: 'POST', url: server.url, headers })
  expect(made.headers.location).toMatch(/^\/files\//)
  expect(made.headers['upload-expires']).toMatch(/GMT$/)
  const url = new URL(made.headers.location ?? '', server.url).href
  const pieces = async function* (): AsyncGenerator<Buffer> {
    yield content.slice(0, 10)
  }
  const chunked = await http.patch(url, 0, pieces())
  expect([chunked.status, offsetOf(chunked)]).toEqual([204, 0])
  const unknown = { 'Upload-Checksum': 'crc32 AAAA' }
  expect((await http.patch(url, 0, content.slice(0, 5), unknown)).status).toBe(204)
  const wrong = { 'Upload-Checksum': 'sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }
  expect((await http.patch(url, 5, content.slice(0, 5), wrong)).status).toBe(460)
})

test('the discarding server counts, from tus clients and from PUT', async () => {
  const server = await started(discardingServer())
  const http = client()
  const url = await http.create(server.url, 3_000_000)
  for (const [start, end] of [
    [0, 2_000_000],
    [2_000_000, 3_000_000],
  ] as const) {
    const answer = await http.patch(url, start, content.slice(start, end))
    expect([answer.status, offsetOf(answer)]).toEqual([204, end])
  }
  expect(await http.offset(url)).toBe(3_000_000)
  expect(await http.createWith(server.url, content.slice(0, 100_000))).toBe(`${server.url}1`)
  const put = { method: 'PUT', url: `${server.url}x`, headers: { 'Content-Length': 70_000 } }
  expect((await http.ask({ ...put, body: content.slice(0, 70_000) })).status).toBe(201)
  expect([...server.uploads.values()].map(({ bytes }) => bytes)).toEqual([3_000_000, 100_000, 70_000])
  expect((await http.remove(url)).status).toBe(204)
  expect((await http.head(url)).status).toBe(404)
})

/** What one PATCH at 0 of 1000 bytes and one HEAD show of each flaw. */
test.each([
  ['stuck-offset', { patch: [204, '0'], head: [200, '0'] }],
  ['offset-ahead', { patch: [204, '1001'], head: [200, '0'] }],
  ['takes-half', { patch: [204, '500'], head: [200, '500'] }],
  ['no-offset', { patch: [204, undefined], head: [200, undefined] }],
  ['html', { create: 200 }],
  ['no-location', { create: 201 }],
  ['redirect-loop', { create: 307 }],
  ['other-length', { patch: [204, '1000'], head: [200, '1000'] }],
  ['swallowed-204', { patch: 'ended', head: [200, '1000'] }],
  ['amnesia', { patch: 'ended', head: [404, undefined] }],
  ['broken-answer', { patch: 'ended', head: [200, '1000'] }],
] as const)('a misbehaving server: %s', async (flaw, expected) => {
  const server = await started(misbehavingServer(flaw))
  const http = client()
  if ('create' in expected) {
    await expect(http.create(server.url, 1000)).rejects.toThrow(`: ${expected.create} `)
    return
  }
  const url = await http.create(server.url, 1000)
  const patched = await http.patch(url, 0, content.slice(0, 1000)).then(
    ({ status, headers }) => [status, headers['upload-offset']],
    () => 'ended',
  )
  expect(patched).toEqual(expected.patch)
  const head = await http.head(url)
  expect([head.status, head.headers['upload-offset']]).toEqual(expected.head)
  expect(head.headers['upload-length']).toBe(
    head.status !== 200 || flaw === 'no-offset' ? undefined : flaw === 'other-length' ? '2000' : '1000',
  )
})

test('a server that never answers has read it all', async () => {
  const server = await started(misbehavingServer('never-answers'))
  const http = client()
  const url = await http.create(server.url, 1000)
  const answer = http.patch(url, 0, content.slice(0, 1000)).catch(() => 'ended')
  while (server.requests.at(-1)?.bodyBytes !== 1000) await new Promise(setImmediate)
  expect(await Promise.race([answer, client().offset(url)])).toBe(0)
})
