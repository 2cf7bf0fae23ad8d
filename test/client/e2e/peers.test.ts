import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { Upload } from '../../../src/client/node.ts'
import type { UploadOptions } from '../../../src/client/options.ts'
import { afterTest } from '../../e2e/support/after-test.ts'
import { contentOf } from '../../e2e/support/content.ts'
import { HttpClient, idOf } from '../../e2e/support/http-client.ts'
import { temporaryDirectory } from '../../e2e/support/temporary-directory.ts'
import { within } from '../../e2e/support/until.ts'
import { misbehavingServer } from '../servers/misbehaving.ts'
import type { Misbehaviour } from '../servers/misbehaving.ts'
import { resumableUploadLike } from '../servers/resumable-upload-like.ts'
import { rustusLike } from '../servers/rustus-like.ts'
import type { Arrived, ScriptedServer } from '../servers/scripted-server.ts'
import { tusdLike } from '../servers/tusd-like.ts'
import { tussiLike } from '../servers/tussi-like.ts'
import type { Fault, SeenRequest } from '../support/proxied-connection.ts'
import { fileOf, HASTY, proxyTo, running, streamOf, transfer } from '../support/transfers.ts'

const KIB = 1024
const MIB = 1024 * KIB
const BYTES = 3 * MIB + 12_345
const content = contentOf(21)
const bytes = content.slice(0, BYTES)

interface Peer {
  /** Where uploads are created. */
  readonly url: string
  readonly stored: (url: string) => Promise<Buffer> | Buffer | undefined
  /** Only of a scripted one. */
  readonly requests: readonly Arrived[]
}

async function scripted(server: Promise<ScriptedServer>): Promise<Peer> {
  const { url, uploads, requests } = await running(server)
  return { url, requests, stored: (one) => uploads.get(new URL(one).pathname)?.bytes }
}

/** @tus/server with its file store; a process, because a body that breaks off makes it throw out of its streams. */
async function tusNode(): Promise<Peer> {
  const directory = await temporaryDirectory()
  const script = fileURLToPath(new URL('../../conformance/peer-server.ts', import.meta.url))
  const child = fork(script, [directory], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const [port] = await once(child, 'message')
  afterTest(async () => {
    const exited = once(child, 'exit')
    child.disconnect()
    await exited
  })
  const url = `http://127.0.0.1:${Number(port)}/files`
  return { url, requests: [], stored: (one) => readFile(join(directory, idOf(one))) }
}

const PEERS: Readonly<Record<string, () => Promise<Peer>>> = {
  tusd: () => scripted(tusdLike()),
  rustus: () => scripted(rustusLike()),
  tussi: () => scripted(tussiLike({ maxBodyBytes: 300 * KIB })),
  'resumable-upload': () => scripted(resumableUploadLike()),
  '@tus/server': tusNode,
}

interface Way {
  readonly way: string
  readonly options: UploadOptions
  readonly isStream?: boolean
}

const WAYS: readonly Way[] = [
  { way: 'plain', options: {} },
  { way: 'in chunks', options: { chunkSizeBytes: 250 * KIB } },
  { way: 'in parts, where it can', options: { parallel: 3 } },
  { way: 'of unknown length', options: {}, isStream: true },
  { way: 'of unknown length in chunks', options: { chunkSizeBytes: 250 * KIB }, isStream: true },
  { way: 'with checksums, where it can', options: { checksum: 'sha256', chunkSizeBytes: 250 * KIB } },
  { way: 'with another checksum', options: { checksum: 'crc32', chunkSizeBytes: 250 * KIB } },
  { way: 'through POST only', options: { methodOverride: true, chunkSizeBytes: 250 * KIB } },
  { way: 'with everything', options: { parallel: 2, checksum: 'sha1', chunkSizeBytes: 100 * KIB } },
]

const noOverride = new Set(['resumable-upload', '@tus/server'])

const MATRIX = Object.keys(PEERS).flatMap((peer) =>
  WAYS.filter(({ options }) => options.methodOverride !== true || !noOverride.has(peer)).map((way) => ({
    peer,
    ...way,
  })),
)

test.each(MATRIX)('$peer: $way', async ({ peer, options, isStream }) => {
  const { url: endpoint, stored } = await PEERS[peer]!()
  const input = isStream === true ? streamOf(bytes) : await fileOf(bytes)
  const done = await transfer(input, { endpoint, metadata: { filename: 'some.bin' }, ...options })
  expect(done.bytes).toBe(BYTES)
  expect((await stored(done.url))?.equals(bytes)).toBe(true)
})

test.each(Object.keys(PEERS))('%s: resumed after cuts, by the same run and by another one', async (peer) => {
  const { url: target, stored } = await PEERS[peer]!()
  let bodies = 0
  const onRequest = ({ hasBody }: SeenRequest, random: () => number): Fault | undefined => {
    if (!hasBody) return undefined
    bodies += 1
    return bodies % 2 === 0
      ? { act: 'cut', of: 'client', afterBytes: Math.floor(random() * 240_000) }
      : undefined
  }
  const proxy = await proxyTo(target, { seed: 2, onRequest })
  const file = await fileOf(bytes)
  const options = { ...HASTY, endpoint: proxy.through(target), chunkSizeBytes: 250 * KIB }
  const { url, isComplete } = await new Upload(file, options).start({ stopAt: MIB })
  expect(isComplete).toBe(false)
  // Somebody who knows its URL only.
  const done = await transfer(file, { uploadUrl: url, chunkSizeBytes: 250 * KIB })
  expect(done.url).toBe(url)
  expect((await stored(url))?.equals(bytes)).toBe(true)
})

test.each([
  ['tusd', 'Upload-Checksum', 0],
  ['rustus', 'Upload-Checksum', 13],
  ['tussi', 'Upload-Checksum', 0],
] as const)('%s: %s is sent %d times', async (peer, name, times) => {
  const { url: endpoint, requests } = await PEERS[peer]!()
  const { warnings } = await transfer(bytes, { endpoint, checksum: 'sha1', chunkSizeBytes: 250 * KIB })
  expect(requests.filter(({ headers }) => name.toLowerCase() in headers)).toHaveLength(times)
  expect(warnings.length > 0).toBe(times === 0)
})

test('a checksum that only a server without it wishes for is an error before any byte, when it is required', async () => {
  const { url: endpoint, requests } = await PEERS['tusd']!()
  for (const required of ['checksum', 'parallel'] as const) {
    const peer = required === 'checksum' ? endpoint : (await PEERS['tussi']!()).url
    const wished = { checksum: 'sha1', parallel: 2, required: [required] } as const
    await expect(transfer(bytes, { endpoint: peer, ...wished })).rejects.toMatchObject({
      name: 'Unsupported',
    })
  }
  expect(requests.map(({ method }) => method)).toEqual(['OPTIONS'])
})

test('rustus that cuts the connection instead of answering 413: requests become small enough', async () => {
  const server = await running(rustusLike({ overLimit: 'cut' }))
  const done = await transfer(await fileOf(bytes), { endpoint: server.url, retryBudgetMs: 2000 })
  expect(server.uploads.get(new URL(done.url).pathname)?.bytes.equals(bytes)).toBe(true)
})

test('a server that keeps nothing of a broken body, on a line that ends every 150 kB', async () => {
  const server = await running(rustusLike())
  const onConnection = () => ({ act: 'cut', of: 'client', afterBytes: 150_000 }) as const
  const proxy = await proxyTo(server.url, { onConnection })
  const endpoint = proxy.through(server.url)
  const done = await transfer(await fileOf(bytes), { endpoint, retryMaxMs: 5, retryBudgetMs: 2000 })
  expect(server.uploads.get(new URL(done.url).pathname)?.bytes.equals(bytes)).toBe(true)
})

test('a bad stretch of the line is forgotten: requests grow again', async () => {
  const server = await running(resumableUploadLike())
  const large = content.slice(0, 16 * MIB)
  let connections = 0
  const onConnection = () => {
    connections += 1
    return connections <= 20 ? ({ act: 'cut', of: 'client', afterBytes: 100_000 } as const) : undefined
  }
  const proxy = await proxyTo(server.url, { onConnection })
  const done = await transfer(await fileOf(large), { endpoint: proxy.through(server.url), retryMaxMs: 5 })
  expect(server.uploads.get(new URL(done.url).pathname)?.bytes.equals(large)).toBe(true)
  expect(server.requests.filter(({ status }) => status === 204).length).toBeLessThan(60)
})

test('rustus answers 417 to a checksum that does not match: the chunk is sent again', async () => {
  const server = await running(rustusLike())
  const onRequest = ({ method, index }: SeenRequest): Fault | undefined =>
    method === 'PATCH' && index % 5 === 4 ? { act: 'corrupt', of: 'client', afterBytes: 1000 } : undefined
  const proxy = await proxyTo(server.url, { onRequest })
  const options = {
    endpoint: proxy.through(server.url),
    checksum: 'sha1',
    chunkSizeBytes: 250 * KIB,
  } as const
  const done = await transfer(await fileOf(bytes), options)
  expect(done.failures).toContain('server 417')
  expect(server.uploads.get(new URL(done.url).pathname)?.bytes.equals(bytes)).toBe(true)
})

test('a server that refuses every checksum it announced gets the bytes without', async () => {
  const server = await running(rustusLike({ refusesChecksums: true }))
  const options = { endpoint: server.url, checksum: 'sha256', chunkSizeBytes: 250 * KIB } as const
  const done = await transfer(bytes, options)
  expect(server.uploads.get(new URL(done.url).pathname)?.bytes.equals(bytes)).toBe(true)
})

test('tussi with its own limit of 10 MiB: 12 MiB go in requests that it takes', async () => {
  const server = await running(tussiLike())
  const large = content.slice(0, 12 * MIB)
  const done = await transfer(large, { endpoint: server.url })
  expect(server.uploads.get(new URL(done.url).pathname)?.bytes.equals(large)).toBe(true)
  const refused = server.requests.filter(({ status }) => status === 413)
  expect(refused.length).toBeLessThanOrEqual(4)
})

test('rustus: 413 teaches a size that is kept', async () => {
  const server = await running(rustusLike())
  await transfer(bytes, { endpoint: server.url })
  const lastRefusal = server.requests.findLastIndex(({ status }) => status === 413)
  expect(server.requests.slice(0, lastRefusal + 1).length).toBeLessThan(12)
  expect(server.requests.at(-1)?.status).toBe(204)
})

test('no peer is asked with a chunked body', async () => {
  for (const peer of ['tussi', 'resumable-upload']) {
    const { url: endpoint, requests } = await PEERS[peer]!()
    await transfer(streamOf(bytes), { endpoint, chunkSizeBytes: 250 * KIB, sizeBytes: BYTES })
    expect(requests.some(({ headers }) => 'transfer-encoding' in headers)).toBe(false)
  }
})

/** What may come of a flaw: success with the right bytes, or one error of this code soon. */
test.each([
  ['stuck-offset', 'protocol'],
  ['offset-ahead', 'protocol'],
  ['takes-half', 'success'],
  ['no-offset', 'protocol'],
  ['no-location', 'protocol'],
  ['html', 'protocol'],
  ['redirect-loop', /^(server|protocol|network)$/],
  ['other-length', 'success'],
  ['swallowed-204', 'success'],
  ['amnesia', 'success'],
  ['never-answers', 'timeout'],
  ['broken-answer', 'success'],
] as const)('a server with the flaw %s: %s', async (flaw: Misbehaviour, outcome) => {
  const server = await running(misbehavingServer(flaw))
  const options = {
    endpoint: server.url,
    retryBudgetMs: 300,
    chunkSizeBytes: 300 * KIB,
    stallTimeoutMs: 200,
    responseTimeoutMs: 100,
  }
  const done = transfer(await fileOf(bytes), options).then(
    ({ url }) => url,
    (error: unknown) => error,
  )
  const result = await within('an end', done, 4000)
  // No hot loop: tus-js-client made hundreds of requests here.
  expect(server.requests.length).toBeLessThan(60)
  if (outcome === 'success') {
    expect(result).toEqual(expect.any(String))
    const upload = server.uploads.get(new URL(String(result)).pathname)
    expect(upload?.bytes.equals(bytes)).toBe(true)
  } else {
    expect(result).toMatchObject({ name: 'TransferError', code: expect.stringMatching(outcome) })
  }
})

test('another length at the server than here: nothing is sent to it', async () => {
  const server = await running(misbehavingServer('other-length'))
  const http = new HttpClient()
  afterTest(() => http.close())
  const url = await http.create(server.url, BYTES)
  await expect(transfer(bytes, { uploadUrl: url })).rejects.toMatchObject({ code: /source|protocol/ })
  expect(server.requests.some(({ method }) => method === 'PATCH')).toBe(false)
})

test('an upload that the server lost is begun anew only if the caller wants it', async () => {
  const server = await running(misbehavingServer('amnesia'))
  const lost: object[] = []
  const options: UploadOptions = {
    endpoint: server.url,
    onUploadLost: (event) => {
      lost.push(event)
      return 'fail'
    },
  }
  await expect(transfer(bytes, options)).rejects.toMatchObject({ code: 'server', status: 404 })
  expect(lost).toHaveLength(1)
  expect(server.requests.filter(({ method }) => method === 'POST')).toHaveLength(1)
})

test('tussi answers 404 for an upload whose last answer was lost: no endless loop, bytes are there once', async () => {
  const server = await running(tussiLike())
  let patches = 0
  const onRequest = ({ method }: SeenRequest): Fault | undefined => {
    if (method !== 'PATCH' || (patches += 1) !== 1) return undefined
    return { act: 'cut', of: 'server', afterBytes: 0 }
  }
  const proxy = await proxyTo(server.url, { onRequest })
  const done = await transfer(bytes, { endpoint: proxy.through(server.url) })
  expect(server.uploads.get(new URL(done.url).pathname)?.bytes.equals(bytes)).toBe(true)
})
