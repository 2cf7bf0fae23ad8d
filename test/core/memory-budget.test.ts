import { describe, expect, test } from 'vitest'
import type { IntakeEnd } from '../../src/core/intake.ts'
import { Intake } from '../../src/core/intake.ts'
import type { BufferHolder } from '../../src/core/memory-budget.ts'
import { MemoryBudget } from '../../src/core/memory-budget.ts'
import type { Appender } from '../../src/core/ports/store.ts'
import { Ticker } from '../../src/core/ticker.ts'
import { bytes, same } from '../support/bytes.ts'
import { FakeClock, quiet } from '../support/fake-clock.ts'
import { PushBody } from '../support/push-body.ts'
import { PACE, RecordingAppender } from '../support/recording-appender.ts'

const KIB = 1024
const MIB = 1024 * KIB

function holder(heldBytes: number): BufferHolder & { flushed: number; resumed: number } {
  return {
    heldBytes,
    flushed: 0,
    resumed: 0,
    flush() {
      this.flushed += 1
    },
    resume() {
      this.resumed += 1
    },
  }
}

describe('flush size', () => {
  test.each([
    [64 * MIB, 1, 4 * MIB],
    [64 * MIB, 8, 4 * MIB],
    [64 * MIB, 16, 2 * MIB],
    [64 * MIB, 64, 512 * KIB],
    [64 * MIB, 1000, 64 * KIB],
    [64 * KIB, 1, 64 * KIB],
  ])('%d bytes for %d uploads: %d each', (total, uploads, each) => {
    const budget = new MemoryBudget(total)
    for (let i = 0; i < uploads; i += 1) budget.join(holder(0))
    expect(budget.flushBytes).toBe(each)
  })

  test('grows again when others leave', () => {
    const budget = new MemoryBudget(64 * MIB)
    const holders = Array.from({ length: 100 }, () => holder(0))
    for (const one of holders) budget.join(one)
    for (const one of holders.slice(1)) budget.leave(one)
    expect(budget.flushBytes).toBe(4 * MIB)
  })
})

test('a budget too small for one flush is a mistake of the caller', () => {
  expect(() => new MemoryBudget(64 * KIB - 1)).toThrow(RangeError)
  expect(() => new MemoryBudget(Number.NaN)).toThrow(RangeError)
})

test('when the budget is used up the largest holder is flushed, whoever took last', () => {
  const budget = new MemoryBudget(64 * KIB)
  const [small, large] = [holder(4 * KIB), holder(60 * KIB)]
  budget.join(small)
  budget.join(large)
  budget.take(60 * KIB)
  expect(budget.admits(small)).toBe(true)
  budget.take(4 * KIB)
  expect(budget.admits(small)).toBe(false)
  expect([small.flushed, large.flushed]).toEqual([0, 1])
})

test('while it stays used up the next largest is flushed whenever something was written', () => {
  const budget = new MemoryBudget(64 * KIB)
  const one = holder(4 * KIB)
  budget.join(one)
  budget.take(100 * KIB)
  budget.give(10 * KIB)
  expect(one.flushed).toBe(2)
  budget.give(80 * KIB)
  expect(one.flushed).toBe(2)
})

test('those who wait go on when there is room, and only once', () => {
  const budget = new MemoryBudget(64 * KIB)
  const waiting = holder(64 * KIB)
  budget.join(waiting)
  budget.take(65 * KIB)
  expect(budget.admits(waiting)).toBe(false)
  budget.give(KIB / 2)
  expect(waiting.resumed).toBe(0)
  budget.give(32 * KIB)
  budget.give(16 * KIB)
  expect(waiting.resumed).toBe(1)
})

test('somebody who has left is not called any more', () => {
  const budget = new MemoryBudget(64 * KIB)
  const gone = holder(64 * KIB)
  budget.join(gone)
  budget.take(64 * KIB)
  budget.admits(gone)
  budget.leave(gone)
  budget.give(64 * KIB)
  expect(gone.resumed).toBe(0)
  expect(budget.usedBytes).toBe(0)
})

function receive(
  budget: MemoryBudget,
  body: PushBody,
  appender: Appender,
): { intake: Intake; end: Promise<IntakeEnd>; clock: FakeClock } {
  const clock = new FakeClock()
  const intake = new Intake({
    body,
    appender,
    budget,
    ticker: new Ticker(clock, 100),
    clock,
    pace: PACE,
    roomBytes: Number.POSITIVE_INFINITY,
    digest: undefined,
    checkpoint: () => Promise.resolve(),
  })
  return { intake, end: intake.run(0), clock }
}

describe.each(['at once', 'later'] as const)('a store that writes %s', (when) => {
  test(
    '1,000 uploads share 1 MiB: all of them arrive, and the budget holds',
    { timeout: 20_000 },
    async () => {
      const budget = new MemoryBudget(MIB)
      const content = bytes(40 * KIB)
      const uploads = Array.from({ length: 1000 }, () => {
        const [body, appender] = [new PushBody(), new RecordingAppender(when)]
        return { body, appender, end: receive(budget, body, appender).end, at: 0 }
      })
      let peakBytes = 0
      for (let open = uploads; open.length > 0; open = open.filter(({ at }) => at < content.length)) {
        const free = open.filter(({ body }) => !body.paused)
        expect(free.length, 'somebody may send').toBeGreaterThan(0)
        for (const upload of free) {
          if (upload.body.paused) continue
          upload.body.push(content.subarray(upload.at, upload.at + 4 * KIB))
          upload.at += 4 * KIB
          peakBytes = Math.max(peakBytes, budget.usedBytes)
          if (upload.at >= content.length) upload.body.end()
        }
        await quiet()
        await quiet()
      }
      const ends = await Promise.all(uploads.map(({ end }) => end))
      expect(new Set(ends.map(({ kind }) => kind))).toEqual(new Set(['complete']))
      expect(uploads.every(({ appender }) => same(appender.content, content))).toBe(true)
      expect(budget.usedBytes).toBe(0)
      // Whoever has not noticed yet may bring one chunk more before it is held back.
      expect(peakBytes).toBeLessThanOrEqual(MIB + 1000 * 4 * KIB)
    },
  )
})

test('an upload that its own store held back goes on although others had used up the budget meanwhile', async () => {
  const budget = new MemoryBudget(256 * KIB)
  const [one, other] = [new PushBody(), new PushBody()]
  const [slow, slower] = [new RecordingAppender('by hand'), new RecordingAppender('by hand')]
  const first = receive(budget, one, slow)
  const second = receive(budget, other, slower)
  one.push(bytes(64 * KIB))
  one.push(bytes(64 * KIB))
  expect(one.paused, 'a write under way and the next batch full').toBe(true)
  other.push(bytes(MIB))
  await settleWrites(slow)
  expect(one.paused, 'no room yet').toBe(true)
  await settleWrites(slower)
  expect([one.paused, other.paused]).toEqual([false, false])
  one.end()
  other.end()
  await Promise.all([first.end, second.end])
  expect(budget.usedBytes).toBe(0)
})

test('a write that hangs does not keep the others from going on', async () => {
  const budget = new MemoryBudget(256 * KIB)
  const [stuck, other] = [new PushBody(), new PushBody()]
  void receive(budget, stuck, new RecordingAppender('by hand'))
  const { end, clock } = receive(budget, other, new RecordingAppender('later'))
  stuck.push(bytes(64 * KIB))
  stuck.push(bytes(150 * KIB))
  for (let i = 0; i < 20; i += 1) {
    other.push(bytes(10 * KIB))
    if (other.paused) await clock.advance(200)
    expect(other.paused).toBe(false)
  }
  other.end()
  expect((await end).kind).toBe('complete')
})

test('the last batch is written before an upload ends, also when the budget asked for it', async () => {
  const budget = new MemoryBudget(64 * KIB)
  const [body, hog] = [new PushBody(), new PushBody()]
  const [appender, hung] = [new RecordingAppender('by hand'), new RecordingAppender('by hand')]
  void receive(budget, hog, hung)
  const { end } = receive(budget, body, appender)
  hog.push(bytes(200 * KIB))
  body.push(bytes(64 * KIB))
  body.push(bytes(10))
  body.end()
  let isOver = false
  void end.then(() => (isOver = true))
  appender.finishWrite()
  await quiet()
  expect(appender.writing).toBe(true)
  expect(isOver).toBe(false)
  appender.finishWrite()
  expect((await end).kind).toBe('complete')
})

test('an upload that finds the budget used up, and whose store writes at once, may go on', () => {
  const budget = new MemoryBudget(64 * KIB)
  const body = new PushBody()
  void receive(budget, body, new RecordingAppender('at once'))
  for (let i = 0; i < 100; i += 1) {
    expect(body.paused).toBe(false)
    body.push(bytes(40 * KIB))
  }
})

async function settleWrites(appender: RecordingAppender): Promise<void> {
  while (appender.writing) {
    appender.finishWrite()
    await quiet()
  }
}
