import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LocalServer, LocalServerOptions } from './support/local-server.ts'
import { localServer } from './support/local-server.ts'
import type { PageServer } from './support/page-server.ts'
import { pageServer } from './support/page-server.ts'
import type { StartedBrowser } from './support/real-browser.ts'
import { startBrowser } from './support/real-browser.ts'
import { afterTest } from './support/after-test.ts'

const MIB = 1024 * 1024

/** What a run in the page came to. */
interface Outcome {
  readonly url: string | null
  readonly error?: string
  readonly status?: number
  /** Offset with which a resumed upload went on. */
  readonly resumedAt?: number
  readonly body?: string
  readonly [name: string]: unknown
}

let started: StartedBrowser
let pages: PageServer

beforeAll(async () => {
  started = await startBrowser()
  pages = await pageServer()
}, 60_000)

afterAll(async () => {
  pages.close()
  if (started.kind === 'running') await started.close()
})

interface Scene {
  readonly server: LocalServer
  readonly page: Page
}

/** A page of another origin and a server; skips the test where no browser starts. */
async function scene(skip: (reason: string) => never, options: LocalServerOptions = {}): Promise<Scene> {
  if (started.kind === 'none') {
    console.warn(`\n*** NO BROWSER TEST WAS RUN: Chromium does not start here: ${started.reason}\n`)
    return skip(`Chromium does not start here: ${started.reason}`)
  }
  const server = await localServer(options)
  const context = await started.browser.newContext()
  afterTest(() => context.close())
  const page = await context.newPage()
  await page.goto(pages.origin)
  return { server, page }
}

/**
 * Runs a script in the page; it sees `tus`, `endpoint`, `bytes(length)` and calls `done(outcome)`.
 * Content in the page is `(i * 31 + (i >> 8)) & 255`.
 */
function run({ page, server }: Scene, script: string): Promise<Outcome> {
  return page.evaluate<Outcome>(`new Promise((done) => {
    const endpoint = ${JSON.stringify(server.url)}
    const bytes = (length) => Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 255)
    const failed = (upload) => (error) => {
      const response = error.originalResponse
      done({ url: upload().url, error: error.message, status: response?.getStatus(), body: response?.getBody(),
        offset: response?.getHeader('Upload-Offset'), version: response?.getHeader('Tus-Version'),
        retryAfter: response?.getHeader('Retry-After') })
    }
    ${script}
  })`)
}

function bytes(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 255))
}

test('a page of another origin uploads 5 MiB', async ({ skip }) => {
  const on = await scene(skip)
  const outcome = await run(
    on,
    `const upload = new tus.Upload(new Blob([bytes(${5 * MIB})]), {
      endpoint, metadata: { filename: 'Grüße 🎉.bin' }, onError: failed(() => upload),
      onSuccess: () => done({ url: upload.url }),
    })
    upload.start()`,
  )
  expect(outcome).toEqual({ url: expect.stringContaining(on.server.url) })
  expect((await on.server.completed(String(outcome.url))).equals(bytes(5 * MIB))).toBe(true)
})

test('a page aborts an upload and goes on with it later', async ({ skip }) => {
  const on = await scene(skip)
  const outcome = await run(
    on,
    `const file = new File([bytes(${5 * MIB})], 'five.bin', { lastModified: 1 })
    const options = { endpoint, chunkSize: ${MIB}, onError: failed(() => first) }
    const first = new tus.Upload(file, { ...options, onChunkComplete: async (_, accepted) => {
      if (accepted !== ${2 * MIB}) return
      await first.abort()
      const offsets = []
      const second = new tus.Upload(file, { ...options,
        onBeforeRequest: (request) => {
          if (request.getMethod() === 'PATCH') offsets.push(Number(request.getHeader('Upload-Offset')))
        },
        onSuccess: () => done({ url: second.url, same: second.url === first.url, resumedAt: offsets[0] }) })
      const [previous] = await second.findPreviousUploads()
      second.resumeFromPreviousUpload(previous)
      second.start()
    } })
    first.start()`,
  )
  expect(outcome['same']).toBe(true)
  expect(outcome.resumedAt).toBeGreaterThanOrEqual(2 * MIB)
  expect((await on.server.completed(String(outcome.url))).equals(bytes(5 * MIB))).toBe(true)
})

test('a page uploads in parallel parts', async ({ skip }) => {
  const on = await scene(skip)
  const outcome = await run(
    on,
    `const upload = new tus.Upload(new Blob([bytes(${5 * MIB})]), {
      endpoint, parallelUploads: 3, onError: failed(() => upload), onSuccess: () => done({ url: upload.url }),
    })
    upload.start()`,
  )
  expect(outcome.error).toBeUndefined()
  expect((await on.server.completed(String(outcome.url))).equals(bytes(5 * MIB))).toBe(true)
})

test('a page uploads through POST with a method override, and terminates an upload', async ({ skip }) => {
  const on = await scene(skip)
  const outcome = await run(
    on,
    `const upload = new tus.Upload(new Blob([bytes(1000)]), {
      endpoint, overridePatchMethod: true, onError: failed(() => upload),
      onSuccess: async () => {
        const whole = await (await fetch(upload.url)).arrayBuffer()
        await tus.Upload.terminate(upload.url)
        const after = await fetch(upload.url, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } })
        done({ url: upload.url, size: whole.byteLength, status: after.status })
      },
    })
    upload.start()`,
  )
  expect(outcome).toMatchObject({ size: 1000, status: 410 })
})

test('a page reads why it was refused', async ({ skip }) => {
  const on = await scene(skip, { maxSizeBytes: 1000 })
  const tooLarge = await run(
    on,
    `const upload = new tus.Upload(new Blob([bytes(1001)]), {
      endpoint, retryDelays: [], onError: failed(() => upload), onSuccess: () => done({ url: upload.url }),
    })
    upload.start()`,
  )
  expect(tooLarge).toMatchObject({ status: 413, body: expect.stringContaining('ERR_MAX_SIZE_EXCEEDED') })

  const fields = await run(
    on,
    `(async () => {
      const headers = { 'Tus-Resumable': '1.0.0' }
      const created = await fetch(endpoint, { method: 'POST', headers: { ...headers, 'Upload-Length': '10' } })
      const url = created.headers.get('Location')
      const type = { 'Content-Type': 'application/offset+octet-stream' }
      const conflict = await fetch(url, { method: 'PATCH', headers: { ...headers, ...type, 'Upload-Offset': '5' }, body: 'hello' })
      const version = await fetch(url, { method: 'DELETE', headers: { 'Tus-Resumable': '0.2.2' } })
      const options = await fetch(endpoint, { method: 'OPTIONS' })
      done({ url, status: conflict.status, offset: conflict.headers.get('Upload-Offset'), body: await conflict.text(),
        refused: version.status, version: version.headers.get('Tus-Version'),
        maxSize: options.headers.get('Tus-Max-Size'), extensions: options.headers.get('Tus-Extension') })
    })().catch((error) => done({ url: null, error: String(error) }))`,
  )
  expect(fields).toMatchObject({
    status: 409,
    offset: '0',
    body: expect.stringContaining('ERR_MISMATCHED_OFFSET'),
    refused: 412,
    version: '1.0.0',
    maxSize: '1000',
    extensions: expect.stringContaining('creation'),
  })
})

test('a page of an origin that is not on the list gets nowhere', async ({ skip }) => {
  const on = await scene(skip, { cors: { origins: ['https://example.com'] } })
  const outcome = await run(
    on,
    `const upload = new tus.Upload(new Blob([bytes(10)]), {
      endpoint, retryDelays: [], onError: failed(() => upload), onSuccess: () => done({ url: upload.url }),
    })
    upload.start()`,
  )
  expect(outcome.url).toBeNull()
  expect(outcome.error).toContain('failed to create upload')
})
