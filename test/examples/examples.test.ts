import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { afterEach, expect, test } from 'vitest'
import { startBrowser } from '../e2e/support/real-browser.ts'
import { lineTo } from '../client/browser/line.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

function temporaryDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'carryon-example-'))
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** Uploads by plain fetch in two requests, as any client would, and compares what comes back. */
async function uploadAndCompare(endpoint: string, send: typeof fetch): Promise<void> {
  const content = randomBytes(200_000)
  const tus = { 'Tus-Resumable': '1.0.0' }
  const created = await send(endpoint, {
    method: 'POST',
    headers: { ...tus, 'Upload-Length': String(content.length) },
  })
  expect(created.status).toBe(201)
  const url = new URL(created.headers.get('location') ?? '', endpoint).href
  for (const [start, end] of [
    [0, 70_000],
    [70_000, content.length],
  ] as const) {
    const appended = await send(url, {
      method: 'PATCH',
      headers: { ...tus, 'Upload-Offset': String(start), 'Content-Type': 'application/offset+octet-stream' },
      body: new Uint8Array(content.subarray(start, end)),
    })
    expect(appended.status).toBe(204)
  }
  await expectContent(url, content, send)
}

async function expectContent(url: string, content: Uint8Array, send: typeof fetch = fetch): Promise<void> {
  const back = new Uint8Array(await (await send(url)).arrayBuffer())
  const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  expect(hash(back)).toBe(hash(content))
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts examples/node-http. @returns Its origin. */
async function startServer(): Promise<string> {
  const port = await freePort()
  const child = spawn(process.execPath, ['--import', 'tsx', example('node-http/main.ts')], {
    env: { ...process.env, PORT: String(port), UPLOADS: temporaryDirectory() },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  cleanups.unshift(() => child.kill('SIGKILL'))
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve)
    child.once('exit', (code) => reject(new Error(`the example ended with ${code}`)))
  })
  return `http://127.0.0.1:${port}`
}

function example(path: string): string {
  return fileURLToPath(new URL(`../../examples/${path}`, import.meta.url))
}

test('examples/node-http takes an upload and leaves other paths to the app', async () => {
  const origin = await startServer()
  await uploadAndCompare(`${origin}/files/`, fetch)
  expect(await (await fetch(`${origin}/`)).text()).toBe('the rest of the app\n')
})

test('examples/fetch-handler takes an upload and leaves other paths to the app', async () => {
  process.env['UPLOADS'] = temporaryDirectory()
  const { fetch: handle } = (await import('../../examples/fetch-handler/main.ts')) as {
    readonly fetch: (request: Request) => Promise<Response>
  }
  await uploadAndCompare('http://127.0.0.1/files/', (input, init) => handle(new Request(input, init)))
  expect(await (await handle(new Request('http://127.0.0.1/'))).text()).toBe('the rest of the app\n')
})

test('examples/upload-script sends a file and says where it is', async () => {
  const endpoint = `${await startServer()}/files/`
  const dir = temporaryDirectory()
  const content = randomBytes(3_000_000)
  writeFileSync(join(dir, 'some file.bin'), content)
  const script = ['--import', import.meta.resolve('tsx'), example('upload-script/main.ts')]
  const child = spawn(process.execPath, [...script, 'some file.bin', endpoint], { cwd: dir, stdio: 'pipe' })
  cleanups.unshift(() => child.kill('SIGKILL'))
  const [url, progress] = await Promise.all([text(child.stdout), text(child.stderr)])
  expect(progress).toContain('3000000 of 3000000 bytes')
  await expectContent(url.trim(), content)
})

/** Builds examples/browser-upload and serves it. @returns The page's URL. */
async function servePage(): Promise<string> {
  const bundle = await rolldown({ input: example('browser-upload/main.ts'), platform: 'browser' })
  const { output } = await bundle.generate({ format: 'esm' })
  const html = readFileSync(example('browser-upload/index.html'))
  const server = createServer(({ url }, response) => {
    const isScript = url === '/main.js'
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html')
    response.end(isScript ? output[0].code : html)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(
    () => server.close(),
    () => server.closeAllConnections(),
  )
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

test('examples/browser-upload sends a picked file, with a pause', async ({ skip }) => {
  const started = await startBrowser()
  if (started.kind === 'none') return skip(`Chromium does not start here: ${started.reason}`)
  cleanups.unshift(() => started.close())
  const line = await lineTo(`${await startServer()}/files/`)
  const content = randomBytes(5_000_000)
  const page = await started.browser.newPage()
  await page.goto(`${await servePage()}?endpoint=${encodeURIComponent(line.endpoint)}`)
  line.haltAt(1_000_000)
  await page.setInputFiles('input', { name: 'some.bin', mimeType: 'application/zip', buffer: content })
  await line.halted(3)
  await page.getByText('Pause').click()
  await page.getByText('Resume').waitFor()
  line.free()
  await page.getByText('Resume').click()
  const url = await page.getByRole('link', { name: 'some.bin' }).getAttribute('href')
  await expectContent(url ?? '', content)
  const offsets = line.requests('PATCH').map(({ headers }) => headers.get('upload-offset'))
  expect(offsets.slice(-3)).toEqual(['1000000', '1000000', '1000000'])
  expect(await page.getByText('Pause').isDisabled()).toBe(true)
  expect(await page.evaluate("document.querySelector('progress').position")).toBe(1)
})
