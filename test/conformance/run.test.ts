import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { conformance, formatReport, type CaseResult } from '../../src/testing/conformance/index.ts'
import { miniServer, type MiniServer } from './mini-server.ts'

const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function mini(): Promise<MiniServer> {
  const server = await miniServer()
  closers.push(server.close)
  return server
}

/** A server of raw bytes. */
async function raw(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/files/`
}

test('only runs the cases it names, alone or by their beginning, in the order of the text', async () => {
  const { url } = await mini()
  const seen: CaseResult[] = []
  const report = await conformance({ url, only: ['T-C1', 'T-V*'], onResult: (result) => seen.push(result) })
  const ids = report.results.map(({ id }) => id)
  expect(ids).toEqual(['T-V1', 'T-V2', 'T-V2d', 'T-V3', 'T-V4', 'T-V5', 'T-V6', 'T-V7', 'T-V8', 'T-C1'])
  expect(seen.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
  expect(report.results[0]).toMatchObject({
    level: 'MUST',
    status: 'passed',
    chapter: 'Version (Tus-Resumable, Tus-Version)',
  })
})

test('an id that no case has is a mistake of the caller', async () => {
  const { url } = await mini()
  await expect(conformance({ url, only: ['T-C1', 'T-Z9'] })).rejects.toThrow(
    new TypeError('no case has the id T-Z9'),
  )
})

test.each(['', 'files', 'ftp://host/files', 'http://'])('%j is no URL to check', async (url) => {
  await expect(conformance({ url })).rejects.toThrow(TypeError)
})

test('nobody at the URL, a mute server and one that does not speak HTTP are errors, not reports', async () => {
  const gone = await raw(() => undefined)
  await closers.pop()?.()
  await expect(conformance({ url: gone })).rejects.toThrow(/no tus server answers .* ECONNREFUSED/)
  const mute = await raw((socket) => socket.resume())
  await expect(conformance({ url: mute, timeoutMs: 100 })).rejects.toThrow(/no answer before the deadline/)
  const other = await raw((socket) => socket.write('220 mail.example ESMTP\r\n\r\n'))
  await expect(conformance({ url: other })).rejects.toThrow(/not valid HTTP/)
})

test('a server that goes mute after OPTIONS costs one deadline per case, not for ever', async () => {
  const url = await raw((socket) => {
    socket.on('data', (chunk) => {
      if (!chunk.toString('latin1').startsWith('OPTIONS')) return
      socket.write('HTTP/1.1 204 No Content\r\nTus-Version: 1.0.0\r\nTus-Extension: creation\r\n\r\n')
    })
  })
  const report = await conformance({ url, only: ['T-C1', 'T-P1', 'T-P11', 'B-21'], timeoutMs: 100 })
  expect(report.totals).toMatchObject({ failed: 2, warned: 2 })
  expect(report.results[0]?.message).toMatch(/deadline/)
})

test('aborting ends the run with the reason', async () => {
  const { url } = await mini()
  const controller = new AbortController()
  const reason = new Error('enough')
  const run = conformance({ url, signal: controller.signal, onResult: () => controller.abort(reason) })
  await expect(run).rejects.toBe(reason)
  await expect(conformance({ url, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})

test('fields of the caller go with every request, but never to another origin', async () => {
  const stray: (string | undefined)[] = []
  const other = createHttpServer((req, res) => {
    stray.push(req.headers.authorization)
    res.writeHead(404).end()
  })
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const seen: (string | undefined)[] = []
  const server = createHttpServer((req, res) => {
    seen.push(req.headers.authorization)
    const head = { 'Tus-Version': '1.0.0', 'Tus-Extension': 'creation' }
    if (req.method === 'OPTIONS') res.writeHead(204, head).end()
    else res.writeHead(201, { Location: `http://127.0.0.1:${port}/files/x` }).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/files/`
  await conformance({ url, only: ['T-C1'], headers: { Authorization: 'Bearer x' } })
  expect(new Set(seen)).toEqual(new Set(['Bearer x']))
  expect(stray.length).toBeGreaterThan(0)
  expect(new Set(stray)).toEqual(new Set([undefined]))
  server.close()
  other.close()
})

test('uploads that a run has made are terminated afterwards', async () => {
  const { url, kept } = await mini()
  let during = 0
  await conformance({
    url,
    only: ['T-P2', 'T-C1', 'T-N2'],
    concurrency: 1,
    onResult: ({ status }) => {
      during += status === 'passed' ? 1 : 0
    },
  })
  expect(during).toBe(3)
  expect(kept()).toBe(0)
})

test('the table explains what was sent, what came and where it is written', async () => {
  const { url, close } = await miniServer({ defect: 'patch-says-200' })
  const report = await conformance({ url, only: ['T-P1', 'T-V6', 'T-D5'] })
  await close()
  const text = formatReport(report)
  expect(text).toContain('FAIL  T-P1  MUST')
  expect(text).toContain('expected status 204, got 200')
  expect(text).toMatch(
    /sent:\n\s+PATCH \/files\/[0-9a-f]{32}\n\s+Content-Type: application\/offset\+octet-stream/,
  )
  expect(text).toMatch(/received:\n\s+200 OK\n/)
  expect(text).toContain('see https://tus.io/protocols/resumable-upload#patch')
  expect(text).toContain('(the server announces termination)')
  expect(text).toMatch(/does not conform: 1 passed, 1 failed, 0 warned, 1 not applicable in \d+\.\d s/)
  expect(text).not.toContain('\u001b')
  expect(formatReport(report, { colour: true })).toContain('\u001b[31mFAIL\u001b[0m')
  expect(JSON.parse(JSON.stringify(report))).toEqual(report)
})

test('what a server says does not steer the terminal', async () => {
  const { url } = await mini()
  const report = await conformance({ url, only: ['T-O1'] })
  const [first] = report.results
  if (first === undefined) throw new Error('no result')
  const hostile = { ...first, status: 'failed', message: 'a\u001b[2Jb\rc\u009b' } as const
  const text = formatReport({ ...report, results: [hostile] })
  expect(text).toContain('a\u{fffd}[2Jb\u{fffd}c\u{fffd}')
})
