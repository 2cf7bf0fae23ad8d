import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Upload } from 'tus-js-client'
import type { UploadOptions } from 'tus-js-client'
import { expect, test } from 'vitest'
import { until } from '../../e2e/support/until.ts'
import type { Places } from './scene.ts'
import { afterTest, contentsOf, places, runImport, serve, sha256 } from './scene.ts'

const MIB = 1024 * 1024
const content = randomBytes(48 * MIB)
const script = fileURLToPath(new URL('../../conformance/peer-server.ts', import.meta.url))

interface Peer {
  readonly port: number
  kill(): Promise<void>
}

/** @tus/server with @tus/file-store, in a process of its own. */
async function startPeer({ from }: Places): Promise<Peer> {
  const child = fork(script, [from], { execArgv: ['--import', 'tsx'] })
  const exit = once(child, 'exit')
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exit
  }
  afterTest(kill)
  const [port] = (await once(child, 'message')) as [number]
  return { port, kill }
}

/** The new server on the old one's port. */
async function takeItsPort(at: Places, port: number): Promise<void> {
  const { uploads, close } = await serve(at)
  const server = createServer()
  uploads.attach(server)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  afterTest(async () => {
    server.close()
    server.closeAllConnections()
    await close()
  })
}

interface Sending {
  readonly upload: Upload
  readonly done: Promise<void>
}

function send(port: number, options: UploadOptions = {}): Sending {
  let succeed: () => void = () => undefined
  let fail: (error: Error) => void = () => undefined
  const done = new Promise<void>((resolve, reject) => {
    succeed = resolve
    fail = reject
  })
  done.catch(() => undefined)
  const upload = new Upload(content, {
    endpoint: `http://127.0.0.1:${port}/files/`,
    metadata: { filename: 'Ærø film.mp4', filetype: 'video/mp4' },
    chunkSize: 4 * MIB,
    retryDelays: Array.from({ length: 300 }, () => 50),
    onError: (error) => fail(error),
    onSuccess: () => succeed(),
    ...options,
  })
  upload.start()
  return { upload, done }
}

function idOf(upload: Upload): string {
  return upload.url?.split('/').at(-1) ?? ''
}

async function storedBytes({ from }: Places, upload: Upload, least: number): Promise<number> {
  return until('the old server stores', () => {
    const bytes = upload.url === null ? 0 : statSync(join(from, idOf(upload))).size
    return bytes >= least && bytes
  })
}

/** What the download says and brings. */
async function download(upload: Upload): Promise<{ readonly hash: string; readonly name: string | null }> {
  const answer = await fetch(upload.url ?? '')
  const hash = sha256(new Uint8Array(await answer.arrayBuffer()))
  return { hash, name: answer.headers.get('Content-Disposition') }
}

test.each([
  { how: 'link' as const, pieces: 'chunks', options: {} },
  { how: 'move' as const, pieces: 'one request', options: { chunkSize: Infinity } },
])(
  '$how: a client that sends $pieces while its server is replaced does not even notice',
  async (given) => {
    const at = await places()
    const peer = await startPeer(at)
    const { upload, done } = send(peer.port, given.options)
    await storedBytes(at, upload, 8 * MIB)
    await peer.kill()
    const { totals, events } = await runImport(at, { how: given.how })
    expect(totals).toEqual({ imported: 1, unfinished: 1, skipped: 0, failed: 0 })
    const event = events.get(idOf(upload))
    expect(event).toMatchObject({ kind: 'imported', length: content.length, how: 'link' })
    expect(event?.kind === 'imported' && event.offset >= 8 * MIB && event.offset < content.length).toBe(true)
    await takeItsPort(at, peer.port)
    await done
    const got = await download(upload)
    expect(got.hash).toBe(sha256(content))
    expect(got.name).toContain("filename*=UTF-8''%C3%86r%C3%B8%20film.mp4")
  },
  60_000,
)

test('the same Upload object resumes by its URL, and HEAD says what the old server said', async () => {
  const at = await places()
  const peer = await startPeer(at)
  const { upload } = send(peer.port)
  await storedBytes(at, upload, 8 * MIB)
  await upload.abort()
  const head = async (): Promise<Readonly<Record<string, string | null>>> => {
    const { headers } = await fetch(upload.url ?? '', {
      method: 'HEAD',
      headers: { 'Tus-Resumable': '1.0.0' },
    })
    const names = ['Upload-Offset', 'Upload-Length', 'Upload-Metadata', 'Cache-Control']
    return Object.fromEntries(names.map((name) => [name, headers.get(name)]))
  }
  // The old server still stores what was on its way when the client went.
  let said = await head()
  await until('the old server rests', async () => {
    const before = said
    said = await head()
    return said['Upload-Offset'] === before['Upload-Offset']
  })
  await peer.kill()
  const old = await contentsOf(at.from)
  await runImport(at)
  await takeItsPort(at, peer.port)
  expect(await head()).toEqual(said)
  const resumed = new Promise<void>((resolve, reject) => {
    upload.options.onSuccess = () => resolve()
    upload.options.onError = reject
  })
  const url = upload.url
  upload.start()
  await resumed
  expect(upload.url).toBe(url)
  expect((await download(upload)).hash).toBe(sha256(content))
  expect(await contentsOf(at.from)).toEqual(old)
}, 60_000)

test('a complete upload of @tus/server can be downloaded here, and its stored offset of 0 means nothing', async () => {
  const at = await places()
  const peer = await startPeer(at)
  const { upload, done } = send(peer.port)
  await done
  await peer.kill()
  const { totals } = await runImport(at)
  expect(totals).toEqual({ imported: 1, unfinished: 0, skipped: 0, failed: 0 })
  expect(readdirSync(join(at.dir, 'completed'))).toEqual([idOf(upload)])
  await takeItsPort(at, peer.port)
  expect((await download(upload)).hash).toBe(sha256(content))
}, 60_000)
