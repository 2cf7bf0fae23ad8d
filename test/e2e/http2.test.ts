import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { connect, constants, createSecureServer, createServer } from 'node:http2'
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
} from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { afterTest } from './support/after-test.ts'
import { contentOf } from './support/content.ts'
import { idOf } from './support/http-client.ts'
import type { LocalServer } from './support/local-server.ts'
import { localServer } from './support/local-server.ts'
import { RawConnection } from './support/raw-connection.ts'
import { patchFields, TUS_FIELDS } from './support/tus-fields.ts'
import { until, within } from './support/until.ts'

const MIB = 1024 * 1024
const content = contentOf(1)
const key = readFileSync(new URL('support/localhost.key.pem', import.meta.url))
const cert = readFileSync(new URL('support/localhost.cert.pem', import.meta.url))

interface StreamAnswer {
  readonly headers: IncomingHttpHeaders
  readonly status: number
  readonly body: Buffer
}

async function session(server: LocalServer): Promise<ClientHttp2Session> {
  const opened = connect(new URL(server.url).origin, { ca: cert })
  afterTest(() => opened.destroy())
  await within('an HTTP/2 session', new Promise((resolve) => opened.once('connect', resolve)))
  return opened
}

function answerOf(stream: ClientHttp2Stream): Promise<StreamAnswer> {
  const answer = new Promise<StreamAnswer>((resolve, reject) => {
    let headers: IncomingHttpHeaders = {}
    const chunks: Buffer[] = []
    stream.on('response', (fields) => (headers = fields))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () =>
      resolve({ headers, status: Number(headers[':status']), body: Buffer.concat(chunks) }),
    )
    stream.on('error', reject)
  })
  return within('an answer on a stream', answer)
}

function ask(on: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: Uint8Array): Promise<StreamAnswer> {
  const stream = on.request(headers, { endStream: body === undefined })
  const answer = answerOf(stream)
  if (body !== undefined) stream.end(body)
  return answer
}

async function create(on: ClientHttp2Session, server: LocalServer, length: number): Promise<string> {
  const answer = await ask(on, {
    ':method': 'POST',
    ':path': '/files/',
    ...TUS_FIELDS,
    'Upload-Length': length,
  })
  expect(answer.status).toBe(201)
  return new URL(String(answer.headers.location), server.url).pathname
}

async function offsetOf(on: ClientHttp2Session, path: string): Promise<number> {
  const answer = await ask(on, { ':method': 'HEAD', ':path': path, ...TUS_FIELDS })
  expect(answer.status).toBe(200)
  return Number(answer.headers['upload-offset'])
}

test('HTTP/2: a whole upload, a lasting session, a download', async () => {
  const server = await localServer({ server: createServer() })
  const client = await session(server)
  const path = await create(client, server, MIB)
  const body = content.slice(0, MIB)
  const answer = await ask(client, { ':method': 'PATCH', ':path': path, ...patchFields(0, MIB) }, body)
  expect(answer.status).toBe(204)
  expect(answer.headers['upload-offset']).toBe(String(MIB))
  expect(await offsetOf(client, path)).toBe(MIB)
  const download = await ask(client, { ':method': 'GET', ':path': path })
  expect(download.body.equals(body)).toBe(true)
  expect(server.reported).toEqual([])
})

test('HTTP/2: a body without a declared length, in pieces', async () => {
  const server = await localServer({ server: createServer() })
  const client = await session(server)
  const path = await create(client, server, MIB)
  const stream = client.request({ ':method': 'PATCH', ':path': path, ...patchFields(0) })
  const answer = answerOf(stream)
  for (let at = 0; at < MIB; at += MIB / 16) stream.write(content.slice(at, at + MIB / 16))
  stream.end()
  expect((await answer).status).toBe(204)
  expect((await server.completed(path)).equals(content.slice(0, MIB))).toBe(true)
})

/** @see reference T-P11 */
test.each([constants.NGHTTP2_CANCEL, constants.NGHTTP2_NO_ERROR])(
  'HTTP/2: a stream reset with code %i keeps what has come',
  async (code) => {
    const server = await localServer({ server: createServer() })
    const client = await session(server)
    const path = await create(client, server, MIB)
    const stream = client.request({ ':method': 'PATCH', ':path': path, ...patchFields(0, MIB) })
    stream.on('error', () => undefined)
    stream.write(content.slice(0, 200_000))
    const file = join(server.dir, 'data', idOf(path))
    await until('it is written', async () => (await stat(file).catch(() => undefined))?.size === 200_000)
    stream.close(code)
    await until('the upload is free again', async () => (await offsetOf(client, path)) === 200_000)
    const rest = content.slice(200_000, MIB)
    const answer = await ask(
      client,
      { ':method': 'PATCH', ':path': path, ...patchFields(200_000, rest.length) },
      rest,
    )
    expect(answer.status).toBe(204)
    expect((await server.completed(path)).equals(content.slice(0, MIB))).toBe(true)
  },
)

/** @see reference R-N2 */
test('HTTP/2: HEAD on the same session stops a stalled PATCH and nothing else', async () => {
  const server = await localServer({ server: createServer() })
  const client = await session(server)
  const path = await create(client, server, MIB)
  const stream = client.request({ ':method': 'PATCH', ':path': path, ...patchFields(0, MIB) })
  const closed = new Promise<number>((resolve) => stream.once('close', () => resolve(stream.rstCode)))
  stream.on('error', () => undefined)
  stream.write(content.slice(0, 200_000))
  const file = join(server.dir, 'data', idOf(path))
  await until('it is written', async () => (await stat(file).catch(() => undefined))?.size === 200_000)
  const askedMs = performance.now()
  expect(await offsetOf(client, path)).toBe(200_000)
  expect(performance.now() - askedMs).toBeLessThan(1000)
  expect(await within('the stream is reset', closed)).toBe(constants.NGHTTP2_CANCEL)
  const rest = content.slice(200_000, MIB)
  const answer = await ask(
    client,
    { ':method': 'PATCH', ':path': path, ...patchFields(200_000, rest.length) },
    rest,
  )
  expect(answer.status).toBe(204)
})

/** @see reference T-KT2, T-KT4 */
test('HTTP/2: a checksum in the trailers is verified', async () => {
  const server = await localServer({ server: createServer() })
  const client = await session(server)
  const path = await create(client, server, 200_000)
  const body = content.slice(0, 200_000)
  const digest = createHash('sha1').update(body).digest('base64')
  for (const [checksum, status] of [
    [`sha1 ${createHash('sha1').digest('base64')}`, 460],
    [`sha1 ${digest}`, 204],
  ] as const) {
    const headers = { ':method': 'PATCH', ':path': path, ...patchFields(0), Trailer: 'Upload-Checksum' }
    const stream = client.request(headers, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'Upload-Checksum': checksum }))
    const answer = answerOf(stream)
    stream.end(body)
    expect((await answer).status).toBe(status)
    expect(await offsetOf(client, path)).toBe(status === 204 ? 200_000 : 0)
  }
})

test('HTTP/2: an early refusal leaves the session usable', async () => {
  const server = await localServer({ server: createServer() })
  const client = await session(server)
  const path = await create(client, server, 10 * MIB)
  const headers = { ':method': 'PATCH', ':path': path, ...patchFields(5, 10 * MIB) }
  const stream = client.request(headers)
  const answer = answerOf(stream)
  stream.write(content.slice(0, 100_000))
  expect((await answer).status).toBe(409)
  stream.close()
  expect(await offsetOf(client, path)).toBe(0)
})

test('HTTP/2 over TLS, with HTTP/1.1 beside it: addresses are https', async () => {
  const server = await localServer({
    server: createSecureServer({ key, cert, allowHTTP1: true }),
    scheme: 'https',
  })
  const client = await session(server)
  const answer = await ask(
    client,
    {
      ':method': 'POST',
      ':path': '/files/',
      ...patchFields(0, 5),
      'Upload-Length': 5,
    },
    Buffer.from('hello'),
  )
  expect(answer.status).toBe(201)
  expect(answer.headers.location).toMatch(new RegExp(`^https://127\\.0\\.0\\.1:${server.port}/files/`))
  expect((await server.completed(String(answer.headers.location))).toString()).toBe('hello')
  const old = await RawConnection.open(server.port, cert.toString())
  old.request('POST /files/', { ...TUS_FIELDS, 'Upload-Length': 5, 'Content-Length': 0 })
  const created = await old.answer()
  expect(created.headers.get('location')).toMatch(/^https:\/\/localhost\/files\//)
})

test('https: a whole upload, and pre-emption resets the connection', async () => {
  const server = await localServer({ server: createHttpsServer({ key, cert }), scheme: 'https' })
  const first = await RawConnection.open(server.port, cert.toString())
  first.request('POST /files/', { ...TUS_FIELDS, 'Upload-Length': MIB, 'Content-Length': 0 })
  const created = await first.answer()
  const path = new URL(String(created.headers.get('location'))).pathname
  first.request(`PATCH ${path}`, patchFields(0, MIB), content.slice(0, 200_000))
  const file = join(server.dir, 'data', idOf(path))
  await until('it is written', async () => (await stat(file).catch(() => undefined))?.size === 200_000)
  const second = await RawConnection.open(server.port, cert.toString())
  second.request(`HEAD ${path}`, TUS_FIELDS)
  const head = await second.answer(1000, true)
  expect(head.headers.get('upload-offset')).toBe('200000')
  await until('the first is gone', () => first.ended !== 'open')
  second.request(`PATCH ${path}`, patchFields(200_000, MIB - 200_000), content.slice(200_000, MIB))
  expect((await second.answer()).status).toBe(204)
  expect((await server.completed(path)).equals(content.slice(0, MIB))).toBe(true)
})
