import { expect, test } from 'vitest'
import { Slots } from '../../src/hooks/exec/slots.ts'
import { quiet } from '../support/fake-clock.ts'
import { never } from './samples.ts'

/** Work that ends when a test says so. */
function held(slots: Slots, signal: AbortSignal = never()) {
  let finish = (): void => undefined
  const work = { hasBegun: false, finish: () => finish() }
  const gate = new Promise<void>((resolve) => (finish = resolve))
  const done = slots.use(signal, () => {
    work.hasBegun = true
    return gate
  })
  return Object.assign(work, { done })
}

test('lets so many in at once, the others in their order', async () => {
  const slots = new Slots(2)
  const all = [held(slots), held(slots), held(slots), held(slots)]
  const begun = (): boolean[] => all.map(({ hasBegun }) => hasBegun)
  await quiet()
  expect(begun()).toEqual([true, true, false, false])
  all[1]?.finish()
  await quiet()
  expect(begun()).toEqual([true, true, true, false])
  for (const { finish } of all) finish()
  await Promise.all(all.map(({ done }) => done))
  expect(begun()).toEqual([true, true, true, true])
})

test('has its places back when the work is over, however it ends', async () => {
  const slots = new Slots(1)
  for (let count = 0; count < 3; count += 1) {
    const failing = slots.use(never(), () => Promise.reject(new Error('failed')))
    await expect(failing).rejects.toThrow('failed')
  }
  expect(await slots.use(never(), async () => 'in')).toBe('in')
})

test('who leaves while waiting takes nobody’s place', async () => {
  const slots = new Slots(1)
  const controller = new AbortController()
  const reason = new Error('no longer')
  const first = held(slots)
  const leaving = held(slots, controller.signal)
  const last = held(slots)
  await quiet()
  controller.abort(reason)
  await expect(leaving.done).rejects.toBe(reason)
  first.finish()
  last.finish()
  await Promise.all([first.done, last.done])
  expect(leaving.hasBegun).toBe(false)
  await expect(slots.use(AbortSignal.abort(reason), async () => 'in')).rejects.toBe(reason)
})
