import { describe, expect, test } from 'vitest'
import { messages, QUEUE, queuesWith, scene } from './delivery-scene.ts'
import { idOf } from './samples.ts'

describe('several processes', () => {
  test('an event is theirs who take it, for as long as its delivery goes on', async () => {
    const { clock, receiver, tell, start, waiting } = scene()
    await tell('a', 'post-create')
    let finish = (): void => undefined
    receiver.answer = () => new Promise((resolve) => (finish = () => resolve({})))
    start({ leaseMs: 30_000 })
    start({ leaseMs: 30_000 })
    await clock.advance(120_000)
    expect(receiver.heard).toEqual(['post-create a 1'])
    finish()
    await clock.advance(0)
    expect(await waiting()).toEqual([])
  })

  test('what a killed process had taken is delivered by another one when its lease is over', async () => {
    const { clock, receiver, queues, tell, start, waiting } = scene()
    await tell('a', 'post-create', 'post-finish')
    // Taken, maybe told, never done.
    await queues.take(QUEUE, { limit: 1, nowMs: clock.nowMs(), leaseMs: 30_000 })
    start()
    await clock.advance(29_999)
    expect(receiver.heard).toEqual([])
    await clock.advance(501)
    expect(receiver.heard).toEqual(['post-create a 2', 'post-finish a 1'])
    expect(receiver.calls[0]).toMatchObject({ id: `${idOf('a')}.post-create`, sequence: 1 })
    expect(await waiting()).toEqual([])
  })

  test('who has lost an event stops telling it, and leaves it alone', async () => {
    const { clock, receiver, queues, reports, tell, start, waiting } = scene()
    await tell('a', 'post-create')
    receiver.answer = () => new Promise(() => undefined)
    start({ leaseMs: 30_000 })
    await clock.advance(0)
    // Another process, by whose clock the lease is over: this one was frozen.
    const [taken] = await queues.take(QUEUE, { limit: 1, nowMs: clock.nowMs() + 60_000, leaseMs: 600_000 })
    expect(taken).toMatchObject({ attempts: 2 })
    await clock.advance(10_000)
    expect(receiver.signals[0]?.aborted).toBe(true)
    expect(messages(reports)).toEqual([
      `The event post-create of ${idOf('a')} (number 1) was taken by another process during its delivery`,
    ])
    expect(await waiting()).toMatchObject([{ attempts: 2, lastError: undefined }])
  })
})

describe('trouble with the queue', () => {
  test('is reported, and the queue asked again', async () => {
    const { clock, receiver, queues, reports, tell, start, waiting } = scene()
    await tell('a', 'post-create')
    const trouble = new Error('disk I/O error')
    let failures = 3
    const shaky = queuesWith(queues, {
      async nextDueMs(queue) {
        failures -= 1
        if (failures >= 0) throw trouble
        return queues.nextDueMs(queue)
      },
    })
    start({ queues: shaky })
    await clock.advance(1500)
    expect(reports).toEqual([trouble, trouble, trouble])
    expect(receiver.heard).toEqual(['post-create a 1'])
    expect(await waiting()).toEqual([])
  })

  test('an event that cannot be marked as done is told again when its lease is over', async () => {
    const { clock, receiver, queues, reports, tell, start, waiting } = scene()
    await tell('a', 'post-create')
    const trouble = new Error('disk I/O error')
    let failures = 1
    const shaky = queuesWith(queues, {
      async done(entry) {
        failures -= 1
        if (failures >= 0) throw trouble
        return queues.done(entry)
      },
    })
    start({ queues: shaky })
    await clock.advance(31_000)
    expect(reports).toEqual([trouble])
    expect(receiver.heard).toEqual(['post-create a 1', 'post-create a 2'])
    expect(await waiting()).toEqual([])
  })

  test('a renewal that fails once loses nothing', async () => {
    const { clock, receiver, queues, reports, tell, start } = scene()
    await tell('a', 'post-create')
    const trouble = new Error('disk I/O error')
    receiver.answer = () => new Promise(() => undefined)
    let failures = 1
    const shaky = queuesWith(queues, {
      async extend(entry, untilMs) {
        failures -= 1
        if (failures >= 0) throw trouble
        return queues.extend(entry, untilMs)
      },
    })
    start({ queues: shaky, leaseMs: 30_000 })
    start({ leaseMs: 30_000 })
    await clock.advance(120_000)
    expect(reports).toEqual([trouble])
    expect(receiver.heard).toEqual(['post-create a 1'])
  })
})

describe('the end', () => {
  test('waits for what is under way and takes nothing more', async () => {
    const { clock, receiver, tell, start, waiting } = scene()
    await tell('a', 'post-create', 'post-finish')
    let finish = (): void => undefined
    receiver.answer = () => new Promise((resolve) => (finish = () => resolve({})))
    const deliverer = start()
    await clock.advance(0)
    let isClosed = false
    const closed = deliverer.close({ graceMs: 5000 }).then(() => void (isClosed = true))
    await clock.advance(4999)
    expect(isClosed).toBe(false)
    finish()
    await closed
    await clock.advance(60_000)
    deliverer.wake()
    await clock.advance(60_000)
    expect(receiver.heard).toEqual(['post-create a 1'])
    expect(await waiting()).toMatchObject([{ type: 'post-finish', attempts: 0 }])
    expect(clock.pending).toBe(0)
  })

  test('gives back what does not end in time, for others to take at once', async () => {
    const { clock, receiver, tell, start, waiting } = scene()
    await tell('a', 'post-create')
    receiver.answer = () => new Promise(() => undefined)
    const deliverer = start()
    await clock.advance(0)
    const closed = deliverer.close({ graceMs: 5000 })
    await clock.advance(5000)
    await closed
    expect(receiver.signals[0]?.aborted).toBe(true)
    expect(await waiting()).toMatchObject([{ attempts: 1, isDead: false, dueAtMs: clock.nowMs() }])
    receiver.answer = () => ({})
    start()
    await clock.advance(0)
    expect(receiver.heard).toEqual(['post-create a 1', 'post-create a 2'])
    expect(clock.pending).toBeLessThanOrEqual(1)
  })

  test('gives nothing up, were it the last attempt', async () => {
    const { clock, receiver, tell, start, waiting } = scene()
    await tell('a', 'post-create')
    receiver.answer = () => new Promise(() => undefined)
    const deliverer = start({ maxAttempts: 1 })
    await clock.advance(0)
    const closed = deliverer.close({ graceMs: 0 })
    await clock.advance(0)
    await closed
    expect(await waiting()).toMatchObject([{ isDead: false }])
  })

  test('may come twice, and while something is being taken', async () => {
    const { clock, receiver, queues, tell, start, waiting } = scene()
    await tell('a', 'post-create')
    let go = (): void => undefined
    const gate = new Promise<void>((resolve) => (go = resolve))
    const slow = queuesWith(queues, {
      async take(queue, options) {
        const taken = await queues.take(queue, options)
        await gate
        return taken
      },
    })
    const deliverer = start({ queues: slow })
    await clock.advance(0)
    const [first, second] = [deliverer.close(), deliverer.close()]
    expect(second).toBe(first)
    go()
    await first
    // What was taken was told: nothing waits for a lease to end.
    expect(receiver.heard).toEqual(['post-create a 1'])
    expect(await waiting()).toEqual([])
  })
})

describe('options', () => {
  test.each([
    { concurrency: 0 },
    { concurrency: 1.5 },
    { maxAttempts: 0 },
    { backoffMs: 0 },
    { maxBackoffMs: Infinity },
    { timeoutMs: -1 },
    { leaseMs: NaN },
    { idleMs: 0 },
  ])('%j is refused', (options) => {
    const { start } = scene()
    expect(() => start(options)).toThrow(RangeError)
  })
})
