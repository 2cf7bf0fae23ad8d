import { once } from 'node:events'
import { existsSync, rmSync, statSync } from 'node:fs'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { RunningCommand } from './command.ts'
import { jsonLines, start, stopAll } from './command.ts'
import type { StagedPackage } from './staged-package.ts'
import { stagePackage, temporaryDirectory } from './staged-package.ts'

const LENGTH = 8_000_000
const SENT = 300_000

let carryon: StagedPackage
let dir: string

beforeAll(() => {
  carryon = stagePackage()
})
beforeEach(() => {
  dir = temporaryDirectory()
})
afterEach(async () => {
  await stopAll()
  rmSync(dir, { recursive: true, force: true })
})
afterAll(() => carryon.remove())

async function serve(...args: string[]): Promise<{ server: RunningCommand; url: URL }> {
  const server = start(carryon.bin, ['serve', '--port', '0', '--dir', dir, ...args])
  const { url } = await server.logged('listening')
  return { server, url: new URL(String(url)) }
}

async function create(url: URL): Promise<URL> {
  const headers = { 'Tus-Resumable': '1.0.0', 'Upload-Length': String(LENGTH) }
  const answer = await fetch(url, { method: 'POST', headers })
  return new URL(answer.headers.get('Location') ?? '', url)
}

/** A PATCH that stops in the middle of its body, once the server has all that was sent. */
async function beginPatch(upload: URL): Promise<{ socket: Socket; answer: () => string }> {
  const socket = connect(Number(upload.port), upload.hostname)
  let answer = ''
  socket.on('data', (chunk) => (answer += chunk.toString('latin1')))
  socket.on('error', () => undefined)
  socket.write(
    `PATCH ${upload.pathname} HTTP/1.1\r\nHost: ${upload.host}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n` +
      `Content-Type: application/offset+octet-stream\r\nContent-Length: ${LENGTH}\r\n\r\n`,
  )
  socket.write(Buffer.alloc(SENT, 7))
  const file = join(dir, 'data', upload.pathname.split('/').at(-1) ?? '')
  while (!existsSync(file) || statSync(file).size < SENT) await delay(10)
  return { socket, answer: () => answer }
}

test('a stop during an upload stores what has arrived, answers 503 and exits 0', async () => {
  const { server, url } = await serve()
  const upload = await create(url)
  const { socket, answer } = await beginPatch(upload)
  const closed = once(socket, 'close')
  server.child.kill('SIGTERM')
  const { code, stdout } = await server.finished
  await closed
  expect(code).toBe(0)
  expect(answer()).toMatch(/^HTTP\/1\.1 503 /)
  expect(answer()).toMatch(/\r\nRetry-After: \d+\r\n/i)
  expect(answer()).toMatch(/\r\nConnection: close\r\n/i)
  expect(jsonLines(stdout).at(-1)).toMatchObject({ level: 'info', msg: 'stopped' })

  const { url: again } = await serve()
  const resumed = new URL(upload.pathname, again)
  const head = await fetch(resumed, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } })
  expect(head.headers.get('Upload-Offset')).toBe(String(SENT))
  const rest = await fetch(resumed, {
    method: 'PATCH',
    headers: {
      'Tus-Resumable': '1.0.0',
      'Upload-Offset': String(SENT),
      'Content-Type': 'application/offset+octet-stream',
    },
    body: Buffer.alloc(LENGTH - SENT, 9),
  })
  expect(rest.status).toBe(204)
  const content = Buffer.from(await (await fetch(resumed)).arrayBuffer())
  expect(Buffer.concat([Buffer.alloc(SENT, 7), Buffer.alloc(LENGTH - SENT, 9)]).equals(content)).toBe(true)
})

test('connections that hang do not hold the stop up', async () => {
  const { server, url } = await serve('--shutdown-timeout', '500ms')
  const hanging = connect(Number(url.port), url.hostname)
  hanging.on('error', () => undefined)
  hanging.write('POST /files/ HTTP/1.1\r\nHost:')
  await once(hanging, 'connect')
  const closed = once(hanging, 'close')
  server.child.kill('SIGTERM')
  const { code } = await server.finished
  await closed
  expect(code).toBe(0)
})

test('a download that is running comes to its end, and then the kept connection', async () => {
  const { server, url } = await serve('--shutdown-timeout', '1h')
  const upload = await create(url)
  const fields = { 'Tus-Resumable': '1.0.0', 'Upload-Offset': '0' }
  const headers = { ...fields, 'Content-Type': 'application/offset+octet-stream' }
  await fetch(upload, { method: 'PATCH', headers, body: Buffer.alloc(LENGTH, 7) })
  const socket = connect(Number(url.port), url.hostname)
  socket.write(`GET ${upload.pathname} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`)
  const [first] = (await once(socket, 'data')) as [Buffer]
  socket.pause()
  server.child.kill('SIGTERM')
  await server.logged(
    'stopping: storing what has arrived, for at most 1 h; a second signal (Ctrl-C) stops at once',
  )
  let receivedBytes = first.length
  socket.on('data', (chunk: Buffer) => (receivedBytes += chunk.length))
  socket.resume()
  const closed = once(socket, 'close')
  expect((await server.finished).code).toBe(0)
  await closed
  expect(receivedBytes).toBeGreaterThan(LENGTH)
})

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('a second %s ends the process at once', async (signal, code) => {
  const { server, url } = await serve('--shutdown-timeout', '1h')
  const hanging = connect(Number(url.port), url.hostname)
  hanging.on('error', () => undefined)
  await once(hanging, 'connect')
  hanging.write('POST /files/ HTTP/1.1\r\nHost:')
  // Another request on a second connection shows that the server has taken the first one up.
  await fetch(url, { method: 'OPTIONS' })
  server.child.kill('SIGTERM')
  await server.logged(
    'stopping: storing what has arrived, for at most 1 h; a second signal (Ctrl-C) stops at once',
  )
  // An echo of Ctrl-C by npm counts once, so it may take some.
  const again = setInterval(() => server.child.kill(signal), 50)
  expect((await server.finished).code).toBe(code)
  clearInterval(again)
})

test('Ctrl-C that npm repeats is one Ctrl-C', async () => {
  const { server, url } = await serve()
  const { socket } = await beginPatch(await create(url))
  server.child.kill('SIGINT')
  await server.logged(
    'stopping: storing what has arrived, for at most 10 s; a second signal (Ctrl-C) stops at once',
  )
  server.child.kill('SIGINT')
  expect((await server.finished).code).toBe(0)
  socket.destroy()
})
