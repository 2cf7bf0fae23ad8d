import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { HookRequest } from '../hooks/tusd-hook-server.ts'
import { faults, GrpcHookServer, HttpHookServer } from '../hooks/tusd-hook-server.ts'
import { afterTest } from './support/after-test.ts'
import { contentOf, seededRandom } from './support/content.ts'
import { HttpClient, idOf } from './support/http-client.ts'
import { ServerProcess } from './support/server-process.ts'
import { temporaryDirectory } from './support/temporary-directory.ts'
import { until } from './support/until.ts'

const ALL =
  'pre-create,post-create,post-receive,pre-finish,post-finish,pre-terminate,post-terminate,post-progress'
const EVERYTHING = ['--hooks-enabled-events', ALL, '--hooks-http-backoff', '20ms']

async function hookServer(application?: (request: HookRequest) => object): Promise<HttpHookServer> {
  const server = await HttpHookServer.start(application)
  afterTest(() => server.stop())
  return server
}

function client(): HttpClient {
  const one = new HttpClient()
  afterTest(() => one.close())
  return one
}

const bytes = (size: number): Buffer => contentOf(1).slice(0, size)

test('a tusd hook server decides and hears, over HTTP and gRPC at once', async () => {
  const application = ({ Type, Event }: HookRequest): object => {
    if (Type === 'pre-create' && Event.Upload.MetaData['filename'] === undefined)
      return { RejectUpload: true, HTTPResponse: { StatusCode: 422, Body: 'no filename provided' } }
    if (Type === 'pre-create') return { ChangeFileInfo: { MetaData: { filename: 'renamed', by: 'hook' } } }
    if (Type === 'pre-finish')
      return { HTTPResponse: { StatusCode: 200, Body: 'all is well', Header: { 'X-Job': '7' } } }
    if (Type === 'pre-terminate' && Event.Upload.Offset === 0) return { RejectTermination: true }
    return {}
  }
  const http = await hookServer(application)
  const grpc = await GrpcHookServer.start()
  afterTest(() => grpc.stop())
  const dir = await temporaryDirectory()
  const args = ['--hooks-http', http.url, '--hooks-grpc', grpc.address, ...EVERYTHING]
  const server = await ServerProcess.start({ dir, args })
  const one = client()

  const headers = { 'Tus-Resumable': '1.0.0', 'Upload-Length': '5', 'Content-Length': '0' }
  const refused = await one.ask({ method: 'POST', url: server.url, headers })
  expect([refused.status, refused.body.toString()]).toEqual([422, 'no filename provided'])

  const url = await one.create(server.url, 100_000, { 'Upload-Metadata': 'filename YQ==' })
  const head = await one.head(url)
  expect(head.headers['upload-metadata']).toBe('filename cmVuYW1lZA==,by aG9vaw==')
  expect((await one.remove(url)).status).toBe(400)

  const answer = await one.patch(url, 0, bytes(100_000))
  expect([answer.status, answer.body.toString(), answer.headers['x-job']]).toEqual([200, 'all is well', '7'])
  expect((await one.remove(url)).status).toBe(204)
  const id = idOf(url)
  const told = ['post-create', 'post-finish', 'post-terminate'].map((type) => `${type} ${id}`)
  const isTold = (events: readonly string[]): boolean =>
    JSON.stringify(events.filter((event) => told.includes(event))) === JSON.stringify(told)
  await until('both have heard everything, in order', () => isTold(http.events) && isTold(grpc.events))
  expect(await server.end('SIGTERM')).toBe(0)
  expect(server.output).not.toContain('"level":50')
})

test('the event of a finished upload names its file, which is there', async () => {
  const paths: string[] = []
  const http = await hookServer(({ Type, Event }) => {
    if (Type === 'post-finish') paths.push(String((Event.Upload.Storage as { Path?: string } | null)?.Path))
    return {}
  })
  const dir = await temporaryDirectory()
  const server = await ServerProcess.start({ dir, args: ['--hooks-http', http.url] })
  const one = client()
  for (const size of [10, 300_000]) {
    const url = await one.create(server.url, size)
    await one.patch(url, 0, bytes(size))
    await until('it was told', () => paths.length === 1)
    expect(await readFile(paths.pop() ?? '')).toEqual(bytes(size))
  }
})

test('executable files are hooks', async () => {
  const dir = await temporaryDirectory()
  const hooks = join(dir, 'hooks')
  await mkdir(hooks)
  const script = async (name: string, text: string): Promise<void> => {
    await writeFile(join(hooks, name), `#!/bin/sh\n${text}\n`)
    await chmod(join(hooks, name), 0o755)
  }
  await script('pre-create', `[ "$TUS_SIZE" -le 1000 ] || echo '{"RejectUpload":true}'`)
  await script('post-finish', `echo "$TUS_ID $TUS_OFFSET" >> ${join(dir, 'finished')}`)
  const server = await ServerProcess.start({ dir: join(dir, 'uploads'), args: ['--hooks-dir', hooks] })
  const one = client()
  await expect(one.create(server.url, 1001)).rejects.toThrow('400')
  const url = await one.create(server.url, 1000)
  await one.patch(url, 0, bytes(1000))
  const heard = async (): Promise<string> => readFile(join(dir, 'finished'), 'utf8').catch(() => '')
  await until('the file was run', async () => (await heard()) === `${idOf(url)} 1000\n`)
})

test('the stream of events is for whoever has the token, and is not there without one', async () => {
  const plain = await ServerProcess.start({ dir: await temporaryDirectory() })
  expect((await fetch(new URL('/events', plain.url))).status).toBe(404)
  const args = ['--events-token', 'secret', '--events-path', '/told']
  const server = await ServerProcess.start({ dir: await temporaryDirectory(), args })
  const stream = new URL('/told', server.url)
  expect((await fetch(stream)).status).toBe(401)
  const leaving = new AbortController()
  const heard = await fetch(stream, {
    headers: { Authorization: 'Bearer secret' },
    signal: leaving.signal,
  })
  const one = client()
  const url = await one.createWith(server.url, bytes(10))
  let text = ''
  for await (const chunk of heard.body ?? []) {
    text += Buffer.from(chunk).toString()
    if (text.includes('event: post-finish')) break
  }
  leaving.abort()
  expect(text).toContain(`"id":"${idOf(url)}"`)
  expect(text.indexOf('event: post-create')).toBeLessThan(text.indexOf('event: post-finish'))
})

test('a hook that cannot be asked refuses, or accepts where that is wished', async () => {
  const http = await hookServer()
  await http.stop()
  const one = client()
  const args = ['--hooks-http', http.url, '--hooks-http-retry', '0']
  const strict = await ServerProcess.start({ dir: await temporaryDirectory(), args })
  await expect(one.create(strict.url, 10)).rejects.toThrow('500')
  const relaxed = await ServerProcess.start({
    dir: await temporaryDirectory(),
    args: [...args, '--hooks-failure', 'accept'],
  })
  expect(await one.create(relaxed.url, 10)).toContain(relaxed.url)
})

/** Each step between the last byte and the delivered event at which the process can die. */
test('a kill at each step loses no event and no decision', async () => {
  const dir = await temporaryDirectory()
  const http = await hookServer()
  const args = ['--hooks-http', http.url, ...EVERYTHING]
  let server = await ServerProcess.start({ dir, args })
  const attempts = (type: string, id: string): unknown[] =>
    http.received
      .filter(({ Type, Event }) => Type === type && Event.Upload.ID === id)
      .map(({ Carryon }) => Carryon?.['Attempt'])
  const restart = async (): Promise<void> => {
    await server.end('SIGKILL')
    http.fault = undefined
    await http.start()
    server = await ServerProcess.start({ dir, args })
  }

  // The handler is being asked: it is asked again.
  const one = client()
  const asked = idOf(await one.create(server.url, 10))
  await until('its creation is told', () => attempts('post-create', asked).length > 0)
  http.fault = faults.silence
  void one.patch(`${server.url}${asked}`, 0, bytes(10)).catch(() => undefined)
  await until('pre-finish is asked', () => attempts('pre-finish', asked).length > 0)
  await restart()
  await until('it is asked again', () => attempts('pre-finish', asked).includes(2))
  await until('and it is told', () => attempts('post-finish', asked).length > 0)

  // The event is written, and nobody could hear it.
  const unheard = idOf(await one.create(server.url, 10))
  await until('its creation is told', () => attempts('post-create', unheard).length > 0)
  await one.patch(`${server.url}${unheard}`, 0, bytes(10))
  await http.stop()
  const late = idOf(await one.create(server.url, 10).catch(() => 'none'))
  expect(late).toBe('none')
  await restart()
  // It may have been taken already: then the lease of the dead process has to pass first.
  await until('it is told', () => attempts('post-finish', unheard).length > 0, 20_000)

  // The event has been heard, but its answer has not been: it comes again under the same id.
  const doubtful = idOf(await one.create(server.url, 10))
  await until('its creation is told', () => attempts('post-create', doubtful).length > 0)
  http.application = ({ Type, Event }) => {
    if (Type === 'post-finish' && Event.Upload.ID === doubtful) http.fault = faults.silence
    return {}
  }
  http.faults.push((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    http.fault = faults.silence
  })
  await one.patch(`${server.url}${doubtful}`, 0, bytes(10))
  await until('it was heard', () => attempts('post-finish', doubtful).length > 0)
  http.application = () => ({})
  await restart()
  await until('it is told again', () => attempts('post-finish', doubtful).length > 1, 20_000)
  const ids = http.received
    .filter(({ Type, Event }) => Type === 'post-finish' && Event.Upload.ID === doubtful)
    .map(({ headers }) => headers['idempotency-key'])
  expect(new Set(ids).size).toBe(1)
}, 90_000)

const SEED = Number(process.env['CARRYON_TEST_SEED'] ?? Date.now() % 1_000_000)

test(`under load and SIGKILL every upload that was acknowledged is told, in order (seed ${SEED})`, async () => {
  const dir = await temporaryDirectory()
  const random = seededRandom(SEED)
  const http = await hookServer()
  const args = ['--hooks-http', http.url, '--hooks-http-backoff', '20ms', '--hooks-http-retry', '1']
  const complete = new Set<string>()
  const isEnough = (): boolean => complete.size > 60
  for (let round = 0; round < 8 || !isEnough(); round += 1) {
    const server = await ServerProcess.start({ dir, args })
    const one = new HttpClient()
    const load = { isOver: false }
    const upload = async (): Promise<void> => {
      while (!load.isOver) {
        const size = 1 + Math.floor(random() * 100_000)
        try {
          const url = await one.create(server.url, size)
          const answer = await one.patch(url, 0, bytes(size))
          if (answer.status === 204) complete.add(idOf(url))
        } catch {
          // The hook failed on purpose, or the server is dead.
        }
        if (random() < 0.2) http.faults.push(random() < 0.5 ? faults.reset : faults.status(503))
      }
    }
    const clients = [upload(), upload(), upload(), upload()]
    await delay(150 + 350 * random())
    load.isOver = true
    await server.end('SIGKILL')
    await Promise.all(clients)
    one.close()
  }
  http.faults.length = 0
  await ServerProcess.start({ dir, args })
  const told = (): Map<string, string[]> => {
    const types = new Map<string, string[]>()
    for (const { Type, Event } of http.received) {
      const known = types.get(Event.Upload.ID) ?? []
      if (!known.includes(Type)) types.set(Event.Upload.ID, [...known, Type])
    }
    return types
  }
  const missing = (): string[] => {
    const types = told()
    return [...complete].filter((id) => types.get(id)?.includes('post-finish') !== true)
  }
  await until('all is told', () => missing().length === 0, 60_000).catch(() => undefined)
  expect(missing()).toEqual([])
  const types = told()
  for (const id of complete) {
    expect(types.get(id)?.filter((type) => type !== 'post-receive')).toEqual(['post-create', 'post-finish'])
  }
}, 120_000)

test.each([
  [['--hooks-http', 'ftp://host/'], /--hooks-http must be an http or https URL/],
  [['--hooks-grpc', 'nowhere'], /--hooks-grpc must be a host and a port/],
  [['--hooks-http', 'http://localhost/', '--hooks-enabled-events', 'post-lunch'], /--hooks-enabled-events/],
  [['--hooks-http', 'http://localhost/', '--hooks-failure', 'ignore'], /refuse or accept/],
])('%j is refused in one line', async (args, message) => {
  await expect(ServerProcess.start({ dir: await temporaryDirectory(), args })).rejects.toThrow(message)
})
