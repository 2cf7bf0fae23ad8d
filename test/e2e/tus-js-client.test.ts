import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Upload } from 'tus-js-client'
import type { UploadOptions } from 'tus-js-client'
import { expect, test } from 'vitest'
import { contentOf, seededRandom, sha256 } from './support/content.ts'
import { cuttingProxy } from './support/cutting-proxy.ts'
import { HttpClient, idOf } from './support/http-client.ts'
import { ServerProcess } from './support/server-process.ts'
import { temporaryDirectory } from './support/temporary-directory.ts'
import { until } from './support/until.ts'

const MIB = 1024 * 1024
const content = contentOf(3).slice(0, 50 * MIB)
const contentHash = sha256(content)
const SEED = Number(process.env['CARRYON_TEST_SEED'] ?? Date.now() % 1_000_000)

interface Done {
  readonly url: string
  /** Requests of each method that were answered. */
  readonly answers: ReadonlyMap<string, number>
}

/** Uploads with the client as it comes. @returns When it says that it has succeeded. */
function upload(data: Buffer | Readable, options: UploadOptions): Promise<Done> {
  return new Promise((resolve, reject) => {
    const answers = new Map<string, number>()
    const running = new Upload(data, {
      retryDelays: [0],
      metadata: { filename: 'fifty.bin', filetype: 'application/octet-stream' },
      ...options,
      onAfterResponse: (request) => {
        const method = request.getMethod()
        answers.set(method, (answers.get(method) ?? 0) + 1)
      },
      onError: reject,
      onSuccess: () => resolve({ url: running.url ?? '', answers }),
    })
    running.start()
  })
}

/** The plain file and the download both have the content that was sent. */
async function checkStored(dir: string, url: string): Promise<void> {
  const file = join(dir, 'completed', idOf(url))
  const bytes = await until('the plain file', () => readFile(file).catch(() => undefined), 10_000)
  expect(sha256(bytes)).toBe(contentHash)
  const client = new HttpClient()
  const download = await client.get(url)
  expect(download.headers['content-disposition']).toContain('fifty.bin')
  expect(sha256(download.body)).toBe(contentHash)
  client.close()
}

test('50 MiB in one request', async () => {
  const dir = await temporaryDirectory()
  const server = await ServerProcess.start({ dir })
  const { url, answers } = await upload(content, { endpoint: server.url })
  expect(Object.fromEntries(answers)).toEqual({ POST: 1, PATCH: 1 })
  await checkStored(dir, url)
})

test('50 MiB sent with the creation', async () => {
  const dir = await temporaryDirectory()
  const server = await ServerProcess.start({ dir })
  const { url, answers } = await upload(content, { endpoint: server.url, uploadDataDuringCreation: true })
  expect(Object.fromEntries(answers)).toEqual({ POST: 1 })
  await checkStored(dir, url)
})

test('50 MiB in chunks of 5 MiB', async () => {
  const dir = await temporaryDirectory()
  const server = await ServerProcess.start({ dir })
  const { url, answers } = await upload(content, { endpoint: server.url, chunkSize: 5 * MIB })
  expect(Object.fromEntries(answers)).toEqual({ POST: 1, PATCH: 10 })
  await checkStored(dir, url)
})

test('50 MiB with POST in place of PATCH', async () => {
  const dir = await temporaryDirectory()
  const server = await ServerProcess.start({ dir })
  const { url } = await upload(content, {
    endpoint: server.url,
    overridePatchMethod: true,
    chunkSize: 20 * MIB,
  })
  await checkStored(dir, url)
})

test('50 MiB in four parallel parts', async () => {
  const dir = await temporaryDirectory()
  const server = await ServerProcess.start({ dir })
  const { url, answers } = await upload(content, { endpoint: server.url, parallelUploads: 4 })
  expect(Object.fromEntries(answers)).toEqual({ POST: 5, PATCH: 4 })
  await checkStored(dir, url)
})

test('50 MiB from a stream whose length is known at its end only', async () => {
  const dir = await temporaryDirectory()
  const server = await ServerProcess.start({ dir })
  const pieces = Array.from({ length: 100 }, (_, index) =>
    content.subarray((index * MIB) / 2, ((index + 1) * MIB) / 2),
  )
  const { url } = await upload(Readable.from(pieces, { objectMode: false }), {
    endpoint: server.url,
    uploadLengthDeferred: true,
    // No divisor of 50 MiB: tus-js-client 4.3.1 waits for ever when a stream ends together with a chunk.
    chunkSize: 6 * MIB,
  })
  await checkStored(dir, url)
})

test.each([
  { name: 'one request', options: {} },
  { name: 'chunks of 5 MiB', options: { chunkSize: 5 * MIB } },
  { name: 'parallel parts', options: { parallelUploads: 4 } },
])(`50 MiB in $name through a line that breaks at random bytes (seed ${SEED})`, async ({ options }) => {
  const dir = await temporaryDirectory()
  const server = await ServerProcess.start({ dir })
  const targetPort = Number(new URL(server.url).port)
  const proxy = await cuttingProxy({ targetPort, random: seededRandom(SEED), cuts: 15, maxBytes: 8 * MIB })
  const retryDelays = Array.from({ length: 30 }, () => 10)
  const { url } = await upload(content, {
    ...options,
    retryDelays,
    endpoint: `http://127.0.0.1:${proxy.port}/files/`,
  })
  expect(proxy.cuts).toBeGreaterThan(3)
  await checkStored(dir, new URL(new URL(url).pathname, server.url).href)
})
