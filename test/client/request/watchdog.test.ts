import { expect, test } from 'vitest'
import type { TransferError } from '../../../src/client/errors.ts'
import { bytes } from '../../support/bytes.ts'
import { quiet } from '../../support/fake-clock.ts'
import { ENDPOINT, UPLOAD, failureOf, patch, rig } from './requesting.ts'
import type { Rig } from './requesting.ts'

/** How long the clock runs, in seconds, until the request fails. */
async function patience(
  it: Rig,
  sending: Promise<unknown>,
): Promise<{ seconds: number; error: TransferError }> {
  let error: unknown
  void failureOf(sending).then((failure) => (error = failure))
  await quiet()
  for (let seconds = 0; seconds < 10_000; seconds += 1) {
    if (error !== undefined) {
      expect(it.clock.pending).toBe(0)
      return { seconds, error: error as TransferError }
    }
    await it.clock.advance(1000)
  }
  throw new Error('it waits for ever')
}

test('a body of which no byte moves for 30 s is given up', async () => {
  const it = rig()
  it.transport.script('PATCH', { sendBytes: 100, end: 'hang' })
  const { seconds, error } = await patience(it, it.requester.send(patch(it)))
  expect(seconds).toBe(30)
  expect(error).toMatchObject({ code: 'stall', method: 'PATCH', url: UPLOAD })
  expect(it.transport.requests[0]!.isAborted).toBe(true)
})

test('a connection that never comes about is a stall too', async () => {
  const it = rig()
  it.transport.script('PATCH', { sendBytes: 0, end: 'hang' })
  expect(await patience(it, it.requester.send(patch(it)))).toMatchObject({
    seconds: 30,
    error: { code: 'stall' },
  })
})

test('a slow body that moves is no stall, however long it takes', async () => {
  const it = rig()
  it.transport.pieceBytes = 10
  it.transport.onPiece = () => it.clock.advance(29_000)
  expect((await it.requester.send(patch(it))).status).toBe(204)
  expect(it.clock.pending).toBe(0)
})

test('the time counts from the last byte that moved', async () => {
  const it = rig()
  it.transport.pieceBytes = 100
  it.transport.onPiece = () => it.clock.advance(20_000)
  it.transport.script('PATCH', { sendBytes: 300, end: 'hang' })
  const sending = it.requester.send(patch(it))
  sending.catch(() => undefined)
  while (it.transport.sentBytes < 300) await quiet()
  await quiet()
  // 20 s have gone by since the last piece.
  expect((await patience(it, sending)).seconds).toBe(10)
})

test('reports of the same number are no movement', async () => {
  const it = rig()
  const hanging = it.transport.send.bind(it.transport)
  it.transport.send = async (request) => {
    it.clock.after(20_000, () => request.onSent?.(100))
    return await hanging(request)
  }
  it.transport.script('PATCH', { sendBytes: 100, end: 'hang' })
  expect((await patience(it, it.requester.send(patch(it)))).seconds).toBe(30)
})

test('an answer has 60 s from the last byte sent, or from the start without a body', async () => {
  const it = rig()
  it.transport.script('*', { end: 'hang', times: Infinity })
  const withBody = await patience(it, it.requester.send(patch(it)))
  expect(withBody).toMatchObject({ seconds: 60, error: { code: 'timeout' } })
  const options = { method: 'OPTIONS', url: ENDPOINT, signal: it.abort.signal }
  expect(await patience(it, it.requester.send(options))).toMatchObject({
    seconds: 60,
    error: { code: 'timeout' },
  })
})

test('both times can be set; without limit nothing is given up', async () => {
  const it = rig({ stallTimeoutMs: 5000, responseTimeoutMs: 7000 })
  it.transport.script('PATCH', { sendBytes: 1, end: 'hang' }).script('PATCH', { end: 'hang' })
  expect((await patience(it, it.requester.send(patch(it)))).seconds).toBe(5)
  expect((await patience(it, it.requester.send(patch(it)))).seconds).toBe(7)
  const endless = rig({ stallTimeoutMs: Infinity })
  endless.transport.script('PATCH', { sendBytes: 1, end: 'hang' })
  const sending = failureOf(endless.requester.send(patch(endless)))
  await endless.clock.advance(24 * 3600 * 1000)
  expect(endless.transport.requests[0]!.isAborted).toBe(false)
  endless.abort.abort()
  await sending
})

test('where the transport does not tell what was sent, a body has time by its size', async () => {
  const it = rig()
  it.transport.reportsSent = false
  it.transport.script('PATCH', { end: 'hang' })
  // 1.6 MB at 16 bytes a millisecond, and both limits
  expect((await patience(it, it.requester.send(patch(it, 1_600_000)))).seconds).toBe(100 + 30 + 60)
})

test('a download that stalls is given up after 30 s; the time of the one who takes it does not count', async () => {
  const it = rig()
  it.transport.tus.begin(UPLOAD, { content: bytes(1000), length: 1000 })
  it.transport.pieceBytes = 100
  it.transport.script('GET', { answerBytes: 200, end: 'hang' })
  const taken: number[] = []
  const onData = async (chunk: Uint8Array): Promise<void> => {
    await it.clock.advance(300_000)
    taken.push(chunk.length)
  }
  const sending = it.requester.send({ method: 'GET', url: UPLOAD, signal: it.abort.signal, onData })
  sending.catch(() => undefined)
  while (taken.length < 2) await quiet()
  expect(await patience(it, sending)).toMatchObject({ seconds: 30, error: { code: 'stall' } })
})

test('a taker that comes back after the end sets no timer', async () => {
  const it = rig()
  it.transport.tus.begin(UPLOAD, { content: bytes(1000), length: 1000 })
  let goOn = (): void => undefined
  const onData = (): Promise<void> => new Promise((resolve) => (goOn = resolve))
  const inner = it.transport.send.bind(it.transport)
  it.transport.send = (request) =>
    Promise.race([
      inner(request),
      new Promise<never>((_resolve, reject) =>
        request.signal.addEventListener('abort', () => reject(request.signal.reason as Error)),
      ),
    ])
  const failed = failureOf(it.requester.send({ method: 'GET', url: UPLOAD, signal: it.abort.signal, onData }))
  await quiet()
  it.abort.abort()
  await failed
  goOn()
  await quiet()
  expect(it.clock.pending).toBe(0)
})

test('whatever the end, the signal of the transport is aborted then, and that of the caller is not', async () => {
  const it = rig()
  const seen: AbortSignal[] = []
  const inner = it.transport.send.bind(it.transport)
  it.transport.send = (request) => {
    seen.push(request.signal)
    expect(request.signal.aborted).toBe(false)
    return inner(request)
  }
  it.transport.script('PATCH', {}).script('PATCH', { end: 'drop' })
  await it.requester.send(patch(it))
  await failureOf(it.requester.send(patch(it)))
  expect(seen.map(({ aborted }) => aborted)).toEqual([true, true])
  expect(it.abort.signal.aborted).toBe(false)
})

test('a timer is never longer than timers can be', async () => {
  const it = rig({ stallTimeoutMs: Infinity })
  const delays: number[] = []
  const after = it.clock.after.bind(it.clock)
  it.clock.after = (delayMs, callback) => {
    delays.push(delayMs)
    return after(delayMs, callback)
  }
  await it.requester.send(patch(it))
  expect(Math.max(...delays)).toBe(2 ** 31 - 1)
})
