import { expect, test } from 'vitest'
import { Pacing } from '../../src/node/pacing.ts'
import { FakeClock, quiet } from '../support/fake-clock.ts'

test('what can wait steps back once while the event loop is busy, and never on a quiet machine', async () => {
  const clock = new FakeClock()
  let load = 0.2
  const pacing = new Pacing(clock, () => load)
  await pacing.turn()
  load = 0.95
  await clock.advance(60)
  let isOver = false
  void pacing.turn().then(() => (isOver = true))
  await quiet()
  expect(isOver).toBe(false)
  await clock.advance(50)
  expect(isOver, 'though the machine is busy still').toBe(true)
  load = 0.1
  await clock.advance(60)
  await pacing.turn()
})
