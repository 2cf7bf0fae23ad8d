import { describe, expect, test } from 'vitest'
import { bytes } from '../support/bytes.ts'
import { gate } from '../support/faults.ts'
import { RecordingAppender } from '../support/recording-appender.ts'
import { KIB, MIB, scene } from './intake-scene.ts'

describe('recording on the way', () => {
  test('after every 16 MiB', async () => {
    const { body, checkpoints, clock } = scene()
    for (let i = 0; i < 10; i += 1) {
      body.push(bytes(4 * MIB))
      await clock.advance(1)
    }
    expect(checkpoints).toEqual([16 * MIB, 32 * MIB])
  })

  test('after 5 s with anything new, and not without', async () => {
    const { body, checkpoints, clock } = scene()
    body.push(bytes(1000))
    await clock.advance(4900)
    expect(checkpoints).toEqual([])
    await clock.advance(200)
    expect(checkpoints).toEqual([1000])
    await clock.advance(20_000)
    expect(checkpoints).toEqual([1000])
  })

  test('one at a time', async () => {
    const recording = gate()
    const { body, checkpoints, clock } = scene({ checkpoint: () => recording.passed })
    for (let i = 0; i < 12; i += 1) body.push(bytes(4 * MIB))
    await clock.advance(10_000)
    expect(checkpoints).toEqual([16 * MIB])
    recording.open()
    await clock.advance(10_000)
    expect(checkpoints).toEqual([16 * MIB, 48 * MIB])
  })
})

describe('held bytes', () => {
  test('are written when no more have come for 100 ms', async () => {
    const { body, appender, clock } = scene()
    body.push(bytes(10))
    expect(appender.writes).toEqual([])
    await clock.advance(200)
    expect(appender.writes).toEqual([10])
  })

  test('are gathered on while more come', async () => {
    const { body, appender, clock } = scene()
    for (let i = 0; i < 20; i += 1) {
      body.push(bytes(10))
      await clock.advance(100)
    }
    expect(appender.writes).toEqual([])
    await clock.advance(100)
    expect(appender.writes).toEqual([200])
  })
})

describe('a slow sender', () => {
  test('without a byte for 30 s is given up; what came is kept', async () => {
    const { body, appender, clock, end, ended } = scene()
    body.push(bytes(10))
    await clock.advance(29_900)
    expect(ended()).toBeUndefined()
    await clock.advance(300)
    expect((await end).kind).toBe('too-slow')
    expect(body.stopped).toBe(true)
    expect(appender.content).toEqual(bytes(10))
  })

  test('that never sends a byte is given up too', async () => {
    const { clock, ended } = scene()
    await clock.advance(30_100)
    expect(ended()?.kind).toBe('too-slow')
  })

  test('below the minimum rate is given up after a window', async () => {
    const { body, clock, ended } = scene({ pace: { minRateBytesPerSecond: 64, minRateWindowMs: 60_000 } })
    for (let second = 0; second < 59; second += 1) {
      body.push(bytes(60))
      await clock.advance(1000)
    }
    expect(ended()).toBeUndefined()
    await clock.advance(2000)
    expect(ended()?.kind).toBe('too-slow')
  })

  test('at the minimum rate is kept, window after window', async () => {
    const { body, clock, ended } = scene()
    for (let second = 0; second < 300; second += 1) {
      body.push(bytes(65))
      await clock.advance(1000)
    }
    expect(ended()).toBeUndefined()
  })

  test('an early burst does not excuse a later window', async () => {
    const { body, clock, ended } = scene()
    body.push(bytes(MIB))
    for (let second = 0; second < 125 && ended() === undefined; second += 1) {
      body.push(bytes(1))
      await clock.advance(1000)
    }
    expect(ended()?.kind).toBe('too-slow')
  })
})

describe('a sender that we hold back is not slow', () => {
  test('while a write takes its time', async () => {
    const appender = new RecordingAppender('by hand')
    const { body, clock, ended } = scene({ appender })
    body.push(bytes(4 * MIB))
    await clock.advance(300_000)
    expect(ended()).toBeUndefined()
    appender.finishWrite()
    await clock.advance(29_900)
    expect(ended(), 'its own time begins now').toBeUndefined()
    await clock.advance(300)
    expect(ended()?.kind).toBe('too-slow')
  })

  test('while the memory of all is used up', async () => {
    const appender = new RecordingAppender('by hand')
    const { body, clock, ended } = scene({ appender, memoryBytes: 64 * KIB })
    body.push(bytes(64 * KIB))
    body.push(bytes(64 * KIB))
    expect(body.paused).toBe(true)
    await clock.advance(300_000)
    expect(ended()).toBeUndefined()
  })
})
