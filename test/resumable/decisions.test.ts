import { readdir, readFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { change, reject } from '../../src/core/ports/hooks.ts'
import type { ResumableOptions, ResumedUpload } from '../../src/node/resumable/index.ts'
import { resumable, resumableListener, resumedUpload } from '../../src/node/resumable/index.ts'
import type { NodeRequest } from '../../src/adapters/node.ts'
import { serveFetch } from '../conformance/serve-fetch.ts'
import { afterTest } from '../e2e/support/after-test.ts'
import { HttpClient } from '../e2e/support/http-client.ts'
import { temporaryDirectory } from '../e2e/support/temporary-directory.ts'
import { handler } from './support/handler.ts'

const FOUR = Buffer.from('four')
const NOTHING = new Uint8Array(0)

interface Own {
  readonly url: string
  readonly client: HttpClient
  /** What the handler was told of each resumed upload. */
  readonly uploads: ResumedUpload[]
}

/** A listener of this test's own, for what forms have no way to ask for. */
async function own(
  options: Partial<ResumableOptions<NodeRequest>>,
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => response.end('ok'),
): Promise<Own> {
  const dir = await temporaryDirectory()
  const uploads: ResumedUpload[] = []
  const served = await resumableListener(
    (request, response) => {
      const upload = resumedUpload(request)
      if (upload !== undefined) uploads.push(upload)
      answer(request, response)
    },
    { dir, path: '/photos', ...options },
  )
  const server = createServer(served)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = new HttpClient()
  afterTest(async () => {
    client.close()
    server.close()
    server.closeAllConnections()
    await served.close(1000)
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/photos`, client, uploads }
}

/** Every field line of an answer to an empty PATCH, two of one name as two. */
function linesOf(
  url: string,
  fields: Readonly<Record<string, string | number>>,
): Promise<[string, string][]> {
  const headers = {
    'Tus-Resumable': '1.0.0',
    'Content-Type': 'application/offset+octet-stream',
    'Content-Length': 0,
    ...fields,
  }
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'PATCH', headers, agent: false }, ({ rawHeaders }) => {
      const names = rawHeaders.filter((_, index) => index % 2 === 0)
      resolve(names.map((name, index) => [name.toLowerCase(), rawHeaders[2 * index + 1] ?? '']))
    })
    sent.on('error', reject).end()
  })
}

test('onRequest sees the request itself, names the owner, and keeps others away', async () => {
  const server = await own({
    onRequest: (context, request) => {
      const user = request.headers.cookie?.split('=')[1]
      if (user === undefined) return reject({ status: 401, body: 'who are you?' })
      context.owner = user
      return undefined
    },
  })
  const { client, url } = server
  const ann = { Cookie: 'user=ann' }
  const unknown = await client.ask({
    method: 'POST',
    url,
    headers: { 'Tus-Resumable': '1.0.0', 'Upload-Length': 4 },
  })
  expect([unknown.status, unknown.body.toString()]).toEqual([401, 'who are you?'])
  const upload = await client.create(url, 4, ann)
  expect((await client.patch(upload, 0, FOUR, { Cookie: 'user=bob' })).status).toBe(404)
  expect((await client.patch(upload, 0, FOUR, ann)).status).toBe(200)
  expect(server.uploads).toMatchObject([{ owner: 'ann' }])
  // A plain request is the handler's to decide.
  expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(200)
})

test('onRequest of a fetch handler sees the Request', async () => {
  const seen: unknown[] = []
  const served = await resumable(() => new Response('ok'), {
    dir: await temporaryDirectory(),
    path: '/photos',
    onRequest: (context, request) => {
      seen.push(request instanceof Request, request.url)
      context.owner = request.headers.get('x-user') ?? undefined
    },
  })
  afterTest(() => served.close(0))
  const answer = await served(
    new Request('https://photos.example/photos?x=1', {
      method: 'POST',
      headers: { 'Tus-Resumable': '1.0.0', 'Upload-Length': '4', 'X-User': 'ann' },
    }),
  )
  expect([answer.status, ...seen]).toEqual([201, true, 'https://photos.example/photos?x=1'])
})

test('onCreate may refuse, and tell the handler something', async () => {
  const server = await own({
    onCreate: ({ upload }) => {
      if (upload.metadata['filetype'] === 'text/html') return reject({ status: 415, body: 'no pages' })
      return change({ serverMetadata: { album: 3 }, owner: 'ann' })
    },
  })
  const { client, url } = server
  const refused = await client.ask({
    method: 'POST',
    url,
    headers: {
      'Tus-Resumable': '1.0.0',
      'Upload-Length': 4,
      'Upload-Metadata': `filetype ${Buffer.from('text/html').toString('base64')}`,
    },
  })
  expect([refused.status, refused.body.toString()]).toEqual([415, 'no pages'])
  await client.patch(await client.create(url, 4), 0, FOUR)
  expect(server.uploads).toMatchObject([{ serverMetadata: { album: 3 }, owner: 'ann' }])
  expect(Object.keys(server.uploads[0]?.serverMetadata ?? {})).toEqual(['album'])
})

test('limits hold before a byte is sent', async () => {
  const { client, url } = await own({ maxSizeBytes: 10 })
  const answer = await client.ask({
    method: 'POST',
    url,
    headers: { 'Tus-Resumable': '1.0.0', 'Upload-Length': 11 },
  })
  expect(answer.status).toBe(413)
  expect((await fetch(url, { method: 'POST', body: 'more than ten bytes' })).status).toBe(200)
})

test('neither cookies nor credentials reach the disk', async () => {
  const server = await handler(() => ({ status: 500, headers: { 'set-cookie': 'a=answer-secret' } }), {
    keepHeaders: ['X-Album'],
  })
  const headers = {
    Cookie: 'session=cookie-secret',
    Authorization: 'Bearer bearer-secret',
    'Proxy-Authorization': 'Basic proxy-secret',
    'X-Api-Key': 'key-secret',
    'X-Album': 'kept-album',
  }
  const upload = await server.client.create(server.url, 4, headers)
  expect((await server.client.patch(upload, 0, FOUR, headers)).status).toBe(500)
  expect(server.met[0]?.headers).toMatchObject({ 'x-album': 'kept-album' })
  await server.close()
  const files = await readdir(server.dir, { recursive: true, withFileTypes: true })
  const plain = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name))
  const all = Buffer.concat(await Promise.all(plain.map((path) => readFile(path)))).toString('latin1')
  expect(all).toContain('kept-album')
  expect(all).not.toContain('secret')
})

test('fields of one connection or one moment, and cookies, are not replayed', async () => {
  const server = await own({}, (_, response) => {
    response.writeHead(201, {
      'Set-Cookie': 'session=1',
      'Access-Control-Allow-Origin': 'https://handler.example',
      Date: 'Thu, 01 Jan 1970 00:00:00 GMT',
      'Upload-Offset': '1',
      'Tus-Resumable': '9.9.9',
      ETag: '"17"',
    })
    response.end('made')
  })
  const { client, url } = server
  const upload = await client.create(url, 4)
  await client.patch(upload, 0, FOUR)
  const lines = await linesOf(upload, { 'Upload-Offset': 4, Origin: 'https://page.example' })
  const valuesOf = (wanted: string): string[] =>
    lines.flatMap(([name, value]) => (name === wanted ? [value] : []))
  expect(valuesOf('access-control-allow-origin')).toEqual(['*'])
  expect(valuesOf('upload-offset')).toEqual(['4'])
  expect(valuesOf('tus-resumable')).toEqual(['1.0.0'])
  expect(valuesOf('etag')).toEqual(['"17"'])
  expect(valuesOf('set-cookie')).toEqual([])
  expect(valuesOf('date')).not.toContain('Thu, 01 Jan 1970 00:00:00 GMT')
  expect(valuesOf('date')).toHaveLength(1)
})

const PREFLIGHT = {
  Origin: 'https://page.example',
  'Access-Control-Request-Method': 'POST',
  'Access-Control-Request-Headers': 'content-type, x-tus-resumable',
}
const FOR_TUS = { ...PREFLIGHT, 'Access-Control-Request-Headers': 'content-type, Tus-Resumable' }

test.each([
  ['a preflight of tus', {}, FOR_TUS, 204],
  ['a preflight of a plain request', {}, PREFLIGHT, 200],
  ['a preflight of tus, where the app has rules of its own', { cors: false as const }, FOR_TUS, 200],
  ['a question about the server', {}, {}, 204],
])('OPTIONS: %s', async (_name, options, headers, status) => {
  const { client, url } = await own(options)
  const answer = await client.ask({ method: 'OPTIONS', url, headers })
  expect(answer.status).toBe(status)
  if (status === 204) expect(answer.headers['tus-extension']).toContain('concatenation')
})

test('an upload is looked at without the field of tus, and its bytes are nobody’s', async () => {
  const { client, url } = await own({})
  const upload = await client.create(url, 4)
  const head = await client.ask({ method: 'HEAD', url: upload })
  expect([head.status, head.headers['upload-offset']]).toEqual([200, '0'])
  expect((await client.get(upload)).status).toBe(405)
  expect((await client.remove(upload)).status).toBe(204)
  expect((await client.ask({ method: 'HEAD', url: upload })).status).toBe(410)
})

test('Location is the handler’s, except where the protocol needs it', async () => {
  const { client, url } = await own({}, (_, response) =>
    response.writeHead(201, { Location: '/photos/17' }).end(),
  )
  const upload = await client.create(url, 4)
  const { headers } = await client.patch(upload, 0, FOUR)
  expect([headers.location, headers['content-location']]).toEqual(['/photos/17', undefined])
  expect(await client.createWith(url, FOUR)).not.toContain('/photos/17')
})

test('PUT, where that is the method of the handler', async () => {
  const methods: (string | undefined)[] = []
  const { client, url } = await own({ method: 'PUT' }, (request, response) => {
    methods.push(request.method)
    response.end()
  })
  await client.patch(await client.create(url, 4), 0, FOUR)
  await fetch(url, { method: 'PUT', body: 'x' })
  expect(methods).toEqual(['PUT', 'PUT'])
})

test('two routes in one app', async () => {
  const met: string[] = []
  const dir = await temporaryDirectory()
  const open = (path: string): ReturnType<typeof resumable> =>
    resumable(
      (request) => {
        met.push(`${path} ${new URL(request.url).pathname}`)
        return new Response(path)
      },
      { dir: join(dir, path), path },
    )
  const [photos, films] = await Promise.all([open('/photos'), open('/api/films')])
  const server = serveFetch(async (request) =>
    new URL(request.url).pathname.startsWith('/photos') ? photos(request) : films(request),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = new HttpClient()
  afterTest(async () => {
    client.close()
    server.close()
    server.closeAllConnections()
    await Promise.all([photos.close(1000), films.close(1000)])
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  for (const path of ['/photos', '/api/films']) {
    const upload = await client.create(`${origin}${path}`, 4)
    const done = await client.patch(upload, 0, FOUR)
    expect(done.body.toString()).toBe(path)
    expect((await client.patch(upload, 4, NOTHING)).body.toString()).toBe(path)
  }
  expect(met).toEqual(['/photos /photos', '/api/films /api/films'])
})
