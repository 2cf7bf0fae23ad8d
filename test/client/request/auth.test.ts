import { expect, test } from 'vitest'
import { Requester } from '../../../src/client/requester.ts'
import { quiet } from '../../support/fake-clock.ts'
import { failureOf, patch, rig } from './requesting.ts'
import type { Rig } from './requesting.ts'

function refuse(it: Rig, value: string): void {
  it.transport.script('*', {
    when: (request) => request.header('Authorization') === value,
    times: Infinity,
    status: 401,
  })
}

function counting(): { (): Promise<string>; asked: number } {
  const ask = async (): Promise<string> => `Bearer ${(ask.asked += 1)}`
  ask.asked = 0
  return ask
}

test('it is asked once for many requests', async () => {
  const auth = counting()
  const it = rig({ auth })
  await it.requester.send(patch(it))
  await it.requester.send(patch(it))
  expect(auth.asked).toBe(1)
  expect(it.transport.requests[1]!.header('Authorization')).toBe('Bearer 1')
})

test('401 refreshes it and sends the content once more', async () => {
  const it = rig({ auth: counting() })
  refuse(it, 'Bearer 1')
  expect((await it.requester.send(patch(it))).status).toBe(204)
  expect(it.transport.requests.map((request) => request.header('Authorization'))).toEqual([
    'Bearer 1',
    'Bearer 2',
  ])
})

test('a second 401 is the answer', async () => {
  const it = rig({ auth: counting() })
  it.transport.script('PATCH', { status: 401, times: Infinity })
  expect((await it.requester.send(patch(it))).status).toBe(401)
  expect(it.transport.requests).toHaveLength(2)
})

test('the same value again is not tried again', async () => {
  const it = rig({ auth: () => 'Basic x' })
  it.transport.script('PATCH', { status: 401, times: Infinity })
  expect((await it.requester.send(patch(it))).status).toBe(401)
  expect(it.transport.requests).toHaveLength(1)
})

test('without auth a 401 is an answer like any other', async () => {
  const it = rig({ headers: { Authorization: 'Basic x' } })
  it.transport.script('PATCH', { status: 401 })
  expect((await it.requester.send(patch(it))).status).toBe(401)
})

test('one refresh serves all that were refused, over all uploads that share the function', async () => {
  const auth = counting()
  const it = rig({ auth })
  refuse(it, 'Bearer 1')
  const other = new Requester(it.platform, { auth })
  const calls = [it.requester, other, it.requester, other].map((requester) => requester.send(patch(it)))
  const statuses = (await Promise.all(calls)).map(({ status }) => status)
  expect(auth.asked).toBe(2)
  expect(statuses).not.toContain(401)
  expect(it.transport.requests).toHaveLength(8)
})

test('a refusal that comes late does not throw the new value away', async () => {
  const auth = counting()
  const it = rig({ auth })
  let answer = (): void => undefined
  const hold = new Promise<void>((resolve) => (answer = resolve))
  it.transport.script('HEAD', { status: 401, hold })
  refuse(it, 'Bearer 1')
  const late = it.requester.send({ method: 'HEAD', url: 'https://host.test/x', signal: it.abort.signal })
  await quiet()
  await it.requester.send(patch(it))
  answer()
  await late
  expect(auth.asked).toBe(2)
})

test('a failure to get one passes for a broken line, and is not remembered', async () => {
  let works = false
  const cause = new Error('the token server is away')
  const it = rig({ auth: () => (works ? 'Bearer x' : Promise.reject(cause)) })
  expect(await failureOf(it.requester.send(patch(it)))).toMatchObject({ code: 'network', cause })
  works = true
  expect((await it.requester.send(patch(it))).status).toBe(204)
})
