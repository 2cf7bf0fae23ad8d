import { afterEach, describe, expect, test } from 'vitest'
import { UploadError } from '../../src/core/errors.ts'
import { CLAIMS_QUEUE } from '../../src/core/ports/catalog.ts'
import type { Catalog } from '../../src/core/ports/catalog.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { withFaults } from '../support/faults.ts'
import { codeOf } from '../support/rig.ts'
import { expectNoTimer, neighbour, scene, withQueues } from './queue-scene.ts'
import { cleanUp, uploaded } from './scene.ts'

afterEach(cleanUp)

describe('the lease', () => {
  test('extends itself while the claim is open', async () => {
    const s = scene()
    const other = neighbour(s)
    await uploaded(s)
    const claim = await s.next({ leaseMs: 3000 })
    for (let count = 0; count < 20; count += 1) {
      await s.clock.advance(1500)
      await other.none()
    }
    expect(claim.signal.aborted).toBe(false)
    await claim.done()
    await expectNoTimer(s)
    await s.clock.advance(10_000)
    await other.none()
  })

  test('without that it ends, another gets the upload, and the former worker is told', async () => {
    const s = scene()
    const other = neighbour(s)
    const { id } = await uploaded(s)
    const first = await s.next({ leaseMs: 3000, autoExtend: false })
    await s.clock.advance(2999)
    await other.none()
    expect(first.signal.aborted).toBe(false)
    await s.clock.advance(1)
    const second = await other.next()
    expect([second.id, second.attempt]).toEqual([id, 2])
    expect(first.signal.aborted).toBe(true)
    expect(first.signal.reason).toMatchObject({ code: 'ERR_LEASE_LOST' })
    for (const late of [first.done(), first.extend(), first.path(), first.digest()]) {
      expect(await codeOf(late)).toBe('ERR_LEASE_LOST')
    }
    await first.release('too late')
    expect(() => first.read()).toThrow(expect.objectContaining({ code: 'ERR_LEASE_LOST' }))
    await second.done()
  })

  test('a worker that was frozen hears of its loss as soon as it runs again', async () => {
    const s = scene()
    const { id } = await uploaded(s)
    const claim = await s.next({ leaseMs: 3000 })
    // Somebody else has taken it meanwhile: time has passed for others, not for this process.
    const [taken] = await s.catalog.queues.take(CLAIMS_QUEUE, {
      limit: 1,
      nowMs: s.clock.nowMs() + 60_000,
      leaseMs: 60_000,
    })
    expect(taken?.uploadId).toBe(id)
    await s.clock.advance(1000)
    expect(claim.signal.aborted).toBe(true)
    expect(await codeOf(claim.done())).toBe('ERR_LEASE_LOST')
    await expectNoTimer(s)
  })

  test('done() and release() of one that was taken over change nothing for the new holder', async () => {
    for (const end of ['done', 'release'] as const) {
      const s = scene()
      await uploaded(s)
      const claim = await s.next()
      const options = { limit: 1, nowMs: s.clock.nowMs() + 100_000, leaseMs: 60_000 }
      const [taken] = await s.catalog.queues.take(CLAIMS_QUEUE, options)
      // There is nothing left to release, and that is what was wanted.
      expect(await codeOf(claim[end]())).toBe(end === 'done' ? 'ERR_LEASE_LOST' : 'none')
      expect(claim.signal.aborted).toBe(true)
      expect(await s.catalog.queues.done(taken ?? { sequence: 0, attempts: 0 })).toBe(true)
    }
  })

  test('extend() keeps it for longer than the lease', async () => {
    const s = scene()
    const other = neighbour(s)
    await uploaded(s)
    const claim = await s.next({ leaseMs: 3000, autoExtend: false })
    await s.clock.advance(2000)
    await claim.extend(10_000)
    await s.clock.advance(9999)
    await other.none()
    await claim.extend()
    await s.clock.advance(2999)
    await other.none()
    await claim.done()
    await expect(claim.extend(-1)).rejects.toThrow(RangeError)
  })

  test('a catalog that fails for a while costs nothing; one that fails for a lease costs the claim', async () => {
    let isDown = false
    const catalog = withQueues((queues) => ({
      extend: (entry, untilMs) =>
        isDown ? Promise.reject(new Error('down')) : queues.extend(entry, untilMs),
    }))
    const s = scene({ catalog })
    await uploaded(s)
    const claim = await s.next({ leaseMs: 3000 })
    isDown = true
    await s.clock.advance(1500)
    expect(s.reports).not.toEqual([])
    isDown = false
    await s.clock.advance(3000)
    expect(claim.signal.aborted).toBe(false)
    isDown = true
    await s.clock.advance(4000)
    expect(claim.signal.aborted).toBe(true)
  })

  test('a refusal because this process was expelled as a whole is tried again', async () => {
    let refusals = 0
    const once = <T>(change: () => Promise<T>): Promise<T> => {
      refusals += 1
      return refusals % 2 === 1 ? Promise.reject(new UploadError('ERR_LEASE_LOST')) : change()
    }
    const catalog = withQueues((queues) => ({
      take: (queue, options) => once(() => queues.take(queue, options)),
      done: (entry) => once(() => queues.done(entry)),
      extend: (entry, untilMs) => once(() => queues.extend(entry, untilMs)),
    }))
    const s = scene({ catalog })
    await uploaded(s)
    const claim = await s.next()
    await claim.extend()
    await claim.done()
    expect(refusals).toBe(6)
  })
})

describe('a catalog that takes longer than most of the lease to answer', () => {
  const slow = (clock: FakeClock, slownessMs: number): Catalog =>
    withQueues((queues) => ({
      async take(queue, options) {
        const taken = await queues.take(queue, options)
        if (taken.length > 0) await new Promise<void>((resolve) => void clock.after(slownessMs, resolve))
        return taken
      },
    }))

  test('has the claim extended before it is handed out', async () => {
    const clock = new FakeClock()
    const s = scene({ clock, catalog: slow(clock, 1800) })
    await uploaded(s)
    const asking = s.next({ leaseMs: 3000, autoExtend: false })
    await clock.advance(1800)
    const claim = await asking
    await clock.advance(2999)
    expect(claim.signal.aborted).toBe(false)
    await claim.done()
  })

  test('has nobody get a claim that somebody else has by then', async () => {
    const clock = new FakeClock()
    const s = scene({ clock, catalog: slow(clock, 3000) })
    const { id } = await uploaded(s)
    const asking = s.queue.claim({ leaseMs: 3000, timeoutMs: 0 })
    await clock.advance(2999)
    const options = { limit: 1, nowMs: clock.nowMs() + 1, leaseMs: 60_000 }
    const other = s.catalog.queues.take(CLAIMS_QUEUE, options)
    await clock.advance(3000)
    expect((await other)[0]?.uploadId).toBe(id)
    expect(await asking).toBeUndefined()
    await expectNoTimer(s)
  })

  test('and then fails: the claim is given back', async () => {
    const clock = new FakeClock()
    let isDown = true
    const slowly = slow(clock, 1800)
    const catalog = withFaults(slowly, {
      queues: withFaults(slowly.queues, {
        extend: (entry, untilMs) =>
          isDown ? Promise.reject(new Error('down')) : slowly.queues.extend(entry, untilMs),
      }),
    })
    const s = scene({ clock, catalog })
    await uploaded(s)
    const asking = expect(s.next({ leaseMs: 3000 })).rejects.toThrow('down')
    await clock.advance(1800)
    await asking
    isDown = false
    const again = s.next()
    await clock.advance(1800)
    expect((await again).attempt).toBe(2)
  })
})

describe('giving back', () => {
  test('released uploads come again, later each time, and are given up after the last attempt', async () => {
    const s = scene()
    const { id } = await uploaded(s)
    const delays: number[] = []
    for (let attempt = 1; attempt <= 4; attempt += 1) {
      const claim = await s.next()
      expect([claim.id, claim.attempt]).toEqual([id, attempt])
      await claim.release(new TypeError(`failed ${attempt}`))
      const dueMs = await s.catalog.queues.nextDueMs(CLAIMS_QUEUE)
      delays.push((dueMs ?? 0) - s.clock.nowMs())
      await s.clock.advance(delays.at(-1) ?? 0)
    }
    expect(delays).toEqual([1000, 2000, 4000, 8000])
    expect(await s.queue.deadClaims(10)).toEqual([])
    await (await s.next()).release('failed for good')
    await s.clock.advance(1_000_000)
    await s.none()
    const [dead] = await s.queue.deadClaims(10)
    expect(dead).toMatchObject({ id, attempts: 5, lastError: 'failed for good' })
    await dead?.replay()
    expect((await s.next()).attempt).toBe(1)
  })

  test('a delay can be given', async () => {
    const s = scene()
    await uploaded(s)
    await (await s.next()).release(undefined, { delayMs: 30_000 })
    await s.clock.advance(29_999)
    await s.none()
    await s.clock.advance(1)
    const claim = await s.next()
    await claim.release('again', { delayMs: 0 })
    expect((await s.next()).attempt).toBe(3)
  })

  test('what kills its worker each time is given up as well', async () => {
    const s = scene()
    const { id } = await uploaded(s)
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await s.next({ leaseMs: 1000, autoExtend: false, maxAttempts: 3 })
      await s.clock.advance(1000)
    }
    await s.none({ maxAttempts: 3 })
    const [dead] = await s.queue.deadClaims(10)
    expect(dead?.id).toBe(id)
    expect(dead?.lastError).toMatch(/worker was gone/)
  })

  test('one that is given up does not hold up those behind it', async () => {
    const s = scene()
    await uploaded(s)
    const { id } = await uploaded(s)
    await (await s.next({ maxAttempts: 1 })).release('no')
    expect((await s.next({ maxAttempts: 1 })).id).toBe(id)
  })

  test('a claim that was ended cannot be used again', async () => {
    const s = scene()
    await uploaded(s)
    const claim = await s.next()
    await claim.done()
    await expect(claim.done()).rejects.toThrow(TypeError)
    await expect(claim.release()).rejects.toThrow(TypeError)
    await expect(claim.extend()).rejects.toThrow(TypeError)
    await expect(claim.save('/tmp/x')).rejects.toThrow(TypeError)
    await expect(claim.saveRecord('/tmp/x.json')).rejects.toThrow(TypeError)
    expect(() => claim.read()).toThrow(TypeError)
    await claim[Symbol.asyncDispose]()
  })

  test('done() that the catalog refused can be tried again', async () => {
    let isDown = true
    const catalog = withQueues((queues) => ({
      done: (entry) => (isDown ? Promise.reject(new Error('down')) : queues.done(entry)),
    }))
    const s = scene({ catalog })
    await uploaded(s)
    const claim = await s.next()
    await expect(claim.done()).rejects.toThrow('down')
    isDown = false
    await claim.done()
  })

  test('`await using` releases what is still open', async () => {
    const s = scene()
    await uploaded(s)
    {
      await using claim = await s.next()
      expect(claim.attempt).toBe(1)
    }
    await s.clock.advance(1000)
    {
      await using claim = await s.next()
      expect(claim.attempt).toBe(2)
      await claim.done()
    }
    await s.clock.advance(100_000)
    await s.none()
    expect(s.reports).toEqual([])
  })
})
