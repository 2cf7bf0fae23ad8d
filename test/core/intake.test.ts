import { describe, expect, test } from 'vitest'
import { bytes, same } from '../support/bytes.ts'
import { quiet } from '../support/fake-clock.ts'
import { gate } from '../support/faults.ts'
import { RecordingAppender } from '../support/recording-appender.ts'
import { KIB, MIB, scene } from './intake-scene.ts'

describe('a body that arrives', () => {
  test.each(['at once', 'later'] as const)(
    'is written whole and in order by a store that writes %s',
    async (when) => {
      const { body, appender, end } = scene({ appender: new RecordingAppender(when), memoryBytes: 64 * KIB })
      const content = bytes(500 * KIB)
      for (let at = 0; at < content.length;) {
        if (body.paused) {
          await quiet()
          continue
        }
        const next = at + 1 + ((at * 7) % 9000)
        body.push(content.subarray(at, next))
        at = next
      }
      body.end(new Map([['a', 'b']]))
      expect(await end).toEqual({ kind: 'complete', trailers: new Map([['a', 'b']]) })
      expect(same(appender.content, content)).toBe(true)
      expect(appender.overlapped).toBe(false)
    },
  )

  test('without a byte is complete without a write', async () => {
    const { body, appender, end } = scene()
    body.push(new Uint8Array(0))
    body.end()
    expect((await end).kind).toBe('complete')
    expect(appender.writes).toEqual([])
  })

  test('is gathered into writes of the flush size', async () => {
    const { body, appender, end } = scene({ memoryBytes: 64 * MIB })
    for (let i = 0; i < 160; i += 1) body.push(bytes(64 * KIB))
    body.end()
    await end
    expect(appender.writes).toEqual([4 * MIB, 4 * MIB, 2 * MIB])
  })

  test('that is cut keeps what has arrived', async () => {
    const { body, appender, end } = scene()
    body.push(bytes(1000))
    body.cut()
    expect((await end).kind).toBe('cut')
    expect(appender.content).toEqual(bytes(1000))
  })
})

describe('back-pressure', () => {
  test('one write in flight; the sender is held back when the next batch is full, and goes on after', async () => {
    const { body, appender } = scene({ appender: new RecordingAppender('by hand'), memoryBytes: 64 * MIB })
    body.push(bytes(4 * MIB))
    expect(appender.writes).toEqual([4 * MIB])
    body.push(bytes(3 * MIB))
    expect(body.paused, 'the next batch has room').toBe(false)
    body.push(bytes(MIB))
    expect(body.paused).toBe(true)
    expect(appender.writes).toHaveLength(1)
    appender.finishWrite()
    await quiet()
    expect(appender.writes).toEqual([4 * MIB, 4 * MIB])
    expect(body.paused).toBe(false)
    expect(appender.overlapped).toBe(false)
  })

  test('a chunk that was on its way when the sender was held back is not lost', async () => {
    const { body, appender, end } = scene({ appender: new RecordingAppender('later') })
    const content = bytes(9 * MIB)
    body.push(content.subarray(0, 4 * MIB))
    body.push(content.subarray(4 * MIB, 8 * MIB))
    expect(body.paused).toBe(true)
    body.push(content.subarray(8 * MIB))
    body.end()
    await end
    expect(same(appender.content, content)).toBe(true)
  })
})

describe('more than there is room for', () => {
  test.each([0, 1, 999, 1000])('room for %d of 1,001 bytes is used exactly', async (roomBytes) => {
    const { body, appender, end } = scene({ roomBytes })
    const content = bytes(1001)
    body.push(content.subarray(0, 500))
    body.push(content.subarray(500))
    expect((await end).kind).toBe('overflow')
    expect(body.stopped, 'no more is read').toBe(true)
    expect(appender.content).toEqual(content.subarray(0, roomBytes))
  })

  test('exactly what there is room for is no overflow', async () => {
    const { body, end } = scene({ roomBytes: 1000 })
    body.push(bytes(1000))
    body.end()
    expect((await end).kind).toBe('complete')
  })
})

describe('stop', () => {
  test('keeps what has arrived, the write under way included', async () => {
    const { body, appender, intake, end, ended } = scene({ appender: new RecordingAppender('by hand') })
    const content = bytes(5 * MIB)
    body.push(content.subarray(0, 4 * MIB))
    body.push(content.subarray(4 * MIB))
    intake.stop('shutdown')
    expect(body.stopped).toBe(true)
    await quiet()
    expect(ended(), 'a write is under way').toBeUndefined()
    appender.finishWrite()
    await quiet()
    expect(ended(), 'the rest is being written').toBeUndefined()
    appender.finishWrite()
    expect(await end).toEqual({ kind: 'stopped', reason: 'shutdown' })
    expect(same(appender.content, content)).toBe(true)
  })

  test('for a newer request waits a moment for what this machine has received already', async () => {
    const { body, appender, intake, end, clock, ended } = scene()
    body.push(bytes(1000))
    intake.stop('pre-empted')
    expect(body.stopped).toBe(false)
    body.push(bytes(10))
    await clock.advance(24)
    expect(ended()).toBeUndefined()
    await clock.advance(1)
    expect(await end).toEqual({ kind: 'stopped', reason: 'pre-empted' })
    expect(body.stopped).toBe(true)
    expect(appender.content.length).toBe(1010)
  })

  test('does not disturb a body that is fully here', async () => {
    const { body, appender, intake, end, clock } = scene({ appender: new RecordingAppender('by hand') })
    body.push(bytes(4 * MIB))
    body.push(bytes(10))
    body.end()
    intake.stop('pre-empted')
    await clock.advance(1000)
    intake.stop('shutdown')
    appender.finishWrite()
    await quiet()
    appender.finishWrite()
    expect((await end).kind).toBe('complete')
  })

  test('does not disturb one whose end comes right after', async () => {
    const { body, intake, end, clock } = scene()
    body.push(bytes(10))
    intake.stop('pre-empted')
    body.end()
    expect((await end).kind).toBe('complete')
    await clock.advance(200)
    expect(clock.pending).toBe(0)
  })

  test('several times is like once, however often newer requests come', async () => {
    const { intake, end, clock } = scene()
    for (let i = 0; i < 5; i += 1) {
      intake.stop('pre-empted')
      await clock.advance(5)
    }
    expect(await end).toEqual({ kind: 'stopped', reason: 'pre-empted' })
  })

  test('for the end of the server does not wait', async () => {
    const { intake, end } = scene()
    intake.stop('pre-empted')
    intake.stop('shutdown')
    intake.stop('pre-empted')
    expect(await end).toEqual({ kind: 'stopped', reason: 'shutdown' })
  })
})

describe('failures', () => {
  test.each(['at once', 'later'] as const)(
    'a write that fails %s ends the intake and frees its memory',
    async (when) => {
      const error = new Error('disk on fire')
      const appender = new RecordingAppender('by hand')
      const { body, end, budget } = scene({ appender })
      if (when === 'at once') {
        Object.assign(appender, {
          write: () => {
            throw error
          },
        })
      }
      body.push(bytes(4 * MIB))
      if (when === 'later') {
        body.push(bytes(1000))
        appender.failWrite(error)
      }
      expect(await end).toEqual({ kind: 'failed', error })
      expect(body.stopped).toBe(true)
      expect(budget.usedBytes).toBe(0)
      body.push(bytes(10))
      expect(budget.usedBytes, 'nothing is taken any more').toBe(0)
    },
  )

  test('a write that fails after the end of the body is a failure, not a completion', async () => {
    const { body, appender, end } = scene({ appender: new RecordingAppender('by hand') })
    body.push(bytes(1000))
    body.end()
    appender.failWrite(new Error('disk on fire'))
    expect((await end).kind).toBe('failed')
  })

  test('a checkpoint that fails ends the intake', async () => {
    const error = new Error('the lease is lost')
    const { body, end } = scene({ checkpoint: () => Promise.reject(error) })
    body.push(bytes(16 * MIB))
    expect(await end).toEqual({ kind: 'failed', error })
    expect(body.stopped).toBe(true)
  })

  test('a checkpoint that fails after the end of the body is a failure too', async () => {
    const recording = gate()
    const { body, end } = scene({ checkpoint: () => recording.passed })
    body.push(bytes(16 * MIB))
    body.push(bytes(1000))
    body.end()
    await quiet()
    recording.fail(new Error('the lease is lost'))
    expect((await end).kind).toBe('failed')
  })
})

test('the end waits for a checkpoint under way, so that the final record does not overtake it', async () => {
  const recording = gate()
  const { body, end, ended } = scene({ checkpoint: () => recording.passed })
  body.push(bytes(16 * MIB))
  body.end()
  await quiet()
  expect(ended()).toBeUndefined()
  recording.open()
  expect((await end).kind).toBe('complete')
})

test('a thousand intakes leave no timer and no memory behind', async () => {
  const one = scene()
  for (let i = 0; i < 1000; i += 1) {
    const { body, end, budget } = scene()
    body.push(bytes(100))
    if (i % 2 === 0) body.end()
    else body.cut()
    await end
    expect(budget.usedBytes).toBe(0)
  }
  one.body.end()
  await one.end
  await one.clock.advance(1000)
  expect(one.clock.pending).toBe(0)
})
