import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
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

test('examples/node-http takes an upload and leaves other paths to the app', async () => {
  const port = await freePort()
  const main = fileURLToPath(new URL('../../examples/node-http/main.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', main], {
    env: { ...process.env, PORT: String(port), UPLOADS: temporaryDirectory() },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  cleanups.unshift(() => child.kill('SIGKILL'))
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve)
    child.once('exit', (code) => reject(new Error(`the example ended with ${code}`)))
  })
  await uploadAndCompare(`http://127.0.0.1:${port}/files/`, fetch)
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('the rest of the app\n')
})

test('examples/fetch-handler takes an upload and leaves other paths to the app', async () => {
  process.env['UPLOADS'] = temporaryDirectory()
  const { fetch: handle } = (await import('../../examples/fetch-handler/main.ts')) as {
    readonly fetch: (request: Request) => Promise<Response>
  }
  await uploadAndCompare('http://127.0.0.1/files/', (input, init) => handle(new Request(input, init)))
  expect(await (await handle(new Request('http://127.0.0.1/'))).text()).toBe('the rest of the app\n')
})
