import { expect, test } from 'vitest'
import type { CallOptions } from '../../../src/client/calls.ts'
import { getOffset, serverInfo, terminate } from '../../../src/client/calls.ts'
import { bytes } from '../../support/bytes.ts'
import { ENDPOINT, UPLOAD, done, failureOf, rig } from './requesting.ts'

test('serverInfo tells what a server can do, and is not satisfied with less', async () => {
  const it = rig()
  const info = await serverInfo(it.platform, new URL(ENDPOINT))
  expect(info.extensions.has('creation')).toBe(true)
  it.transport.script('OPTIONS', { status: 200, text: '<html>' })
  expect(await failureOf(serverInfo(it.platform, ENDPOINT))).toMatchObject({ code: 'protocol', status: 200 })
  it.transport.script('OPTIONS', { status: 404 })
  expect(await failureOf(serverInfo(it.platform, ENDPOINT))).toMatchObject({ code: 'server', status: 404 })
})

test('getOffset tells what a server says of an upload', async () => {
  const it = rig()
  const metadata = 'filename eA=='
  it.transport.tus.begin(UPLOAD, {
    content: bytes(7),
    length: 10,
    metadata,
    expiresAtMs: 5000,
    concat: 'partial',
  })
  expect(await getOffset(it.platform, UPLOAD)).toEqual({
    url: UPLOAD,
    offset: 7,
    length: 10,
    metadata: { filename: 'x' },
    expiresAtMs: 5000,
    isPartial: true,
    isFinal: false,
  })
  it.transport.tus.begin(UPLOAD, { concat: 'final;/files/2', length: 0 })
  expect(await getOffset(it.platform, UPLOAD)).toMatchObject({
    isPartial: false,
    isFinal: true,
    metadata: {},
  })
  it.transport.tus.begin(UPLOAD)
  expect(await getOffset(it.platform, UPLOAD)).toMatchObject({ offset: 0, length: undefined })
})

test.each([undefined, '', '-1', '12abc', '11'])(
  'getOffset does not believe the offset %j',
  async (offset) => {
    const it = rig()
    it.transport.tus.begin(UPLOAD, { length: 10 })
    it.transport.script('HEAD', { headers: { 'Upload-Offset': offset } })
    expect(await failureOf(getOffset(it.platform, UPLOAD))).toMatchObject({ code: 'protocol', status: 200 })
  },
)

test('calls go on after what may pass', async () => {
  const it = rig()
  it.transport.tus.begin(UPLOAD, { length: 10 })
  it.transport
    .script('HEAD', { end: 'drop' })
    .script('HEAD', { status: 503, headers: { 'Retry-After': '20' } })
    .script('HEAD', { status: 423 })
  const before = it.clock.nowMs()
  expect((await done(it, getOffset(it.platform, UPLOAD))).offset).toBe(0)
  expect(it.clock.nowMs() - before).toBeGreaterThan(20_000)
  expect(it.transport.requests).toHaveLength(4)
})

test('shouldRetry of the caller decides first', async () => {
  const it = rig()
  it.transport.script('HEAD', { status: 503 })
  const options: CallOptions = { shouldRetry: () => false }
  expect(await failureOf(getOffset(it.platform, UPLOAD, options))).toMatchObject({ status: 503 })
  it.transport.script('HEAD', { status: 404 })
  it.transport.tus.begin(UPLOAD)
  const patient: CallOptions = { shouldRetry: () => Promise.resolve(true) }
  expect((await done(it, getOffset(it.platform, UPLOAD, patient))).offset).toBe(0)
})

test('calls end when their signal aborts', async () => {
  const it = rig()
  it.transport.script('HEAD', { status: 503, times: Infinity })
  const { signal } = it.abort
  const failed = failureOf(getOffset(it.platform, UPLOAD, { signal }))
  await it.clock.advance(10)
  it.abort.abort('stop')
  expect(await failed).toBe('stop')
  expect(it.clock.pending).toBe(0)
})

test.each([200, 204, 404, 410])('terminate takes %i for done', async (status) => {
  const it = rig()
  it.transport.script('DELETE', { status })
  await terminate(it.platform, UPLOAD)
  expect(it.transport.requests).toHaveLength(1)
  expect(it.transport.requests[0]!.header('Tus-Resumable')).toBe('1.0.0')
})

test('terminate whose answer is lost is done by the next attempt', async () => {
  const it = rig()
  it.transport.tus.begin(UPLOAD)
  it.transport.script('DELETE', { end: 'drop' })
  await done(it, terminate(it.platform, UPLOAD))
  expect(it.transport.requests.map(({ status }) => status)).toEqual([undefined, 404])
})

test('terminate that a server does not offer fails', async () => {
  const it = rig({}, { extensions: ['creation'] })
  it.transport.tus.begin(UPLOAD)
  expect(await failureOf(terminate(it.platform, UPLOAD))).toMatchObject({ code: 'server', status: 405 })
})
