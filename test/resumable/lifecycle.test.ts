import { readdir, readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { afterTest } from '../e2e/support/after-test.ts'
import { contentOf as bytesOf, sha256 } from '../e2e/support/content.ts'
import { idOf } from '../e2e/support/http-client.ts'
import { temporaryDirectory } from '../e2e/support/temporary-directory.ts'
import { until, within } from '../e2e/support/until.ts'
import { handler } from './support/handler.ts'
import type { Answer, Met } from './support/handling.ts'
import { report } from './support/handling.ts'
import type { Served } from './support/served.ts'
import { tusJsUpload } from './support/tus-js.ts'

const MIB = 1024 * 1024
const NOTHING = new Uint8Array(0)

async function upload({ client, url }: Served, content: Buffer): Promise<{ url: string; status: number }> {
  const created = await client.create(url, content.length)
  const { status } = await client.patch(created, 0, content)
  return { url: created, status }
}

/** Files of uploads that are still there. */
async function filesIn(dir: string): Promise<string[]> {
  const lists = await Promise.all(
    ['data', 'completed'].map((name) => readdir(join(dir, name)).catch(() => [])),
  )
  return lists.flat()
}

test.each([['stream'], ['path']] as const)('%s: the bytes go, the answer stays', async (deliver) => {
  const server = await handler(report, { deliver })
  const large = bytesOf(1).slice(0, 3 * MIB)
  const small = bytesOf(2).slice(0, 1000)
  for (const content of [large, small]) {
    const done = await upload(server, content)
    expect(done.status).toBe(201)
    await until('its files are gone', async () => (await filesIn(server.dir)).length === 0)
    expect((await server.client.head(done.url)).headers['upload-offset']).toBe(String(content.length))
    const again = await server.client.patch(done.url, content.length, NOTHING)
    expect(JSON.parse(again.body.toString())).toMatchObject({ sha256: sha256(content) })
  }
  expect(server.reported).toEqual([])
})

test('deliver: path: the handler gets a file, and may take it away', async () => {
  const place = await temporaryDirectory()
  const seen: string[] = []
  const taking = async ({ upload: one, sha256: digest }: Met): Promise<Answer> => {
    const path = one?.path ?? ''
    seen.push(sha256(await readFile(path)), digest)
    await rename(path, join(place, one?.uploadId ?? ''))
    return { status: 201 }
  }
  const server = await handler(taking, { deliver: 'path' })
  for (const size of [3 * MIB, 1000, 0]) {
    const content = bytesOf(size).slice(0, size)
    const done = await upload(server, content)
    if (size > 0) expect(done.status).toBe(201)
    await until('nothing else is left', async () => (await filesIn(server.dir)).length === 0)
    expect(seen.splice(0)).toEqual([sha256(content), sha256(content)])
    expect(sha256(await readFile(join(place, idOf(done.url))))).toBe(sha256(content))
  }
  expect(server.reported).toEqual([])
})

test('deliver: path: what a failed attempt has taken away is there again', async () => {
  const place = await temporaryDirectory()
  const content = bytesOf(4).slice(0, 3 * MIB)
  const server = await handler(
    async ({ upload: one }) => {
      const path = one?.path ?? ''
      const found = sha256(await readFile(path))
      await rename(path, join(place, String(one?.attempt)))
      return { status: one?.attempt === 1 ? 500 : 201, body: found }
    },
    { deliver: 'path' },
  )
  const done = await upload(server, content)
  expect(done.status).toBe(500)
  const again = await server.client.patch(done.url, content.length, NOTHING)
  expect([again.status, again.body.toString()]).toEqual([201, sha256(content)])
  expect(await readdir(place)).toEqual(['1', '2'])
})

test('keepFiles: the files stay under their ids', async () => {
  const server = await handler(report, { keepFiles: true, validForMs: 1000 })
  const content = bytesOf(5).slice(0, 3 * MIB)
  const done = await upload(server, content)
  const path = join(server.dir, 'completed', idOf(done.url))
  expect(sha256(await readFile(path))).toBe(sha256(content))
  const unfinished = await server.client.create(server.url, 10)
  await until('what is unfinished expires', async () => (await server.client.head(unfinished)).status === 410)
  await stat(path)
  expect((await server.client.head(done.url)).status).toBe(200)
})

test('validForMs: answers and unfinished uploads are forgotten, what is not handled is not', async () => {
  const server = await handler(({ upload: one }) => ({ status: one?.metadata['fail'] === '' ? 500 : 201 }), {
    validForMs: 1000,
  })
  const { client, url } = server
  const done = await upload(server, Buffer.from('some bytes'))
  const unfinished = await client.create(url, 10)
  const failing = await client.create(url, 4, { 'Upload-Metadata': 'fail' })
  expect((await client.patch(failing, 0, Buffer.from('fail'))).status).toBe(500)
  for (const one of [done.url, unfinished])
    await until('it is gone', async () => (await client.head(one)).status === 410, 10_000)
  expect((await client.head(failing)).status).toBe(423)
})

test('an upload in parallel parts reaches the handler once, whole, and its parts go with it', async () => {
  const server = await handler(report)
  const content = bytesOf(6).slice(0, 5 * MIB)
  const parts: string[] = []
  const done = await tusJsUpload(content, {
    endpoint: server.url,
    parallelUploads: 3,
    onAfterResponse: (request, response) => {
      const location = response.getHeader('Location')
      if (request.getMethod() === 'POST' && location !== undefined) parts.push(location)
    },
  })
  expect(server.met).toHaveLength(1)
  expect(server.met[0]).toMatchObject({ sha256: sha256(content), bytes: content.length, method: 'POST' })
  expect(JSON.parse(done.body)).toMatchObject({ sha256: sha256(content) })
  await until('its files are gone', async () => (await filesIn(server.dir)).length === 0)
  expect(parts).toHaveLength(4)
  const states = await Promise.all(parts.map(async (part) => (await server.client.head(part)).status))
  expect(states.sort((a, b) => a - b)).toEqual([200, 410, 410, 410])
})

test('many handlers at once', async () => {
  const warnings: string[] = []
  const hear = (warning: Error): void => void warnings.push(String(warning))
  process.on('warning', hear)
  afterTest(() => process.off('warning', hear))
  const ends: (() => void)[] = []
  const server = await handler(
    (met) => new Promise((resolve) => ends.push(() => resolve({ status: 201, body: met.sha256 }))),
  )
  const contents = Array.from({ length: 30 }, (_, seed) => bytesOf(seed).slice(0, 5000))
  const answers = contents.map(async (content) => {
    const created = await server.client.create(server.url, content.length)
    return (await server.client.patch(created, 0, content)).body.toString()
  })
  await until('all are at work', () => ends.length === contents.length)
  for (const end of ends) end()
  expect(await Promise.all(answers)).toEqual(contents.map((content) => sha256(content)))
  expect([warnings, server.reported]).toEqual([[], []])
})

test('an answer that is too large is an error, and the handler is not called again for it', async () => {
  const server = await handler(() => ({ status: 201, body: 'x'.repeat(MIB + 1) }))
  const done = await upload(server, Buffer.from('some bytes'))
  const again = await server.client.patch(done.url, 10, NOTHING)
  expect([done.status, again.status]).toEqual([500, 500])
  expect(again.body.toString()).toMatch(/^ERR_ANSWER_TOO_LARGE: The upload was handled, but/)
  expect(server.met).toHaveLength(1)
  expect(String(server.reported[0])).toMatch(/more than 1048576 bytes/)
})

test('a creation with all of its content, of which the handler fails, leaves nothing', async () => {
  const server = await handler(() => ({ status: 503, body: 'not now' }))
  const answer = await server.client.ask({
    method: 'POST',
    url: server.url,
    headers: {
      'Tus-Resumable': '1.0.0',
      'Upload-Length': 4,
      'Content-Type': 'application/offset+octet-stream',
      'Content-Length': 4,
    },
    body: Buffer.from('four'),
  })
  expect([answer.status, answer.body.toString(), answer.headers.location]).toEqual([
    503,
    'not now',
    undefined,
  ])
  const id = server.met[0]?.upload?.uploadId ?? ''
  expect((await server.client.head(`${server.url}/${id}`)).status).toBe(404)
})

test('close lets a handler come to its end', async () => {
  let end: ((answer: Answer) => void) | undefined
  const server = await handler(() => new Promise((resolve) => (end = resolve)))
  const { client, url } = server
  const created = await client.create(url, 4)
  const answer = client.patch(created, 0, Buffer.from('four')).catch(() => undefined)
  await until('the handler is at work', () => end)
  const closing = server.close(10_000)
  end?.({ status: 201 })
  await within('it closes', closing)
  await answer
  const after = await handler(report, { dir: server.dir })
  const head = await after.client.head(`${after.origin}${new URL(created).pathname}`)
  expect([head.status, head.headers['upload-offset'], after.met.length]).toEqual([200, '4', 0])
})

test('close lets a handler come to its end that was called without a client', async () => {
  const before = await handler(() => ({ status: 500 }))
  const created = await before.client.create(before.url, 4)
  expect((await before.client.patch(created, 0, Buffer.from('four'))).status).toBe(500)
  await before.close()
  let end: ((answer: Answer) => void) | undefined
  const server = await handler(() => new Promise((resolve) => (end = resolve)), { dir: before.dir })
  await until('the handler is at work', () => end)
  const closing = server.close(10_000)
  end?.({ status: 201 })
  await within('it closes', closing)
  const after = await handler(report, { dir: before.dir })
  const head = await after.client.head(`${after.origin}${new URL(created).pathname}`)
  expect([head.status, after.met.length, server.reported.map(String)]).toEqual([200, 0, []])
})

test('close does not wait for ever, and the next start calls the handler again', async () => {
  const server = await handler(() => new Promise(() => undefined))
  const created = await server.client.create(server.url, 4)
  const answer = server.client.patch(created, 0, Buffer.from('four')).catch(() => undefined)
  await until('the handler is at work', () => server.met.length > 0)
  await within('it closes', server.close(200), 3000)
  await answer
  const after = await handler(report, { dir: server.dir })
  expect(await until('it is called again', () => after.met[0])).toMatchObject({ upload: { attempt: 2 } })
})
