import { expect, test } from 'vitest'
import type { StopReason } from '../../src/core/writers.ts'
import { Writers } from '../../src/core/writers.ts'
import { FakeClock, quiet } from '../support/fake-clock.ts'
import { anId, anotherId } from '../support/ids.ts'
import { codeOf } from '../support/rig.ts'

const never = (): void => undefined

function setup(): { clock: FakeClock; writers: Writers } {
  const clock = new FakeClock()
  return { clock, writers: new Writers(clock, 1000) }
}

test('the first is admitted at once, another upload does not mind', async () => {
  const { writers, clock } = setup()
  await writers.enter(anId, never)
  await writers.enter(anotherId, never)
  expect([writers.isBusy(anId), writers.isBusy(anotherId)]).toEqual([true, true])
  expect(clock.pending).toBe(0)
})

test('a newcomer asks the older one to stop and enters when it has left', async () => {
  const { writers, clock } = setup()
  const reasons: StopReason[] = []
  const leave = await writers.enter(anId, (reason) => reasons.push(reason))
  let entered = false
  const second = writers.enter(anId, never).then((left) => {
    entered = true
    return left
  })
  await quiet()
  expect(reasons).toEqual(['pre-empted'])
  expect(entered).toBe(false)
  leave()
  ;(await second)()
  expect(writers.isBusy(anId)).toBe(false)
  expect(clock.pending, 'its timer is gone').toBe(0)
})

test('a holder that cannot be stopped costs the newcomer a second and 423', async () => {
  const { writers, clock } = setup()
  const leave = await writers.enter(anId, never)
  const code = codeOf(writers.enter(anId, never))
  let settled = false
  void code.then(() => (settled = true))
  await clock.advance(999)
  expect(settled).toBe(false)
  await clock.advance(1)
  expect(await code).toBe('ERR_UPLOAD_LOCKED')
  expect(writers.isBusy(anId), 'the older one is still in').toBe(true)
  leave()
  await writers.enter(anId, never)
})

test('of several newcomers the newest has the upload in the end', async () => {
  const { writers } = setup()
  const order: string[] = []
  const come = async (name: string): Promise<void> => {
    let stop = never
    const stopped = new Promise<void>((resolve) => (stop = resolve))
    const leave = await writers.enter(anId, stop)
    order.push(`${name} in`)
    await stopped
    order.push(`${name} out`)
    leave()
  }
  for (const name of ['a', 'b', 'c', 'd']) void come(name)
  for (let i = 0; i < 10; i += 1) await quiet()
  expect(order).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out', 'd in'])
})

test('newcomers together wait no longer than a second each, whoever stands before them', async () => {
  const { writers, clock } = setup()
  const leave = await writers.enter(anId, never)
  const second = codeOf(writers.enter(anId, never))
  await clock.advance(900)
  const third = codeOf(writers.enter(anId, never))
  leave()
  expect(await second).toBe('none')
  await clock.advance(999)
  let code = 'waiting'
  void third.then((known) => (code = known))
  await quiet()
  expect(code).toBe('waiting')
  await clock.advance(1)
  expect(code).toBe('ERR_UPLOAD_LOCKED')
})

test('tryEnter disturbs nobody', async () => {
  const { writers } = setup()
  const reasons: StopReason[] = []
  await writers.enter(anId, (reason) => reasons.push(reason))
  expect(writers.tryEnter(anId, never)).toBeUndefined()
  expect(reasons).toEqual([])
})

test('quiesce of an idle upload is over at once; of a busy one when its writer has left', async () => {
  const { writers } = setup()
  await writers.quiesce(anId, 'pre-empted')
  const leave = await writers.enter(anId, never)
  let quiesced = false
  const done = writers.quiesce(anId, 'pre-empted').then(() => (quiesced = true))
  await quiet()
  expect(quiesced).toBe(false)
  leave()
  await done
  expect(writers.isBusy(anId)).toBe(false)
})

test('stopAll asks everybody, waits for them, but not for ever', async () => {
  const { writers, clock } = setup()
  const reasons: StopReason[] = []
  const leave = await writers.enter(anId, (reason) => reasons.push(reason))
  await writers.enter(anotherId, (reason) => reasons.push(reason))
  let isOver = false
  const over = writers.stopAll(5000).then(() => (isOver = true))
  expect(reasons).toEqual(['shutdown', 'shutdown'])
  leave()
  await clock.advance(4999)
  expect(isOver).toBe(false)
  await clock.advance(1)
  await over
})

test('10,000 uploads leave nothing behind', async () => {
  const { writers, clock } = setup()
  for (let i = 0; i < 10_000; i += 1) {
    const leave = await writers.enter(anId, never)
    const next = writers.enter(anId, never)
    leave()
    ;(await next)()
  }
  expect(writers.isBusy(anId)).toBe(false)
  expect(clock.pending).toBe(0)
})
