import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { contentOf } from './support/content.ts'
import type { Answer } from './support/http-client.ts'
import { HttpClient, idOf, offsetOf } from './support/http-client.ts'
import { RawConnection } from './support/raw-connection.ts'
import { ServerProcess } from './support/server-process.ts'
import { temporaryDirectory } from './support/temporary-directory.ts'
import { patchFields } from './support/tus-fields.ts'
import { until } from './support/until.ts'

const MIB = 1024 * 1024
const content = contentOf(1)
const otherContent = contentOf(2)

interface Pair {
  readonly dir: string
  readonly first: ServerProcess
  readonly second: ServerProcess
}

/** Two processes on one directory. */
async function pair(): Promise<Pair> {
  const dir = await temporaryDirectory()
  const first = await ServerProcess.start({ dir })
  return { dir, first, second: await ServerProcess.start({ dir }) }
}

/** The URL of the same upload at another process. */
function at(server: ServerProcess, url: string): string {
  return new URL(new URL(url).pathname, server.url).href
}

/** A PATCH at one process that has sent some bytes, all of them written, and now stands still. */
async function stalledPatch(dir: string, url: string, sent: number, length: number): Promise<RawConnection> {
  const { port, pathname } = new URL(url)
  const connection = await RawConnection.open(Number(port))
  connection.request(`PATCH ${pathname}`, patchFields(0, length), content.slice(0, sent))
  await until('the bytes are written', async () => (await bytesOf(dir, url)) === sent)
  return connection
}

async function bytesOf(dir: string, url: string): Promise<number | undefined> {
  return (await stat(join(dir, 'data', idOf(url))).catch(() => undefined))?.size
}

function completed(dir: string, url: string): Promise<Buffer> {
  return until('the plain file', () => readFile(join(dir, 'completed', idOf(url))).catch(() => undefined))
}

/** Asks again while the upload is locked, as a client does. */
async function headUntilFree(client: HttpClient, url: string): Promise<Answer> {
  return until(
    'HEAD is answered with an offset',
    async () => {
      const answer = await client.head(url)
      if (answer.status === 200) return answer
      expect(answer.status).toBe(423)
      expect(answer.headers['retry-after']).toBeDefined()
      return undefined
    },
    15_000,
  )
}

test('SIGTERM under load: what has arrived is stored, the process ends with 0 in good time', async () => {
  const dir = await temporaryDirectory()
  const server = await ServerProcess.start({ dir })
  const client = new HttpClient()
  const uploads = []
  for (let index = 0; index < 5; index += 1) {
    const url = await client.create(server.url, 10 * MIB)
    const connection = await stalledPatch(dir, url, 100_000 + index, 10 * MIB)
    uploads.push({ url, connection, sent: 100_000 + index })
  }
  const sending = await client.create(server.url, 1024 * MIB)
  const busy = client.patch(sending, 0, endless()).catch(() => undefined)
  await until('it is being written', async () => ((await bytesOf(dir, sending)) ?? 0) > MIB)

  const askedMs = performance.now()
  expect(await server.end('SIGTERM')).toBe(0)
  expect(performance.now() - askedMs).toBeLessThan(8000)
  for (const { connection } of uploads) {
    const answer = await connection.answer().catch(() => undefined)
    if (answer === undefined) continue
    expect(answer.status).toBe(503)
    expect(answer.headers.has('retry-after')).toBe(true)
  }
  expect([undefined, 503]).toContain((await busy)?.status)

  const next = await ServerProcess.start({ dir })
  for (const { url, sent } of uploads) expect(await client.offset(at(next, url))).toBe(sent)
  expect(await client.offset(at(next, sending))).toBeGreaterThan(MIB)
})

async function* endless(): AsyncGenerator<Uint8Array, void, undefined> {
  for (let start = 0; ; start += 65_536) yield content.slice(start, start + 65_536)
}

test('two processes take turns on one upload', async () => {
  const { dir, first, second } = await pair()
  const client = new HttpClient()
  const url = await client.create(first.url, 20 * 50_000)
  for (let turn = 0; turn < 20; turn += 1) {
    const start = turn * 50_000
    const server = turn % 2 === 0 ? first : second
    const answer = await client.patch(at(server, url), start, content.slice(start, start + 50_000))
    expect(answer.status, `turn ${turn}: ${answer.body.toString()}`).toBe(204)
    expect(offsetOf(answer)).toBe(start + 50_000)
  }
  expect((await completed(dir, url)).equals(content.slice(0, 20 * 50_000))).toBe(true)
})

/** @see reference R-N8 */
test('HEAD at one process stops a PATCH at the other within a second', async () => {
  const { dir, first, second } = await pair()
  const client = new HttpClient()
  for (let round = 0; round < 3; round += 1) {
    const url = await client.create(first.url, MIB)
    const running = await stalledPatch(dir, url, 200_000, MIB)
    const askedMs = performance.now()
    const offset = await client.offset(at(second, url))
    expect(performance.now() - askedMs).toBeLessThan(1000)
    expect(offset).toBe(200_000)
    await until('the PATCH is reset', () => running.ended !== 'open')
    const answer = await client.patch(at(second, url), offset, content.slice(offset, MIB))
    expect(answer.status, answer.body.toString()).toBe(204)
    expect((await completed(dir, url)).equals(content.slice(0, MIB))).toBe(true)
  }
})

/** @see reference R-N6, R-N8 */
test('PATCH and DELETE at one process stop a PATCH at the other', async () => {
  const { dir, first, second } = await pair()
  const client = new HttpClient()
  const url = await client.create(first.url, MIB)
  const running = await stalledPatch(dir, url, 200_000, MIB)
  const answer = await client.patch(at(second, url), 200_000, content.slice(200_000, 300_000))
  expect(answer.status, answer.body.toString()).toBe(204)
  await until('the PATCH is reset', () => running.ended !== 'open')

  const { port, pathname } = new URL(url)
  const again = await RawConnection.open(Number(port))
  again.request(`PATCH ${pathname}`, patchFields(300_000, MIB - 300_000), content.slice(300_000, 400_000))
  await until('it is written', async () => {
    const sizes = await Promise.all(
      (await readdir(join(dir, 'data'))).map(async (name) => (await stat(join(dir, 'data', name))).size),
    )
    return sizes.reduce((sum, size) => sum + size, 0) >= 400_000
  })
  const removed = await client.remove(at(second, url))
  expect(removed.status, removed.body.toString()).toBe(204)
  await until('the PATCH is reset', () => again.ended !== 'open')
  expect((await client.head(url)).status).toBe(410)
  await until('every byte is freed', async () => (await readdir(join(dir, 'data'))).length === 0)
})

test('a process that is killed in the middle of a PATCH leaves the upload to the other', async () => {
  const { dir, first, second } = await pair()
  const client = new HttpClient()
  const url = await client.create(first.url, MIB)
  await stalledPatch(dir, url, 200_000, MIB)
  await first.end('SIGKILL')
  const killedMs = performance.now()
  const offset = offsetOf(await headUntilFree(client, at(second, url)))
  const answer = await client.patch(at(second, url), offset, content.slice(offset, MIB))
  expect(performance.now() - killedMs).toBeLessThan(2000)
  expect(answer.status, answer.body.toString()).toBe(204)
  expect((await completed(dir, url)).equals(content.slice(0, MIB))).toBe(true)
})

/** @see reference I4; design: invariant 4, segments */
test('a frozen process is succeeded by the other; when it wakes, nothing of it lands', async () => {
  const { dir, first, second } = await pair()
  const client = new HttpClient()
  const started = await Promise.all(Array.from({ length: 4 }, () => startFlood(dir, first, client)))
  await freeze(first, second, client)
  // Each takes over where the record says, and writes something else than the frozen one has under way.
  const uploads = await Promise.all(
    started.map(async (upload) => {
      const offset = offsetOf(await headUntilFree(client, at(second, upload.url)))
      const body = otherContent.slice(offset, TAKEN_OVER_BYTES)
      const answer = await client.patch(at(second, upload.url), offset, body)
      expect(answer.status, answer.body.toString()).toBe(204)
      return { ...upload, offset }
    }),
  )
  first.signal('SIGCONT')
  for (const { old } of uploads) {
    await until('the old PATCH has ended', () => old.ended !== 'open' || old.hasUnread, 10_000)
    if (old.hasUnread) expect((await old.answer()).status).toBeGreaterThanOrEqual(400)
  }
  for (const { url, offset } of uploads) {
    expect(await client.offset(at(second, url))).toBe(TAKEN_OVER_BYTES)
    // The one that was frozen takes part again, and knows where the upload stands.
    expect(offsetOf(await headUntilFree(client, url))).toBe(TAKEN_OVER_BYTES)
    const last = await client.patch(url, TAKEN_OVER_BYTES, otherContent.slice(TAKEN_OVER_BYTES, FLOOD_BYTES))
    expect(last.status, last.body.toString()).toBe(204)
    const expected = Buffer.concat([content.slice(0, offset), otherContent.slice(offset, FLOOD_BYTES)])
    expect((await completed(dir, url)).equals(expected)).toBe(true)
  }
  const fresh = await client.createWith(first.url, Buffer.from('hello'))
  expect((await completed(dir, fresh)).toString()).toBe('hello')
})

const FLOOD_BYTES = 32 * MIB
/** Past everything that the frozen process can have had under way: a late write would land in it. */
const TAKEN_OVER_BYTES = FLOOD_BYTES - 1000

/** An upload with a recorded megabyte, and a PATCH behind it that sends as fast as it is read. */
async function startFlood(
  dir: string,
  server: ServerProcess,
  client: HttpClient,
): Promise<{ url: string; old: RawConnection }> {
  const url = await client.create(server.url, FLOOD_BYTES)
  expect((await client.patch(url, 0, content.slice(0, MIB))).status).toBe(204)
  const { port, pathname } = new URL(url)
  const old = await RawConnection.open(Number(port))
  old.request(`PATCH ${pathname}`, patchFields(MIB, FLOOD_BYTES - MIB))
  let sent = MIB
  const more = (): void => {
    if (old.ended !== 'open' || sent >= FLOOD_BYTES - MIB) return
    old.write(content.slice(sent, sent + 65_536))
    sent += 65_536
    void old.written().then(more, () => undefined)
  }
  more()
  await until('it is being written', async () => ((await bytesOf(dir, url)) ?? 0) > 2 * MIB)
  return { url, old }
}

/** Freezes a process, but not inside a transaction: there it would hold up everybody, as documented. */
async function freeze(server: ServerProcess, other: ServerProcess, client: HttpClient): Promise<void> {
  await until(
    'the process is frozen outside of a transaction',
    async () => {
      server.signal('SIGSTOP')
      const signal = AbortSignal.timeout(1000)
      const headers = { 'Tus-Resumable': '1.0.0', 'Upload-Length': 5, 'Content-Length': 0 }
      const answer = await client
        .ask({ method: 'POST', url: other.url, headers, signal })
        .catch(() => undefined)
      if (answer?.status === 201) return true
      server.signal('SIGCONT')
      return false
    },
    10_000,
  )
}
