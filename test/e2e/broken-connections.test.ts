import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { contentOf } from './support/content.ts'
import { HttpClient, idOf } from './support/http-client.ts'
import { localServer } from './support/local-server.ts'
import { RawConnection } from './support/raw-connection.ts'
import { patchFields, TUS_FIELDS } from './support/tus-fields.ts'
import { until } from './support/until.ts'

const MIB = 1024 * 1024
const content = contentOf(1)

/** @see reference protocol §5.4, T-P11 */
test.each([
  { how: 'fin', memoryBytes: 64 * MIB },
  { how: 'fin', memoryBytes: 64 * 1024 },
  { how: 'reset', memoryBytes: 64 * MIB },
  { how: 'reset', memoryBytes: 64 * 1024 },
] as const)(
  '$how in the middle of a body keeps all that was read ($memoryBytes bytes of memory)',
  async (row) => {
    const sockets: Socket[] = []
    const http = createServer().on('connection', (socket) => sockets.push(socket))
    const server = await localServer({ server: http, memoryBytes: row.memoryBytes })
    const client = new HttpClient()
    const url = await client.create(server.url, 2 * MIB)
    const connection = await RawConnection.open(server.port)
    const path = new URL(url).pathname
    connection.request(`PATCH ${path}`, patchFields(0, 2 * MIB), content.slice(0, 1_000_001))
    await connection.written()
    const socket = await until('the connection is seen', () => sockets[1])
    if (row.how === 'fin') connection.fin()
    else connection.reset()
    await until('the server has noticed', () => socket.destroyed)
    const offset = await client.offset(url)
    const head =
      `PATCH ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.length + fieldBytes(patchFields(0, 2 * MIB))
    expect(offset).toBe(socket.bytesRead - head)
    if (row.how === 'fin') expect(offset).toBe(1_000_001)
    await client.patch(url, offset, content.slice(offset, 2 * MIB))
    expect((await server.completed(url)).equals(content.slice(0, 2 * MIB))).toBe(true)
  },
)

function fieldBytes(fields: Readonly<Record<string, string | number>>): number {
  return Object.entries(fields).reduce((sum, [name, value]) => sum + `${name}: ${value}\r\n`.length, 0)
}

/** @see reference T-P12 */
test('a body without a byte for the idle timeout is given up; what came is kept', async () => {
  const server = await localServer({ pace: { idleTimeoutMs: 300 } })
  const client = new HttpClient()
  const url = await client.create(server.url, MIB)
  const connection = await RawConnection.open(server.port)
  connection.request(`PATCH ${new URL(url).pathname}`, patchFields(0, MIB), content.slice(0, 70_000))
  const answer = await connection.answer()
  expect(answer.status).toBe(408)
  expect(answer.headers.get('upload-offset')).toBe('70000')
  expect(answer.headers.get('connection')).toBe('close')
  await until('the connection is closed', () => connection.ended !== 'open')
  expect(await client.offset(url)).toBe(70_000)
})

test('a body that only trickles is given up', async () => {
  const server = await localServer({ pace: { minRateBytesPerSecond: 100_000, minRateWindowMs: 400 } })
  const client = new HttpClient()
  const url = await client.create(server.url, MIB)
  const connection = await RawConnection.open(server.port)
  connection.request(`PATCH ${new URL(url).pathname}`, patchFields(0, MIB))
  let sent = 0
  await until('an answer', () => {
    if (connection.hasUnread) return true
    connection.write(content.slice(sent, sent + 10))
    sent += 10
    return false
  })
  expect((await connection.answer()).status).toBe(408)
  const offset = await client.offset(url)
  expect(offset).toBeGreaterThan(0)
  expect(offset).toBeLessThanOrEqual(sent)
})

test('a long PATCH that keeps sending outlives the idle timeout', async () => {
  const server = await localServer({ pace: { idleTimeoutMs: 300 } })
  const client = new HttpClient()
  const url = await client.create(server.url, 1000)
  const connection = await RawConnection.open(server.port)
  connection.request(`PATCH ${new URL(url).pathname}`, patchFields(0, 1000))
  const startedMs = performance.now()
  let sent = 0
  await until('all is sent, slowly', () => {
    const due = Math.min(1000, Math.floor(performance.now() - startedMs))
    if (due > sent) connection.write(content.slice(sent, due))
    sent = due
    return sent === 1000
  })
  expect((await connection.answer()).status).toBe(204)
})

/** @see reference protocol §5.5: early answers */
test('an answer before the body reaches a client that is still sending, and closes the connection', async () => {
  const server = await localServer()
  const client = new HttpClient()
  const url = await client.create(server.url, 100 * MIB)
  for (const [offset, status] of [[5, 409]] as const) {
    const connection = await RawConnection.open(server.port)
    connection.request(`PATCH ${new URL(url).pathname}`, patchFields(offset, 50 * MIB), content.slice(0, MIB))
    const answer = await connection.answer()
    expect(answer.status).toBe(status)
    expect(answer.headers.get('connection')).toBe('close')
    // Nobody reads on without end: the connection ends although the client goes on sending.
    await until('the connection is closed', () => {
      if (connection.ended === 'open') connection.write(content.slice(0, 100_000))
      return connection.ended !== 'open'
    })
  }
  expect(await client.offset(url)).toBe(0)
})

test('an HTTP library that is still sending reads the early answer instead of a broken pipe', async () => {
  const server = await localServer({ maxSizeBytes: 10 * MIB })
  const client = new HttpClient()
  const body = Buffer.alloc(32 * MIB)
  for (let round = 0; round < 5; round += 1) {
    const headers = { ...patchFields(0, body.length), 'Upload-Length': body.length }
    const answer = await client.ask({ method: 'POST', url: server.url, headers, body })
    expect(answer.status).toBe(413)
  }
})

test('a connection is usable after an error whose body was read', async () => {
  const server = await localServer()
  const client = new HttpClient()
  const url = await client.create(server.url, 100)
  const path = new URL(url).pathname
  const connection = await RawConnection.open(server.port)
  const wrong = { ...patchFields(0, 11), 'Upload-Checksum': 'sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }
  connection.request(`PATCH ${path}`, wrong, 'hello world')
  expect((await connection.answer()).status).toBe(460)
  connection.request(`HEAD ${path}`, TUS_FIELDS)
  const head = await connection.answer(5000, true)
  expect(head.status).toBe(200)
  expect(head.headers.get('upload-offset')).toBe('0')
  connection.request(`PATCH ${path}`, patchFields(0, 11), 'hello world')
  expect((await connection.answer()).headers.get('upload-offset')).toBe('11')
  // Without a body there is nothing to read.
  connection.request('HEAD /files/aaaaaaaaaaaaaaaaaaaaaaaaaaaa', TUS_FIELDS)
  expect((await connection.answer(5000, true)).status).toBe(404)
  connection.request(`PATCH ${path}`, patchFields(11, 0))
  expect((await connection.answer()).status).toBe(204)
})

test('after an error whose body was not asked for, a connection is either closed or usable, never stuck', async () => {
  const server = await localServer()
  const client = new HttpClient()
  const url = await client.create(server.url, 100)
  const path = new URL(url).pathname
  for (const inOne of [true, false]) {
    const connection = await RawConnection.open(server.port)
    const body = Buffer.alloc(11)
    connection.request(`PATCH ${path}`, patchFields(50, 11), inOne ? body : '')
    const answer = await connection.answer()
    expect(answer.status).toBe(409)
    if (!inOne) connection.write(body)
    if (answer.headers.get('connection') === 'close') {
      await until('the connection is closed', () => connection.ended !== 'open')
    } else {
      connection.request(`HEAD ${path}`, TUS_FIELDS)
      expect((await connection.answer(5000, true)).status).toBe(200)
    }
  }
})

/** @see reference T-U8 */
test('Expect: 100-continue is answered when everything about the request is in order', async () => {
  const server = await localServer()
  const client = new HttpClient()
  const url = await client.create(server.url, 11)
  const connection = await RawConnection.open(server.port)
  connection.request(`PATCH ${new URL(url).pathname}`, { ...patchFields(0, 11), Expect: '100-continue' })
  expect((await connection.answer()).status).toBe(100)
  connection.write('hello world')
  expect((await connection.answer()).status).toBe(204)

  const creation = await RawConnection.open(server.port)
  creation.request('POST /files/', { ...patchFields(0, 11), 'Upload-Length': 11, Expect: '100-continue' })
  expect((await creation.answer()).status).toBe(100)
  creation.write('hello world')
  const created = await creation.answer()
  expect(created.status).toBe(201)
  expect(created.headers.get('upload-offset')).toBe('11')
})

test('Expect: 100-continue of a request that will be refused is answered by the refusal', async () => {
  const server = await localServer({ maxSizeBytes: 1000 })
  const client = new HttpClient()
  const url = await client.create(server.url, 100)
  const cases: [string, Record<string, string | number>, number][] = [
    [`PATCH ${new URL(url).pathname}`, patchFields(5, 11), 409],
    [`PATCH ${new URL(url).pathname}`, patchFields(0, 101), 413],
    [`PATCH ${new URL(url).pathname}`, { ...patchFields(0, 11), 'Tus-Resumable': '0.2.2' }, 412],
    [`PATCH ${new URL(url).pathname}`, { ...patchFields(0, 11), 'Content-Type': 'text/plain' }, 415],
    ['POST /files/', { ...patchFields(0, 2000), 'Upload-Length': 2000 }, 413],
    ['PATCH /files/aaaaaaaaaaaaaaaaaaaaaaaaaaaa', patchFields(0, 11), 404],
  ]
  for (const [line, headers, status] of cases) {
    const connection = await RawConnection.open(server.port)
    connection.request(line, { ...headers, Expect: '100-continue' })
    expect((await connection.answer()).status, `${line} ${JSON.stringify(headers)}`).toBe(status)
  }
})

/** @see reference T-P9 */
test('a chunked body past the length is cut at the length, answered 413, and the connection closed', async () => {
  const server = await localServer()
  const client = new HttpClient()
  const url = await client.create(server.url, 100_000)
  const connection = await RawConnection.open(server.port)
  connection.request(`PATCH ${new URL(url).pathname}`, { ...patchFields(0), 'Transfer-Encoding': 'chunked' })
  connection.write('30d40\r\n')
  connection.write(content.slice(0, 200_000))
  const answer = await connection.answer()
  expect(answer.status).toBe(413)
  await until('the connection is closed', () => connection.ended !== 'open')
  expect(await client.offset(url)).toBe(100_000)
  expect((await server.completed(url)).equals(content.slice(0, 100_000))).toBe(true)
})

/** @see reference T-K7 */
test('a checksummed body that breaks off is discarded', async () => {
  const server = await localServer()
  const client = new HttpClient()
  const url = await client.create(server.url, MIB)
  const connection = await RawConnection.open(server.port)
  const promised = { ...patchFields(0, 500_000), 'Upload-Checksum': 'sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }
  connection.request(`PATCH ${new URL(url).pathname}`, promised, content.slice(0, 400_000))
  const file = join(server.dir, 'data', idOf(url))
  await until('bytes are written', async () => (await stat(file).catch(() => undefined))?.size === 400_000)
  connection.reset()
  await until(
    'the bytes are taken back',
    async () => ((await stat(file).catch(() => undefined))?.size ?? 0) === 0,
  )
  expect(await client.offset(url)).toBe(0)
  expect((await client.patch(url, 0, content.slice(0, MIB))).status).toBe(204)
  expect((await server.completed(url)).equals(content.slice(0, MIB))).toBe(true)
})
