import { expect, test } from 'vitest'
import { Ticker } from '../../src/core/ticker.ts'
import { FakeClock } from '../support/fake-clock.ts'

test('ticks everybody with the time, once per interval', async () => {
  const clock = new FakeClock()
  const ticker = new Ticker(clock, 100)
  const startMs = clock.nowMs()
  const seen: [string, number][] = []
  ticker.add((nowMs) => seen.push(['a', nowMs - startMs]))
  ticker.add((nowMs) => seen.push(['b', nowMs - startMs]))
  await clock.advance(250)
  expect(seen).toEqual([
    ['a', 100],
    ['b', 100],
    ['a', 200],
    ['b', 200],
  ])
})

test('one timer serves all, and none while nobody listens', async () => {
  const clock = new FakeClock()
  const ticker = new Ticker(clock, 100)
  const ticks = [() => undefined, () => undefined, () => undefined]
  for (const tick of ticks) ticker.add(tick)
  expect(clock.pending).toBe(1)
  for (const tick of ticks) ticker.remove(tick)
  await clock.advance(1000)
  expect(clock.pending).toBe(0)
})

test('starts again for the next listener, also for one that comes in the middle of a tick', async () => {
  const clock = new FakeClock()
  const ticker = new Ticker(clock, 100)
  let late = 0
  const first = (): void => {
    ticker.remove(first)
    ticker.add(() => (late += 1))
  }
  ticker.add(first)
  await clock.advance(300)
  expect(late).toBeGreaterThanOrEqual(2)
  expect(clock.pending).toBe(1)
})

test('who has left is not called any more, not even in the same tick', async () => {
  const clock = new FakeClock()
  const ticker = new Ticker(clock, 100)
  let calls = 0
  const second = (): void => void (calls += 1)
  ticker.add(() => ticker.remove(second))
  ticker.add(second)
  await clock.advance(500)
  expect(calls).toBe(0)
})
