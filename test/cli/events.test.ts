import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type * as hooks from '../../src/hooks/index.ts'
import type * as preset from '../../src/node/index.ts'
import { until } from '../e2e/support/until.ts'
import { jsonLines, run, stopAll } from './command.ts'
import type { StagedPackage } from './staged-package.ts'
import { stagePackage, temporaryDirectory } from './staged-package.ts'

let carryon: StagedPackage
let dir: string
let uploads: preset.Uploads
/** What the application was told: it takes nothing while it is down. */
let heard: string[]
let isUp: boolean

beforeAll(() => {
  carryon = stagePackage()
})
beforeEach(async () => {
  dir = temporaryDirectory()
  heard = []
  isUp = false
  const load = (path: string): Promise<unknown> => import(pathToFileURL(join(carryon.dir, path)).href)
  const { openUploads } = (await load('dist/node/index.js')) as typeof preset
  const { listenerTransport, HookError } = (await load('dist/hooks/index.js')) as typeof hooks
  const transport = listenerTransport(({ type, event }) => {
    if (!isUp) throw new HookError('unreachable', 'the application is down', { retry: 'later' })
    heard.push(`${type} ${event.Upload.ID}`)
  })
  const remote = { transports: [transport], types: ['post-create', 'post-finish'], maxAttempts: 1 } as const
  uploads = await openUploads({ dir, reap: false, remote })
})
afterEach(async () => {
  await stopAll()
  await uploads.close()
  rmSync(dir, { recursive: true, force: true })
})
afterAll(() => carryon.remove())

/** @returns The id of a complete upload. */
async function upload(): Promise<string> {
  const headers = {
    'Tus-Resumable': '1.0.0',
    'Upload-Length': '10',
    'Content-Type': 'application/offset+octet-stream',
  }
  const creation = new Request('http://localhost/files/', {
    method: 'POST',
    headers,
    body: new Uint8Array(10),
  })
  const answer = await uploads.fetch(creation)
  expect(answer?.status).toBe(201)
  return answer?.headers.get('Location')?.split('/').at(-1) ?? ''
}

const events = (...args: readonly string[]) => run(carryon.bin, ['events', ...args, '--dir', dir])

test('what was given up is listed with its reason, brought back, and delivered in order', async () => {
  const id = await upload()
  const listed = async (): Promise<readonly Record<string, unknown>[]> =>
    jsonLines((await events('list', '--dead', '--json')).stdout)
  await until('both are given up', async () => (await listed()).length === 2, 20_000)
  const [created, finished] = await listed()
  expect(created).toMatchObject({ type: 'post-create', uploadId: id, id: `${id}.post-create`, attempts: 1 })
  expect(finished).toMatchObject({ type: 'post-finish', isDead: true })
  expect(String(created?.['lastError'])).toContain('the application is down')
  const text = await events('list')
  expect(text.stdout).toMatch(/ post-create .* given up after 1 attempt: /)
  expect(text.stdout.split('\n')).toHaveLength(3)

  isUp = true
  expect(await events('replay', '--all')).toMatchObject({ code: 0, stdout: 'brought back 2 events\n' })
  await until('both are told', () => heard.length === 2, 20_000)
  expect(heard).toEqual([`post-create ${id}`, `post-finish ${id}`])
  const after = await events('list')
  expect(after).toMatchObject({ code: 0, stdout: '', stderr: 'no events wait\n' })
})

test('one event is brought back by its number, and a wrong number says so', async () => {
  await upload()
  await until(
    'both are given up',
    async () => jsonLines((await events('list', '--dead', '--json')).stdout).length === 2,
    20_000,
  )
  const [first] = jsonLines((await events('list', '--json')).stdout)
  isUp = true
  const replayed = await events('replay', String(first?.['sequence']), '999999')
  expect(replayed).toMatchObject({ code: 1, stdout: 'brought back 1 event\n' })
  expect(replayed.stderr).toContain('no event that was given up')
  await until('it is told', () => heard.length === 1)
})

test.each([
  [['lists'], 'the action must be list or replay'],
  [['replay'], 'replay needs the numbers of events, or --all'],
  [['replay', '12abc'], 'an event has a whole number'],
  [['list', '7'], 'list takes no numbers'],
  [['list', '--upload', '../etc'], 'is the id of no upload'],
])('%j is refused in one line', async (args, message) => {
  const { code, stdout, stderr } = await events(...args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain(message)
  expect(stderr.trim().split('\n')).toHaveLength(1)
})

test('a directory without uploads is told, and none is made', async () => {
  const { code, stderr } = await run(carryon.bin, ['events', 'list', '--dir', join(dir, 'nowhere')])
  expect(code).toBe(1)
  expect(stderr).toContain('there are no uploads in')
})
