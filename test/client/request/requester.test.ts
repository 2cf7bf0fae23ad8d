import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { abortable } from '../../../src/client/abortable.ts'
import { SourceChanged, TransferError } from '../../../src/client/errors.ts'
import type { Slice } from '../../../src/client/ports/source.ts'
import { bytes, same } from '../../support/bytes.ts'
import { quiet } from '../../support/fake-clock.ts'
import { ENDPOINT, UPLOAD, failureOf, patch, rig, sliceOf } from './requesting.ts'

test('it sends the content and returns the answer, whatever its status', async () => {
  const it = rig()
  const sent: number[] = []
  const response = await it.requester.send(patch(it, 200_000, { onSent: (count) => sent.push(count) }))
  expect(response.status).toBe(204)
  expect(same(it.transport.tus.uploads.get(UPLOAD)!.content, bytes(200_000))).toBe(true)
  expect(sent).toEqual([65_536, 131_072, 196_608, 200_000])
  it.transport.script('PATCH', { status: 503 })
  expect((await it.requester.send(patch(it))).status).toBe(503)
  expect(it.clock.pending).toBe(0)
})

test('header names are sent as given; the protocol wins over the caller, and no name is sent twice', async () => {
  const it = rig({ headers: { 'x-Mine': '1', 'content-type': 'application/json' } })
  await it.requester.send(patch(it))
  expect([...it.transport.requests[0]!.headers]).toEqual([
    ['x-Mine', '1'],
    ['Tus-Resumable', '1.0.0'],
    ['Upload-Offset', '0'],
    ['Content-Type', 'application/offset+octet-stream'],
  ])
})

test('a header function is asked before each request', async () => {
  let asked = 0
  const it = rig({ headers: async () => ({ 'X-Count': String((asked += 1)) }) })
  await it.requester.send(patch(it))
  await it.requester.send(patch(it))
  expect(it.transport.requests.map((request) => request.header('X-Count'))).toEqual(['1', '2'])
})

test('the method is overridden for PATCH, HEAD and DELETE alone', async () => {
  const it = rig({ methodOverride: true })
  for (const method of ['PATCH', 'HEAD', 'DELETE', 'POST', 'OPTIONS']) {
    await it.requester.send({ ...patch(it), method, url: method === 'POST' ? ENDPOINT : UPLOAD })
  }
  expect(
    it.transport.requests.map(({ actualMethod, headers }) => [
      actualMethod,
      headers.get('X-HTTP-Method-Override'),
    ]),
  ).toEqual([
    ['POST', 'PATCH'],
    ['POST', 'HEAD'],
    ['POST', 'DELETE'],
    ['POST', undefined],
    ['OPTIONS', undefined],
  ])
})

test('beforeRequest may change headers, and is waited for', async () => {
  const it = rig({
    async beforeRequest(request) {
      await quiet()
      request.headers.set('X-Signed', `${request.method} ${request.url}`)
      request.headers.delete('Upload-Offset')
    },
  })
  const response = await it.requester.send(patch(it))
  expect(response.status).toBe(400)
  expect(it.transport.requests[0]!.header('X-Signed')).toBe(`PATCH ${UPLOAD}`)
})

test('afterResponse sees refusals too, and its failure is thrown as it is', async () => {
  const seen: number[] = []
  const veto = new Error('enough')
  const it = rig({
    afterResponse(request, response) {
      seen.push(response.status)
      if (request.headers.get('Upload-Offset') === '0' && response.status === 418) throw veto
    },
  })
  it.transport.script('PATCH', { status: 500 }).script('PATCH', { status: 418 })
  await it.requester.send(patch(it))
  expect(await failureOf(it.requester.send(patch(it)))).toBe(veto)
  expect(seen).toEqual([500, 418])
})

test('a failing header function passes for a broken line; a failing beforeRequest is thrown as it is', async () => {
  const cause = new TypeError('fetch failed')
  const one = rig({ headers: () => Promise.reject(cause) })
  const error = await failureOf(one.requester.send(patch(one)))
  expect(error).toMatchObject({ code: 'network', cause })
  const veto = new Error('no')
  const other = rig({
    beforeRequest() {
      throw veto
    },
  })
  expect(await failureOf(other.requester.send(patch(other)))).toBe(veto)
  expect(other.transport.requests).toHaveLength(0)
})

test('each request has its own id, which errors show', async () => {
  const it = rig({ requestIds: true })
  it.transport.script('PATCH', { end: 'drop' }).script('PATCH', { status: 500 })
  expect(await failureOf(it.requester.send(patch(it)))).toMatchObject({ code: 'network', requestId: 'id-1' })
  const call = patch(it)
  const response = await it.requester.send(call)
  expect(it.requester.refusal(call, response, 'no').requestId).toBe('id-2')
  const named = rig({ requestIds: false, headers: { 'x-request-id': 'mine' } })
  named.transport.script('PATCH', { status: 500, headers: {} })
  const other = patch(named)
  expect(named.requester.refusal(other, await named.requester.send(other), 'no').requestId).toBe('mine')
})

test('a broken line says which request it was, without the secrets of its address', async () => {
  const it = rig({ methodOverride: true })
  it.transport.script('*', { end: 'drop' })
  const url = 'https://me:pass@host.test/files/1?signature=s3cret#part'
  const error = await failureOf(it.requester.send({ ...patch(it), url }))
  expect(error).toBeInstanceOf(TransferError)
  expect(error).toMatchObject({ code: 'network', method: 'PATCH', url: 'https://host.test/files/1?…' })
  expect(String(error)).not.toMatch(/pass|s3cret|me:/)
})

test('errors of the source keep their class', async () => {
  const it = rig()
  const changed = new SourceChanged('it changed')
  expect(await failureOf(it.requester.send(patch(it, 10, { body: () => Promise.reject(changed) })))).toBe(
    changed,
  )
  const content = {
    kind: 'chunks',
    async *chunks(): AsyncGenerator<Uint8Array> {
      yield bytes(5)
      throw changed
    },
  } as const
  const body = async (): Promise<Slice> => ({ start: 0, sizeBytes: 10, isLast: true, content })
  expect(await failureOf(it.requester.send(patch(it, 10, { body })))).toBe(changed)
})

test('an abort ends a request in each of its states, with the reason, and leaves no timer', async () => {
  const never = new Promise<never>(() => undefined)
  const cases = {
    headers: rig({ headers: () => never }),
    auth: rig({ auth: () => never }),
    before: rig({ beforeRequest: () => never }),
    after: rig({ afterResponse: () => never }),
    body: rig(),
    answer: rig(),
  }
  cases.body.transport.script('PATCH', { sendBytes: 10, end: 'hang' })
  cases.answer.transport.script('PATCH', { end: 'hang' })
  for (const [name, it] of Object.entries(cases)) {
    const reason = new Error(`aborted in ${name}`)
    const failed = failureOf(it.requester.send(patch(it)))
    await quiet()
    it.abort.abort(reason)
    expect(await failed).toBe(reason)
    expect(it.clock.pending, name).toBe(0)
    expect(await failureOf(it.requester.send(patch(it)))).toBe(reason)
  }
  expect(cases.body.transport.requests[0]!.isAborted).toBe(true)
  expect(cases.before.transport.requests).toHaveLength(0)
})

test('the reason of the abort wins over what a transport makes of it, and no listener stays', async () => {
  const it = rig()
  it.transport.send = ({ signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new TransferError('network', 'socket hang up')))
    })
  const failed = failureOf(it.requester.send(patch(it)))
  await quiet()
  expect(getEventListeners(it.abort.signal, 'abort')).not.toHaveLength(0)
  const enough = new TransferError('aborted', 'enough')
  it.abort.abort(enough)
  expect(await failed).toBe(enough)
  const other = rig({ headers: async () => ({}), auth: () => 'x', beforeRequest: async () => undefined })
  await other.requester.send(patch(other))
  expect(getEventListeners(other.abort.signal, 'abort')).toHaveLength(0)
})

test('a promise is not waited for when the signal has aborted before', async () => {
  const never = new Promise<never>(() => undefined)
  expect(await failureOf(abortable(never, AbortSignal.abort('over')))).toBe('over')
})

test('what onData throws ends the request and is thrown as it is', async () => {
  const it = rig()
  it.transport.tus.begin(UPLOAD, { content: bytes(1000), length: 1000 })
  const full = new Error('disk full')
  const onData = (): never => {
    throw full
  }
  const call = { method: 'GET', url: UPLOAD, signal: it.abort.signal, onData }
  expect(await failureOf(it.requester.send(call))).toBe(full)
  const send = it.transport.send.bind(it.transport)
  it.transport.send = (request) =>
    send(request).catch((cause: unknown) => {
      throw new TransferError('network', 'the answer broke off', { cause })
    })
  expect(await failureOf(it.requester.send(call))).toBe(full)
  expect(it.clock.pending).toBe(0)
})

test('the content is asked for before the credentials, and again when it is sent again', async () => {
  const asked: string[] = []
  const auth = (): string => {
    asked.push('auth')
    return `Bearer ${asked.length}`
  }
  const it = rig({ auth })
  it.transport.script('PATCH', { status: 401 })
  const body = async (): Promise<Slice> => {
    asked.push('body')
    return sliceOf(bytes(1000))
  }
  expect((await it.requester.send(patch(it, 1000, { body }))).status).toBe(204)
  expect(asked).toEqual(['body', 'auth', 'auth', 'body'])
})
