import { expect, test } from 'vitest'
import { SourceChanged, TransferError } from '../../../src/client/errors.ts'
import { RunMemory } from '../../../src/cli/upload/run-memory.ts'
import { memoryUrlStorage } from '../../../src/client/url-storage/memory.ts'
import { Board } from '../../../src/cli/upload/board.ts'
import type { Display } from '../../../src/cli/upload/display.ts'
import type { Found } from '../../../src/cli/upload/find-files.ts'
import { runJob } from '../../../src/cli/upload/job.ts'
import type { JobTools, Outcome } from '../../../src/cli/upload/job.ts'
import { uploadSchema } from '../../../src/cli/upload/settings.ts'
import { FakeClock, quiet } from '../../support/fake-clock.ts'
import type { FakeTransfer } from './fake-transfer.ts'
import { fakeTransfers } from './fake-transfer.ts'

const FILE: Extract<Found, { kind: 'file' }> = {
  kind: 'file',
  name: 'a.bin',
  path: '/data/a.bin',
  sizeBytes: 100,
  relativePath: 'data/a.bin',
}
const STDIN: Found = { kind: 'stream', name: 'standard input', path: '-' }
const URL = 'http://host/files/1'

interface Scene {
  readonly transfer: FakeTransfer
  readonly outcome: Promise<Outcome>
  /** What the display was told. */
  readonly told: readonly unknown[][]
  readonly board: Board
  readonly clock: FakeClock
  readonly stop: AbortController
}

function scene(item: Found, settings: Record<string, string> = {}, tools: Partial<JobTools> = {}): Scene {
  const { made, open } = fakeTransfers()
  const told: unknown[][] = []
  const display = new Proxy({} as Display, {
    get:
      (_target, name) =>
      (...given: unknown[]) =>
        void told.push([name, ...given]),
  })
  const clock = new FakeClock()
  const board = new Board(clock, [100])
  const stop = new AbortController()
  const outcome = runJob(item, {
    config: uploadSchema.parse(settings),
    endpoint: 'http://host/files/',
    request: { stallTimeoutMs: 5 },
    memory: new RunMemory(memoryUrlStorage()),
    openTransfer: open,
    stdin: (async function* () {})(),
    board,
    display,
    stop: stop.signal,
    check: () => Promise.resolve(),
    debug: () => undefined,
    ...tools,
  })
  return { transfer: made[0]!, outcome, told, board, clock, stop }
}

const toldNames = ({ told }: Scene): unknown[] => told.map(([name]) => name)

test('a file goes out with its relative path and what was wished, and is told as complete', async () => {
  const one = scene(FILE, { metadata: 'k=v', chunkSize: '8MiB', checksum: 'sha1', deferLength: 'true' })
  expect(one.transfer.input).toBe('/data/a.bin')
  expect(one.transfer.options).toMatchObject({
    endpoint: 'http://host/files/',
    metadata: { relativePath: 'data/a.bin', k: 'v' },
    chunkSizeBytes: 8 * 2 ** 20,
    checksum: 'sha1',
    deferLength: true,
    stallTimeoutMs: 5,
    urlStorage: expect.objectContaining({ find: expect.anything() }),
  })
  one.transfer.progress(50, 20, 100)
  expect([...one.board.active]).toMatchObject([{ sentBytes: 50, acceptedBytes: 20, totalBytes: 100 }])
  await one.clock.advance(2000)
  one.transfer.complete(URL, 100)
  expect(await one.outcome).toEqual({ kind: 'complete', bytes: 100 })
  expect(one.told.at(-1)).toMatchObject(['complete', { name: 'a.bin' }, { url: URL, bytes: 100, seconds: 2 }])
  expect(one.board.active.size).toBe(0)
})

test.each([
  ['1', 10 * 2 ** 20, 1],
  ['auto', 10 * 2 ** 20, 1],
  ['auto', 200 * 2 ** 20, 3],
  ['auto', 5 * 2 ** 30, 4],
  ['7', 10, 7],
])('--parallel %s makes of %i bytes %i parts', async (parallel, sizeBytes, parts) => {
  const one = scene({ ...FILE, sizeBytes }, { parallel })
  expect(one.transfer.options.parallel).toBe(parts)
  one.transfer.complete(URL, sizeBytes)
  await one.outcome
})

test('a stream is not remembered: no later run could find it again', async () => {
  const one = scene(STDIN, { length: '5' })
  expect(one.transfer.options).toMatchObject({ urlStorage: false, sizeBytes: 5 })
  one.transfer.complete(URL, 5)
  await one.outcome
})

test('a failure is told with its code and where the beginning is', async () => {
  const one = scene(FILE)
  one.transfer.emit('url', { url: URL })
  one.transfer.progress(50, 20, 100)
  one.transfer.fail(
    new TransferError('server', 'PATCH answered 403', { status: 403, hint: 'Check the credentials.' }),
  )
  expect(await one.outcome).toEqual({ kind: 'failed', exitCode: 3 })
  expect(one.told.at(-1)).toEqual([
    'failed',
    {
      name: 'a.bin',
      failure: {
        exitCode: 3,
        code: 'server',
        status: 403,
        message: 'PATCH answered 403',
        hint: 'check the credentials',
      },
      url: URL,
      acceptedBytes: 20,
    },
  ])
  // A later run goes on with it.
  expect(one.transfer.calls).toEqual(['start'])
})

test('what no later run would find is removed from the server: changed files, streams', async () => {
  const changed = scene(FILE)
  changed.transfer.fail(new SourceChanged('"a.bin" has changed'))
  expect(await changed.outcome).toEqual({ kind: 'failed', exitCode: 5 })
  expect(changed.transfer.calls).toEqual(['start', 'terminate'])
  const stream = scene(STDIN)
  stream.transfer.fail(new TransferError('network', 'cut'))
  await stream.outcome
  expect(stream.transfer.calls).toEqual(['start', 'terminate'])
})

test('an upload that fails its check stays, and is told as failed', async () => {
  const one = scene(STDIN, {}, { check: () => Promise.reject(new Error('other bytes')) })
  one.transfer.complete(URL, 5)
  expect(await one.outcome).toEqual({ kind: 'failed', exitCode: 1 })
  expect(one.transfer.calls).toEqual(['start'])
  expect(toldNames(one)).not.toContain('complete')
})

test('what cannot be read fails without a transfer', async () => {
  const error = Object.assign(new Error('no'), { code: 'ENOENT' })
  const one = scene({ kind: 'unusable', name: 'x', error })
  expect(await one.outcome).toEqual({ kind: 'failed', exitCode: 1 })
  expect(one.transfer).toBeUndefined()
  expect(one.told).toMatchObject([['failed', { failure: { message: 'there is no such file (ENOENT)' } }]])
})

test('a retry is shown while it is waited for', async () => {
  const one = scene(FILE)
  const error = new TransferError('network', 'nothing listens there')
  one.transfer.emit('error', { error, attempt: 3, delayMs: 7600 })
  const waiting = 'waiting, next attempt in 0:08: nothing listens there'
  expect(one.told.at(-1)).toMatchObject(['waits', { waiting }])
  one.transfer.progress(50, 0, 100)
  expect([...one.board.active]).toMatchObject([{ waiting: undefined }])
  one.transfer.complete(URL, 100)
  await one.outcome
})

test('stopped, it pauses: a later run goes on', async () => {
  const one = scene(FILE)
  one.transfer.emit('url', { url: URL })
  one.transfer.progress(50, 20, 100)
  one.stop.abort(new Error('interrupted'))
  expect(await one.outcome).toEqual({ kind: 'stopped', isResumable: true, acceptedBytes: 20 })
  expect(one.transfer.calls).toEqual(['start', 'pause'])
})

test('stopped while the server makes the upload, it waits for its address, but not for long', async () => {
  const told = scene(FILE)
  told.stop.abort(new Error('interrupted'))
  await quiet()
  expect(told.transfer.calls).toEqual(['start'])
  told.transfer.emit('url', { url: URL })
  await told.outcome
  expect(told.transfer.calls).toEqual(['start', 'pause'])
  const silent = scene(FILE)
  silent.stop.abort(new Error('interrupted'))
  await silent.clock.advance(3000)
  expect(await silent.outcome).toMatchObject({ kind: 'stopped' })
})

test('stopped, a stream is removed from the server', async () => {
  const one = scene(STDIN)
  one.stop.abort(new Error('interrupted'))
  expect(await one.outcome).toMatchObject({ kind: 'stopped', isResumable: false })
  expect(one.transfer.calls).toEqual(['start', 'terminate'])
})

test('when its time is up, it pauses and counts as given up', async () => {
  const one = scene(FILE)
  one.transfer.emit('url', { url: URL })
  one.stop.abort(new TransferError('timeout', 'not done after 5 s (--max-time)'))
  expect(await one.outcome).toEqual({ kind: 'failed', exitCode: 4 })
  expect(one.transfer.calls).toEqual(['start', 'pause'])
})
