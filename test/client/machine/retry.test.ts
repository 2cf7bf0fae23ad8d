import { expect, test, vi } from 'vitest'
import { TransferError } from '../../../src/client/errors.ts'
import { Retry, isRetryable } from '../../../src/client/retry.ts'
import type { RetryContext } from '../../../src/client/retry.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeConnectivity, KiB, MiB, Rig, bytes, digest } from './rigging.ts'

const MINUTE_MS = 60_000

test.each([408, 409, 423, 425, 429, 460, 500, 502, 503, 504, 507])('%i is retried', (status) => {
  expect(isRetryable(new TransferError('server', '', { status }))).toBe(true)
})

test.each([301, 308, 400, 401, 403, 404, 405, 410, 412, 413, 415, 417, 422, 501])('%i is final', (status) => {
  expect(isRetryable(new TransferError('server', '', { status }))).toBe(false)
})

test.each(['network', 'timeout', 'stall', 'offline'] as const)('%s is retried', (code) => {
  expect(isRetryable(new TransferError(code, ''))).toBe(true)
})

test('a malformed 2xx is retried; an unsupported feature, a source and an abort are final', () => {
  expect(isRetryable(new TransferError('protocol', '', { status: 204 }))).toBe(true)
  for (const code of ['protocol', 'source', 'aborted'] as const) {
    expect(isRetryable(new TransferError(code, ''))).toBe(false)
  }
})

function retrying(context: Partial<RetryContext> = {}): {
  readonly retry: Retry
  readonly clock: FakeClock
  readonly delays: number[]
} {
  const clock = new FakeClock()
  const delays: number[] = []
  const retry = new Retry({
    clock,
    random: () => 1,
    connectivity: undefined,
    options: {},
    signal: new AbortController().signal,
    onRetry: ({ delayMs }) => delays.push(delayMs),
    onWait: () => undefined,
    ...context,
  })
  return { retry, clock, delays }
}

const network = new TransferError('network', 'reset')

/** Fails again and again, and says how long that was tolerated. */
async function exhaust(rig: ReturnType<typeof retrying>, error = network): Promise<number> {
  const began = rig.clock.nowMs()
  const run = rig.retry.run(() => Promise.reject(error)).catch((thrown: unknown) => thrown)
  const state = { isOver: false }
  void run.then(() => (state.isOver = true))
  while (!state.isOver) await rig.clock.advance(1000)
  expect(await run).toBe(error)
  return rig.clock.nowMs() - began
}

test('the delay doubles up to 30 s, and the jitter is full', async () => {
  const rig = retrying()
  await exhaust(rig)
  expect(rig.delays.slice(0, 8)).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
  const low = retrying({ random: () => 0 })
  await expect(low.retry.run(once(low))).resolves.toBe('done')
  expect(low.delays).toEqual([0])
})

function once(rig: ReturnType<typeof retrying>): () => Promise<string> {
  let calls = 0
  return async () => {
    if (calls++ > 0) return 'done'
    void rig.clock.advance(1)
    throw network
  }
}

test('the budget is 15 minutes, and refilled by an accepted byte', async () => {
  const rig = retrying()
  const spentMs = await exhaust(rig)
  expect(spentMs).toBeGreaterThan(14 * MINUTE_MS)
  expect(spentMs).toBeLessThan(17 * MINUTE_MS)
  rig.retry.refill()
  rig.delays.length = 0
  expect(await exhaust(rig)).toBeGreaterThan(14 * MINUTE_MS)
  expect(rig.delays[0]).toBe(500)
})

test('a budget of 0 retries nothing', async () => {
  const rig = retrying({ options: { retryBudgetMs: 0 } })
  expect(await exhaust(rig)).toBeLessThan(2000)
  expect(rig.delays).toEqual([])
})

test('time spent offline costs nothing, probes go on, and coming back ends the wait at once', async () => {
  const connectivity = new FakeConnectivity()
  const rig = retrying({ connectivity, options: { retryBudgetMs: MINUTE_MS } })
  connectivity.set(false)
  let probes = 0
  let isUp = false
  const run = rig.retry.run(async () => {
    probes += 1
    if (!isUp) throw network
    return 'done'
  })
  await rig.clock.advance(60 * MINUTE_MS)
  expect(probes).toBeGreaterThan(100)
  isUp = true
  connectivity.set(true)
  await rig.clock.advance(0)
  await expect(run).resolves.toBe('done')
})

test('attempts that fail slowly while offline cost nothing either', async () => {
  const connectivity = new FakeConnectivity()
  const rig = retrying({ connectivity, options: { retryBudgetMs: MINUTE_MS } })
  connectivity.set(false)
  for (let attempt = 0; attempt < 5; attempt += 1) {
    await Promise.all([rig.retry.failed(network), rig.clock.advance(30_000)])
    await rig.clock.advance(MINUTE_MS)
  }
  expect(rig.delays).toHaveLength(5)
})

test('a night with the lid closed is no online time', async () => {
  const rig = retrying({ options: { retryBudgetMs: 5 * MINUTE_MS } })
  await Promise.all([rig.retry.failed(network), rig.clock.advance(1000)])
  await rig.clock.advance(8 * 60 * MINUTE_MS)
  await Promise.all([rig.retry.failed(network), rig.clock.advance(1000)])
  expect(rig.delays).toHaveLength(2)
})

test('Retry-After is a floor, and one beyond the budget ends the upload at once', async () => {
  const rig = retrying({ options: { retryBudgetMs: MINUTE_MS } })
  const busy = (retryAfterMs: number): TransferError =>
    new TransferError('server', '', { status: 503, retryAfterMs })
  await Promise.all([rig.retry.failed(busy(20_000)), rig.clock.advance(20_000)])
  expect(rig.delays).toEqual([20_000])
  await expect(rig.retry.failed(busy(MINUTE_MS))).rejects.toMatchObject({ status: 503 })
})

test('shouldRetry decides: never, in spite of the rules, and after how long', async () => {
  const fatal = new TransferError('server', '', { status: 403 })
  const shouldRetry = vi.fn(async () => ({ delayMs: 7 }))
  const rig = retrying({ options: { shouldRetry } })
  await Promise.all([rig.retry.failed(fatal), rig.clock.advance(10)])
  expect(rig.delays).toEqual([7])
  expect(shouldRetry).toHaveBeenCalledWith(fatal, 1)
  await expect(retrying({ options: { shouldRetry: () => false } }).retry.failed(network)).rejects.toBe(
    network,
  )
  const yes = retrying({ options: { shouldRetry: () => true } })
  await Promise.all([yes.retry.failed(fatal), yes.clock.advance(500)])
  expect(yes.delays).toEqual([500])
})

test('a shouldRetry that never answers does not hold up an abort', async () => {
  const stop = new AbortController()
  const { retry } = retrying({
    signal: stop.signal,
    options: { shouldRetry: () => new Promise(() => undefined) },
  })
  const failed = retry.failed(network)
  stop.abort('stopped')
  await expect(failed).rejects.toBe('stopped')
})

// The machine with all its parts: every cell of the matrix leads to the same bytes, or to the right end.

const RETRIED = [
  ['a cut', { sendBytes: 100_000, end: 'drop' as const }],
  ['a cut of which nothing was kept', { sendBytes: 100_000, end: 'drop' as const, reaches: false }],
  ['a lost answer', { end: 'drop' as const }],
  ['a stall', { sendBytes: 100_000, end: 'hang' as const }],
  ['no answer', { end: 'hang' as const }],
  ...[408, 409, 423, 425, 429, 500, 502, 503, 504].map((status) => [`${status}`, { status }] as const),
  ['a 204 without an offset', { headers: { 'Upload-Offset': undefined } }],
  ['a 204 with an offset that is no number', { headers: { 'Upload-Offset': '12abc' } }],
  ['a 204 with an offset that does not advance', { headers: { 'Upload-Offset': '262144' } }],
  ['a 204 with an offset beyond what was sent', { headers: { 'Upload-Offset': '99999999' } }],
  ['a server that keeps fewer bytes', { sendBytes: 100_000 }],
] as const

test.each(RETRIED)('PATCH: %s', async (_, script) => {
  const rig = new Rig()
  const content = bytes(3 * MiB)
  rig.transport.script('PATCH', script)
  const { url } = await rig.finish(rig.upload(content).start())
  expect(digest(rig.content(url))).toBe(digest(content))
  const { methods } = rig.transport
  expect(methods.filter((method) => method === 'POST')).toHaveLength(1)
  // HEAD before each retry, never after a success.
  const isPartial = 'sendBytes' in script && !('end' in script)
  expect(methods.filter((method) => method === 'HEAD')).toHaveLength(isPartial ? 0 : 1)
  expect(rig.states.at(-1)).toBe('complete')
})

test.each([400, 401, 403, 412, 415])('PATCH %i is final', async (status) => {
  const rig = new Rig()
  rig.transport.script('PATCH', { status })
  await expect(rig.finish(rig.upload(bytes(2 * MiB)).start())).rejects.toMatchObject({
    code: 'server',
    status,
  })
  expect(rig.states.at(-1)).toBe('failed')
  expect(rig.transport.methods.at(-1)).toBe('PATCH')
})

test.each([408, 423, 429, 500, 502, 503])('HEAD %i never restarts the upload', async (status) => {
  const rig = new Rig()
  const content = bytes(2 * MiB)
  rig.transport.script('PATCH', { sendBytes: 100, end: 'drop' })
  rig.transport.script('HEAD', { status, times: 3 })
  const { url } = await rig.finish(rig.upload(content).start())
  expect(digest(rig.content(url))).toBe(digest(content))
  expect(rig.transport.methods.filter((method) => method === 'POST')).toHaveLength(1)
  expect(rig.transport.methods.filter((method) => method === 'HEAD')).toHaveLength(4)
})

test('HEAD without an offset is asked again, and never taken for 0', async () => {
  const rig = new Rig()
  const content = bytes(2 * MiB)
  rig.transport.script('PATCH', { sendBytes: 100, end: 'drop' })
  rig.transport.script('HEAD', { headers: { 'Upload-Offset': undefined }, times: 2 })
  await rig.finish(rig.upload(content).start())
  expect(rig.transport.methods.filter((method) => method === 'HEAD')).toHaveLength(3)
  expect(rig.transport.sentBytes).toBe(2 * MiB + 0)
})

test('POST is retried', async () => {
  const rig = new Rig()
  rig.transport.script('POST', { end: 'drop', sendBytes: 0, reaches: false }).script('POST', { status: 503 })
  await rig.finish(rig.upload(bytes(KiB)).start())
  expect(rig.exchanges).toEqual(['OPTIONS 204', 'POST -', 'POST 503', 'POST 201'])
  expect(rig.of('error').map(({ attempt, delayMs }) => [attempt, delayMs])).toEqual([
    [1, 500],
    [2, 1000],
  ])
})

test('a server that never advances is not asked for ever', async () => {
  const rig = new Rig()
  rig.transport.script('PATCH', { sendBytes: 0, times: 100 })
  await expect(rig.finish(rig.upload(bytes(2 * MiB)).start())).rejects.toMatchObject({ code: 'protocol' })
  expect(rig.transport.methods).toEqual(['OPTIONS', 'POST', 'PATCH', 'HEAD'])
})

test('a server that is ahead of the source: RemoteAhead', async () => {
  const rig = new Rig({ extensions: ['creation', 'creation-defer-length'] })
  rig.transport.script('PATCH', { sendBytes: 10, end: 'drop' })
  rig.transport.script('HEAD', { headers: { 'Upload-Offset': '999', 'Upload-Length': undefined } })
  await expect(rig.finish(rig.upload(bytes(100)).start())).rejects.toThrow(/RemoteAhead/)
})

test('Retry-After of a 503 is obeyed', async () => {
  const rig = new Rig()
  rig.transport.script('PATCH', { status: 503, headers: { 'Retry-After': '90' } })
  await rig.finish(rig.upload(bytes(2 * MiB)).start())
  expect(rig.of('error')[0]?.delayMs).toBe(90_000)
})

test('gives up when the budget is used up, and start() fills it again', async () => {
  const rig = new Rig()
  const content = bytes(2 * MiB)
  const upload = rig.upload(content)
  rig.transport.script('PATCH', { status: 503, times: 5000 })
  await expect(rig.finish(upload.start())).rejects.toMatchObject({ status: 503 })
  expect(upload.state).toBe('failed')
  const failures = rig.of('error').length
  await expect(rig.finish(upload.start())).rejects.toMatchObject({ status: 503 })
  expect(rig.of('error').length).toBeGreaterThan(failures * 1.9)
})

test('offline: waiting, with an error of that name, until the connection is back', async () => {
  const connectivity = new FakeConnectivity()
  const rig = new Rig({}, { connectivity })
  const content = bytes(2 * MiB)
  connectivity.set(false)
  rig.transport.script('PATCH', { sendBytes: 100, end: 'drop', times: 1 })
  rig.transport.script('HEAD', { end: 'drop', times: 3000, when: () => !connectivity.isOnline })
  const upload = rig.upload(content)
  const started = upload.start()
  await rig.clock.advance(60 * MINUTE_MS)
  expect(upload.state).toBe('waiting')
  expect(new Set(rig.of('error').map(({ error }) => error.code))).toEqual(new Set(['offline']))
  const rest = rig.transport.requests.length
  expect(rest).toBeGreaterThan(100)
  connectivity.set(true)
  const { url } = await rig.finish(started)
  expect(digest(rig.content(url))).toBe(digest(content))
})
