import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import { connect, type Connection, type Endpoint } from '../../src/testing/conformance/wire.ts'
import { compose } from '../../src/testing/conformance/wire-request.ts'
import {
  headerValue,
  headerValues,
  WireError,
  type WireResponse,
} from '../../src/testing/conformance/wire-response.ts'
import { localhostCertificate, localhostKey } from './certificate.ts'

const closers: (() => void)[] = []
const never = new AbortController().signal

afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function serve(onSocket: (socket: Socket) => void, secure = false): Promise<Endpoint> {
  const track = (socket: Socket): void => {
    socket.on('error', () => undefined)
    closers.push(() => socket.destroy())
    onSocket(socket)
  }
  const keys = { key: localhostKey, cert: localhostCertificate, allowHalfOpen: true }
  const server = secure ? createTlsServer(keys, track) : createServer({ allowHalfOpen: true }, track)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close())
  const { port } = server.address() as AddressInfo
  return { secure, host: '127.0.0.1', port, ca: localhostCertificate }
}

async function answerTo(
  bytes: string,
  method = 'GET',
): Promise<{ connection: Connection; answer: WireResponse }> {
  const endpoint = await serve((socket) => socket.end(Buffer.from(bytes, 'latin1')))
  const connection = await connect(endpoint, never)
  closers.push(() => connection.close())
  return { connection, answer: await connection.response(method) }
}

test('bodies by length, in chunks with trailers, to the end, and none', async () => {
  const cases: [string, string, string][] = [
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'GET', 'hello'],
    [
      'HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX: y\r\n\r\n',
      'GET',
      'hello',
    ],
    ['HTTP/1.0 200 OK\r\n\r\nhello', 'GET', 'hello'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 'HEAD', ''],
    ['HTTP/1.1 204 No Content\r\n\r\n', 'PATCH', ''],
  ]
  for (const [bytes, method, body] of cases) {
    const { answer, connection } = await answerTo(bytes, method)
    expect(answer.body.toString()).toBe(body)
    expect(connection.surplusBytes).toBe(0)
  }
})

test('interim answers are told as they come and kept apart from the final one', async () => {
  const told: number[] = []
  const endpoint = await serve((socket) => {
    socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 104 Upload\r\nX: 1\r\n\r\nHTTP/1.1 201 Created\r\n')
    socket.write('Content-Length: 0\r\nA: 1\r\na: 2\r\n\r\n')
  })
  const connection = await connect(endpoint, never)
  const answer = await connection.response('POST', ({ status }) => told.push(status))
  connection.close()
  expect(told).toEqual([100, 104])
  expect(answer).toMatchObject({
    status: 201,
    reason: 'Created',
    interim: [{ status: 100 }, { status: 104 }],
  })
  expect(headerValues(answer, 'A')).toEqual(['1', '2'])
  expect(headerValue(answer, 'a')).toBe('1, 2')
  expect(headerValue(answer, 'b')).toBeUndefined()
})

test('bytes behind an answer are counted, so that a body on a 204 does not go unseen', async () => {
  const { connection } = await answerTo('HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello', 'PATCH')
  expect(connection.surplusBytes).toBe(5)
})

test.each([
  ['a foreign protocol', 'SSH-2.0-x\r\n\r\n'],
  ['a bad status', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['HTTP/2 in plain text', 'HTTP/2 200\r\n\r\n'],
  ['a space before the colon', 'HTTP/1.1 200 OK\r\nA : b\r\n\r\n'],
  ['folding', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
  ['a bare LF', 'HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n'],
  ['a NUL', 'HTTP/1.1 200 OK\r\nA: b\u0000\r\n\r\n'],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx'],
  ['a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\nx'],
  [
    'length and chunks',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['a chunk size that is none', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n'],
  ['a chunk that is too long', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n'],
])('%s is malformed', async (_, bytes) => {
  await expect(answerTo(bytes)).rejects.toMatchObject({ trouble: 'malformed' })
})

test.each([
  ['at once', ''],
  ['in the head', 'HTTP/1.1 200 OK\r\nA: b'],
  ['in the body', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel'],
  ['between chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n'],
])('a connection that ends %s is closed, not an answer', async (_, bytes) => {
  await expect(answerTo(bytes)).rejects.toMatchObject({ trouble: 'closed' })
})

test('the signal ends a wait for an answer and destroys the connection', async () => {
  let closed: Promise<unknown> = Promise.resolve()
  const endpoint = await serve((socket) => {
    socket.resume()
    closed = once(socket, 'close')
    socket.on('end', () => socket.end())
  })
  const controller = new AbortController()
  const connection = await connect(endpoint, controller.signal)
  const waiting = connection.response('GET')
  connection.write('GET / HTTP/1.1\r\n\r\n')
  controller.abort()
  await expect(waiting).rejects.toMatchObject({ trouble: 'timeout' })
  await closed
})

test('a signal that has aborted opens nothing', async () => {
  const endpoint = await serve(() => undefined)
  await expect(connect(endpoint, AbortSignal.abort())).rejects.toBeInstanceOf(WireError)
})

test.each([false, true])('FIN ends our side only (TLS: %s)', async (secure) => {
  const events: string[] = []
  const endpoint = await serve((socket) => {
    socket.on('data', (chunk) => events.push(String(chunk)))
    socket.on('end', () => {
      events.push('end')
      socket.end('HTTP/1.1 204 No Content\r\n\r\n')
    })
  }, secure)
  const connection = await connect(endpoint, never)
  connection.write('half')
  connection.finish()
  expect((await connection.response('PATCH')).status).toBe(204)
  await connection.ended
  expect(events).toEqual(['half', 'end'])
})

test.each([false, true])('RST drops the connection (TLS: %s)', async (secure) => {
  let onError: (code: string) => void = () => undefined
  const failed = new Promise<string>((resolve) => {
    onError = resolve
  })
  const endpoint = await serve((socket) => {
    socket.on('error', (error: NodeJS.ErrnoException) => onError(error.code ?? ''))
    socket.on('end', () => onError('a FIN'))
    socket.write('HTTP/1.1 100 Continue\r\n\r\n')
  }, secure)
  const connection = await connect(endpoint, never)
  const first = new Promise((resolve) => {
    void connection.response('PATCH', resolve).catch(() => undefined)
  })
  connection.write('half')
  await first
  connection.reset()
  expect(await failed).toBe('ECONNRESET')
})

test('a certificate that nobody vouches for is refused', async () => {
  const endpoint = await serve(() => undefined, true)
  await expect(connect({ ...endpoint, ca: undefined }, never)).rejects.toMatchObject({
    trouble: 'unreachable',
  })
})

test('requests go out as they were written: duplicates, null to leave out, raw targets, trailers', () => {
  const defaults = { Host: 'h', 'Tus-Resumable': '1.0.0' }
  const twice = compose(
    { method: 'PATCH', target: '/a b', fields: { 'Upload-Offset': ['0', '5'], host: null } },
    defaults,
  )
  expect(twice.head).toBe(
    'PATCH /a b HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nContent-Length: 0\r\nUpload-Offset: 0\r\nUpload-Offset: 5\r\n\r\n',
  )
  const chunked = compose({ method: 'PATCH', target: '/', chunks: ['he', 'llo'], trailers: { A: 'b' } }, {})
  expect(chunked.head + chunked.payload.toString()).toBe(
    'PATCH / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n',
  )
  const both = compose({ method: 'POST', target: '/', body: 'x', fields: { 'content-length': '9' } }, {})
  expect(both.head).toBe('POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n')
})
