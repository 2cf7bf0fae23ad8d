import { describe, expect, test } from 'vitest'
import type { Deliverer } from '../../src/hooks/deliverer.ts'
import { eventSinkOf } from '../../src/hooks/event-sink.ts'
import { HookError } from '../../src/hooks/ports/hook-error.ts'
import { quiet } from '../support/fake-clock.ts'
import { down, messages, QUEUE, queuesWith, scene } from './delivery-scene.ts'
import { aRecord, idOf } from './samples.ts'

describe('delivery', () => {
  test('takes what is there, tells it in order, and it is gone', async () => {
    const { clock, receiver, tell, start, waiting } = scene()
    await tell('a', 'post-create', 'post-finish')
    await tell('b', 'post-create')
    start()
    await clock.advance(0)
    expect(receiver.heard.filter((line) => line.includes(' a '))).toEqual([
      'post-create a 1',
      'post-finish a 1',
    ])
    expect(receiver.heard).toContain('post-create b 1')
    expect(await waiting()).toEqual([])
  })

  test('gives an event its id, its place and its time', async () => {
    const { clock, receiver, tell, start } = scene()
    const atMs = clock.nowMs()
    await tell('a', 'post-create')
    await tell('a', 'post-finish')
    await clock.advance(5000)
    start()
    await clock.advance(0)
    expect(receiver.calls).toMatchObject([
      { id: `${idOf('a')}.post-create`, sequence: 1, attempt: 1, atMs, event: { Upload: { ID: idOf('a') } } },
      { id: `${idOf('a')}.post-finish`, sequence: 2, attempt: 1, atMs },
    ])
    expect(receiver.calls[0]?.event.HTTPRequest.Header).not.toHaveProperty('Authorization')
  })

  test('hears of new events at once when it is told, and soon when it is not', async () => {
    const { clock, receiver, tell, start } = scene()
    const deliverer = start()
    await clock.advance(0)
    await tell('a', 'post-create')
    await clock.advance(0)
    expect(receiver.heard).toEqual([])
    deliverer.wake()
    await quiet()
    expect(receiver.heard).toEqual(['post-create a 1'])
    await tell('b', 'post-create')
    await clock.advance(500)
    expect(receiver.heard).toEqual(['post-create a 1', 'post-create b 1'])
  })

  test('is told while it looks, and looks once more', async () => {
    const { receiver, tell, start, queues } = scene()
    let isFirst = true
    const telling = queuesWith(queues, {
      async nextDueMs(queue) {
        const due = await queues.nextDueMs(queue)
        if (isFirst) {
          isFirst = false
          await tell('a', 'post-create')
          deliverer.wake()
        }
        return due
      },
    })
    const deliverer: Deliverer = start({ queues: telling })
    await quiet()
    expect(receiver.heard).toEqual(['post-create a 1'])
  })

  test('looks twice a second when there is nothing, and takes nothing then', async () => {
    const { clock, queues, start } = scene()
    let looks = 0
    let takes = 0
    const counting = queuesWith(queues, {
      async nextDueMs(queue) {
        looks += 1
        return queues.nextDueMs(queue)
      },
      async take(queue, options) {
        takes += 1
        return queues.take(queue, options)
      },
    })
    start({ queues: counting })
    await clock.advance(10_000)
    expect(looks).toBe(21)
    expect(takes).toBe(0)
  })

  test('tells several uploads at once, one event of each, up to a limit', async () => {
    const { clock, receiver, tell, start } = scene()
    const release: (() => void)[] = []
    receiver.answer = () => new Promise((resolve) => void release.push(() => resolve({})))
    for (const upload of ['a', 'b', 'c', 'd', 'e']) await tell(upload, 'post-create', 'post-finish')
    start({ concurrency: 3 })
    await clock.advance(0)
    expect(receiver.heard).toEqual(['post-create a 1', 'post-create b 1', 'post-create c 1'])
    release[0]?.()
    await clock.advance(0)
    expect(receiver.heard.slice(3)).toEqual(['post-finish a 1'])
    while (receiver.calls.length < 10 || receiver.under > 0) {
      for (const go of release.splice(0)) go()
      await clock.advance(0)
    }
    expect(receiver.most).toBe(3)
    for (const upload of ['a', 'b', 'c', 'd', 'e']) {
      expect(receiver.heard.filter((line) => line.includes(` ${upload} `))).toEqual([
        `post-create ${upload} 1`,
        `post-finish ${upload} 1`,
      ])
    }
  })

  test('does not turn round and round while what is due waits for what is under way', async () => {
    const { clock, receiver, queues, tell, start } = scene()
    receiver.answer = () => new Promise(() => undefined)
    await tell('a', 'post-create', 'post-finish')
    let looks = 0
    const counting = queuesWith(queues, {
      async nextDueMs(queue) {
        looks += 1
        return (await queues.nextDueMs(queue)) === undefined ? undefined : 0
      },
    })
    start({ queues: counting })
    await clock.advance(5000)
    expect(looks).toBeLessThan(15)
  })
})

describe('a failure', () => {
  test('comes again, later and later, with the same id and the same place', async () => {
    const { clock, receiver, reports, tell, start, waiting } = scene()
    await tell('a', 'post-create', 'post-finish')
    let failures = 3
    receiver.answer = () => {
      failures -= 1
      if (failures >= 0) throw down
      return {}
    }
    start()
    const startMs = clock.nowMs()
    const times: number[] = []
    while ((await waiting()).length > 0) {
      const before = receiver.calls.length
      await clock.advance(100)
      for (const _ of receiver.calls.slice(before)) times.push(clock.nowMs() - startMs)
    }
    expect(receiver.heard).toEqual([
      'post-create a 1',
      'post-create a 2',
      'post-create a 3',
      'post-create a 4',
      'post-finish a 1',
    ])
    expect(times.slice(0, 4)).toEqual([100, 1000, 3000, 7000])
    expect(new Set(receiver.calls.slice(0, 4).map(({ id, sequence }) => `${id} ${sequence}`)).size).toBe(1)
    expect(messages(reports)).toEqual([
      `The event post-create of ${idOf('a')} (number 1) was not delivered (attempt 1 of 12): again in 1 s`,
      `The event post-create of ${idOf('a')} (number 1) was not delivered (attempt 2 of 12): again in 2 s`,
      `The event post-create of ${idOf('a')} (number 1) was not delivered (attempt 3 of 12): again in 4 s`,
    ])
  })

  test('of one upload holds up no other', async () => {
    const { clock, receiver, tell, start, waiting } = scene()
    await tell('a', 'post-create', 'post-finish')
    await tell('b', 'post-create', 'post-finish')
    receiver.answer = ({ event }) => {
      if (event.Upload.ID === idOf('a')) throw down
      return {}
    }
    start()
    await clock.advance(600)
    expect((await waiting()).map(({ uploadId }) => uploadId)).toEqual([idOf('a'), idOf('a')])
    expect(receiver.heard).not.toContain('post-finish a 1')
  })

  test('is never waited for longer than ten minutes, and is given up after twelve attempts', async () => {
    const { clock, receiver, reports, tell, start, waiting } = scene()
    await tell('a', 'post-create', 'post-finish')
    receiver.answer = ({ type }) => {
      if (type === 'post-create') throw down
      return {}
    }
    start()
    await clock.advance(1623 * 1000 + 400)
    expect(receiver.calls.filter(({ type }) => type === 'post-create')).toHaveLength(12)
    expect(await waiting()).toMatchObject([{ type: 'post-create', isDead: true, lastError: 'nobody there' }])
    expect(receiver.heard.at(-1)).toBe('post-finish a 1')
    expect(messages(reports).at(-1)).toMatch(/attempt 12 of 12\): it is given up until it is replayed$/)
  })

  test('that was given up comes back when it is replayed', async () => {
    const { clock, receiver, queues, tell, start, waiting } = scene()
    await tell('a', 'post-create')
    receiver.answer = () => {
      throw down
    }
    start({ maxAttempts: 1 })
    await clock.advance(0)
    const [dead] = await waiting()
    expect(dead).toMatchObject({ isDead: true })
    receiver.answer = () => ({})
    await clock.advance(3_600_000)
    expect(receiver.calls).toHaveLength(1)
    await queues.replay([dead?.sequence ?? 0])
    await clock.advance(500)
    expect(receiver.heard).toEqual(['post-create a 1', 'post-create a 1'])
    expect(receiver.calls[1]?.id).toBe(receiver.calls[0]?.id)
    expect(await waiting()).toEqual([])
  })

  test('for good is given up at once', async () => {
    const { clock, receiver, tell, start, waiting } = scene()
    await tell('a', 'post-create')
    receiver.answer = () => {
      throw new HookError('refused', 'answered 410', { retry: 'never' })
    }
    start()
    await clock.advance(0)
    expect(await waiting()).toMatchObject([{ isDead: true, attempts: 1, lastError: 'answered 410' }])
  })

  test('that somebody has to mend is tried again like any other', async () => {
    const { clock, receiver, tell, start, waiting } = scene()
    await tell('a', 'post-create')
    receiver.answer = () => {
      throw new HookError('refused', 'answered 404', { retry: 'later' })
    }
    start()
    await clock.advance(400)
    receiver.answer = () => ({})
    await clock.advance(1000)
    expect(await waiting()).toEqual([])
  })

  test('waits as long as the receiver wants it to, within bounds', async () => {
    const { clock, receiver, tell, start, waiting } = scene()
    await tell('a', 'post-create')
    let retryAfterMs = 90_000
    receiver.answer = () => {
      throw new HookError('refused', 'answered 503', { retry: 'soon', retryAfterMs })
    }
    start()
    await clock.advance(0)
    const first = clock.nowMs()
    expect(await waiting()).toMatchObject([{ dueAtMs: first + 90_000 }])
    retryAfterMs = 1e12
    await clock.advance(90_000)
    expect(await waiting()).toMatchObject([{ dueAtMs: clock.nowMs() + 600_000 }])
  })

  test('of any other kind is one too', async () => {
    const { clock, receiver, tell, start, waiting } = scene()
    await tell('a', 'post-create')
    receiver.answer = () => {
      throw new TypeError('cannot read properties of undefined')
    }
    start()
    await clock.advance(0)
    expect(await waiting()).toMatchObject([
      { isDead: false, attempts: 1, lastError: 'The hook transport one failed' },
    ])
  })

  test.each([
    ['a payload that is none', { payload: '{"Type":' }],
    ['a type that is none', { type: 'claim' }],
  ])('without remedy, %s, is given up at once and holds up nothing', async (_, change) => {
    const { clock, catalog, receiver, tell, start, waiting } = scene()
    const record = aRecord({ id: idOf('bad') })
    const sink = eventSinkOf(receiver)
    const event = { queue: QUEUE, uploadId: record.id, type: 'post-create', atMs: 0, payload: '{}' }
    const good = { ...event, type: 'post-finish', payload: sink.describe('post-finish', record, undefined) }
    await catalog.insert(record, [{ ...event, ...change }, good])
    await tell('a', 'post-create')
    start()
    await clock.advance(0)
    expect(await waiting()).toMatchObject([{ uploadId: record.id, isDead: true }])
    expect([...receiver.heard].sort()).toEqual(['post-create a 1', 'post-finish bad 1'])
  })

  test('to come back in time is one, when the transport has no bound of its own', async () => {
    const { clock, receiver, tell, start, waiting } = scene()
    await tell('a', 'post-create')
    receiver.answer = () => new Promise(() => undefined)
    start({ timeoutMs: 60_000 })
    await clock.advance(60_000)
    expect(receiver.signals[0]?.aborted).toBe(true)
    expect(await waiting()).toMatchObject([
      { attempts: 1, lastError: 'one has not answered within 60000 ms' },
    ])
  })
})
