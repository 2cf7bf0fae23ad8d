import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Upload } from 'tus-js-client'
import { afterAll, expect, test } from 'vitest'
import type { FetchHandler } from '../../src/adapters/fetch.ts'
import type { NodeListener } from '../../src/adapters/node.ts'
import { serveFetch } from '../conformance/serve-fetch.ts'
import { listening } from '../adapters/support/stage.ts'
import { afterTest } from '../e2e/support/after-test.ts'
import { temporaryDirectory } from '../e2e/support/temporary-directory.ts'
import { within } from '../e2e/support/until.ts'

const example = (path: string): string => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url))

async function freePort(): Promise<number> {
  const running = await listening(createServer())
  await running.stop()
  return Number(new URL(running.origin).port)
}

interface Started {
  readonly origin: string
  /** What it has written to its standard error. */
  readonly errors: () => string
}

/** Starts an example as the process that it is. */
async function start(name: string): Promise<Started> {
  const port = await freePort()
  const uploads = await temporaryDirectory()
  const child = spawn(process.execPath, ['--import', 'tsx', example(`${name}/main.ts`)], {
    env: { ...process.env, PORT: String(port), UPLOADS: uploads },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  afterTest(() => (child.kill('SIGKILL'), ended))
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  const ready = new Promise((resolve, reject) => {
    child.stdout.once('data', resolve)
    child.once('exit', (code) => reject(new Error(`the example ended with ${code}: ${errors}`)))
  })
  await within(`examples/${name} is ready`, ready, 15_000)
  return { origin: `http://127.0.0.1:${port}`, errors: () => errors }
}

/** Uploads 5 MiB with tus-js-client in two requests and compares what comes back. */
async function uploadAndCompare(endpoint: string): Promise<void> {
  const content = randomBytes(5 * 1024 * 1024)
  const url = await new Promise<string>((resolve, reject) => {
    const upload = new Upload(content, {
      endpoint,
      chunkSize: 3 * 1024 * 1024,
      retryDelays: [],
      onError: reject,
      onSuccess: () => resolve(upload.url ?? ''),
    })
    upload.start()
  })
  const answer = await fetch(url)
  expect(answer.status).toBe(200)
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(sha256(content))
}

test.each(['express', 'fastify', 'koa', 'hono', 'h3'])(
  'examples/%s takes an upload, and is the app that it was',
  async (name) => {
    const { origin, errors } = await start(name)
    await uploadAndCompare(`${origin}/files/`)
    expect(await (await fetch(`${origin}/`)).text()).toBe('the rest of the app\n')
    expect(errors()).toBe('')
  },
)

// One for all that are loaded into this process: `openOnce` opens it once.
const dir = mkdtempSync(join(tmpdir(), 'carryon-example-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Loads a module of an example that belongs into an app of a framework that is too large for this test. */
async function load<Module>(path: string): Promise<Module> {
  process.env['UPLOADS'] = dir
  return (await import(example(path))) as Module
}

async function serve(handle: FetchHandler): Promise<string> {
  const running = await listening(serveFetch(handle))
  afterTest(() => running.stop())
  return running.origin
}

async function listen(listener: NodeListener): Promise<string> {
  const running = await listening(createServer(listener))
  afterTest(() => running.stop())
  return running.origin
}

test('examples/elysia takes an upload by app.handle, without Bun', async () => {
  const { handle } = await load<{ readonly handle: FetchHandler }>('elysia/main.ts')
  const origin = await serve(handle)
  await uploadAndCompare(`${origin}/files/`)
  expect(await (await fetch(`${origin}/`)).text()).toBe('the rest of the app\n')
})

type Method = 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'DELETE' | 'OPTIONS'

test('examples/next takes an upload by its route handlers as FUNCTIONS, without Next', async () => {
  const route = await load<Readonly<Record<Method, (request: Request) => Promise<Response>>>>(
    'next/app/files/[[...id]]/route.ts',
  )
  const origin = await serve((request) => route[request.method as Method](request))
  await uploadAndCompare(`${origin}/files`)
})

test('examples/next takes an upload by its API handler as a FUNCTION, without Next', async () => {
  const page = await load<{ readonly config: unknown; readonly default: NodeListener }>(
    'next/pages/api/files/[[...id]].ts',
  )
  expect(page.config).toMatchObject({ api: { bodyParser: false } })
  await uploadAndCompare(`${await listen(page.default)}/api/files`)
})

test('examples/nuxt takes an upload by its middleware as a FUNCTION, without Nuxt', async () => {
  const middleware = await load<{ readonly default: (event: unknown) => Promise<unknown> }>(
    'nuxt/server/middleware/uploads.ts',
  )
  const origin = await listen((req, res) => void middleware.default({ node: { req, res } }))
  await uploadAndCompare(`${origin}/files/`)
})

interface KitInput {
  readonly event: { readonly request: Request; getClientAddress(): string }
  resolve(): Response
}

test('examples/sveltekit takes an upload by its hook as a FUNCTION, without SvelteKit', async () => {
  const hooks = await load<{ readonly handle: (input: KitInput) => Promise<Response> }>(
    'sveltekit/src/hooks.server.ts',
  )
  const resolve = (): Response => new Response('the rest of the app\n')
  const origin = await serve((request) =>
    hooks.handle({ event: { request, getClientAddress: () => '127.0.0.1' }, resolve }),
  )
  await uploadAndCompare(`${origin}/files/`)
  expect(await (await fetch(`${origin}/`)).text()).toBe('the rest of the app\n')
})

test('examples/decisions knows its users and answers the last request itself', async () => {
  const { origin } = await start('decisions')
  const tus = { 'Tus-Resumable': '1.0.0', 'Upload-Length': '10' }
  const ann = { ...tus, Authorization: 'Bearer secret' }
  const create = (headers: Record<string, string>): Promise<Response> =>
    fetch(`${origin}/files/`, { method: 'POST', headers })
  expect((await create(tus)).status).toBe(401)
  const nameless = await create(ann)
  expect([nameless.status, await nameless.text()]).toEqual([422, 'a file has a name'])
  const url = (await create({ ...ann, 'Upload-Metadata': 'filename YQ==' })).headers.get('location') ?? ''
  const type = { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '0' }
  const body = new Uint8Array(10)
  expect((await fetch(url, { method: 'PATCH', headers: { ...tus, ...type }, body })).status).toBe(401)
  const answer = await fetch(url, { method: 'PATCH', headers: { ...ann, ...type }, body })
  const told = (await answer.json()) as { owner: string; file: string }
  expect(told.owner).toBe('ann')
  expect(await readFile(told.file)).toEqual(Buffer.alloc(10))
})
