import { afterEach, describe, expect, test } from 'vitest'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import { CLAIMS_QUEUE } from '../../src/core/ports/catalog.ts'
import type { ClaimQueue } from '../../src/node/claims/queue.ts'
import type { Claim } from '../../src/node/claims/types.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { FakeClock, quiet } from '../support/fake-clock.ts'
import { appending, creation, lasting } from '../support/rig.ts'
import type { Scene } from './queue-scene.ts'
import { expectNoTimer, neighbour, scene, withQueues } from './queue-scene.ts'
import { cleanUp, uploaded } from './scene.ts'

afterEach(cleanUp)

describe('what is handed out', () => {
  test('complete uploads, in the order of their completion, also those from before the first use', async () => {
    const s = scene()
    const ids: string[] = []
    for (let count = 0; count < 3; count += 1) {
      ids.push((await uploaded(s)).id)
      await s.clock.advance(10)
    }
    const claims = [await s.next(), await s.next()]
    ids.push((await uploaded(s)).id)
    claims.push(await s.next(), await s.next())
    expect(claims.map(({ id }) => id)).toEqual(ids)
    expect(claims.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1])
    await s.none()
  })

  test('nothing that is incomplete, partial or gone', async () => {
    const s = scene()
    await s.engine.create(creation({ length: 10, content: new Uint8Array(5) }))
    await uploaded(s, 'partial', { concat: { kind: 'partial' } })
    const gone = await uploaded(s)
    await s.engine.cancel(gone.id)
    await s.none()
    const cancelled = await uploaded(s)
    await s.engine.cancel(cancelled.id)
    const { id } = await uploaded(s)
    expect((await s.next()).id).toBe(id)
    await s.none()
    expect(await s.catalog.queues.list({ queue: CLAIMS_QUEUE, limit: 10 })).toHaveLength(1)
    expect(s.reports).toEqual([])
  })

  test('a final upload, once', async () => {
    const s = scene()
    const parts = [await uploaded(s, 'one', { concat: { kind: 'partial' } })]
    const upload = { dialect: 'tus1' as const, metadata: {}, echo: {} }
    const final = await s.engine.concatenate({ upload, parts: parts.map(({ id }) => id) })
    expect((await s.next()).id).toBe(final.id)
    await s.none()
  })

  test('what is known of the upload, and its bytes', async () => {
    const s = scene()
    const metadata = { filename: 'a.txt', filetype: 'text/plain' }
    const { id, createdAtMs } = await s.engine.create(creation({ length: 5, metadata }))
    await s.clock.advance(1500)
    await s.engine.append(id, appending(0, new TextEncoder().encode('hello')))
    const claim = await s.next()
    expect(claim.record).toEqual({
      id: claim.id,
      metadata,
      serverMetadata: {},
      owner: undefined,
      length: 5,
      createdAt: new Date(createdAtMs),
      lastWriteAt: new Date(createdAtMs + 1500),
      finishedAt: new Date(createdAtMs + 1500),
      durationMs: 1500,
    })
    const chunks: Uint8Array[] = []
    for await (const chunk of claim.read()) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toBe('hello')
    const hex = await claim.digest()
    expect(hex).toBe('2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824')
    expect(claim.record.digest).toEqual({ algorithm: 'sha256', hex })
    expect(await claim.digest('md5')).toBe('5d41402abc4b2a76b9719d911017c592')
  })

  test('to one at a time, however many ask', async () => {
    const s = scene()
    const other = neighbour(s)
    const ids = new Set<string>()
    for (let count = 0; count < 20; count += 1) ids.add((await uploaded(s)).id)
    const seen: string[] = []
    const loop = async ({ queue }: Scene): Promise<void> => {
      for await (const claim of queue.claims({ timeoutMs: 0 })) {
        seen.push(claim.id)
        await quiet()
        await claim.done()
      }
    }
    await Promise.all([loop(s), loop(s), loop(s), loop(other), loop(other)])
    expect(seen).toHaveLength(20)
    expect(new Set(seen)).toEqual(ids)
  })

  test('claims are switched on once, and again only where that failed', async () => {
    let calls = 0
    const catalog = withQueues((queues) => ({
      async enableClaims() {
        calls += 1
        if (calls === 1) throw new Error('not now')
        await queues.enableClaims()
      },
    }))
    const s = scene({ catalog })
    await expect(s.none()).rejects.toThrow('not now')
    await Promise.all([s.none(), s.none()])
    await s.none()
    expect(calls).toBe(2)
  })
})

describe('waiting', () => {
  test('ends at once when an upload completes in this process', async () => {
    const s = scene()
    const waiting = s.queue.claim({})
    await quiet()
    const { id } = await uploaded(s)
    // The clock has not moved.
    expect((await waiting)?.id).toBe(id)
  })

  test('looks from time to time for what another process has completed', async () => {
    const s = scene()
    const other = neighbour(s)
    let claim: Claim | undefined
    const waiting = s.queue.claim({ pollMs: 300 }).then((found) => (claim = found))
    await quiet()
    const { id } = await uploaded(other)
    await s.clock.advance(299)
    expect(claim).toBeUndefined()
    await s.clock.advance(1)
    expect((await waiting)?.id).toBe(id)
  })

  test('ends with the time, and leaves no timer and no listener', async () => {
    const s = scene()
    const waiting = s.queue.claim({ timeoutMs: 1000 })
    let isOver = false
    void waiting.then(() => (isOver = true))
    await s.clock.advance(999)
    expect(isOver).toBe(false)
    await s.clock.advance(1)
    expect(await waiting).toBeUndefined()
    await expectNoTimer(s)
  })

  test('ends quietly with the signal, before and meanwhile; an open claim stays', async () => {
    const s = scene()
    const stopping = new AbortController()
    await uploaded(s)
    let turns = 0
    const loop = (async () => {
      for await (const claim of s.queue.claims({ signal: stopping.signal })) {
        turns += 1
        stopping.abort()
        expect(claim.signal.aborted).toBe(false)
        await claim.done()
      }
    })()
    await loop
    expect(turns).toBe(1)
    await uploaded(s)
    expect(await s.queue.claim({ signal: AbortSignal.abort() })).toBeUndefined()
    const later = new AbortController()
    await (await s.next()).done()
    const waiting = s.queue.claim({ signal: later.signal })
    await quiet()
    later.abort()
    expect(await waiting).toBeUndefined()
    await expectNoTimer(s)
  })

  test('a timeout ends a loop', async () => {
    const s = scene()
    await uploaded(s)
    const seen: string[] = []
    const loop = (async () => {
      for await (const claim of s.queue.claims({ timeoutMs: 500 })) {
        seen.push(claim.id)
        await claim.done()
      }
    })()
    await s.clock.advance(500)
    await loop
    expect(seen).toHaveLength(1)
  })

  test('numbers that make no sense are refused', async () => {
    const s = scene()
    for (const options of [
      { leaseMs: 0 },
      { leaseMs: Number.NaN },
      { leaseMs: Infinity },
      { maxAttempts: 0 },
      { maxAttempts: 1.5 },
      { pollMs: 0 },
      { pollMs: -1 },
      { timeoutMs: -1 },
      { timeoutMs: Number.NaN },
    ]) {
      await expect(s.queue.claim(options), JSON.stringify(options)).rejects.toThrow(RangeError)
      await expect(s.queue.claims(options).next()).rejects.toThrow(RangeError)
    }
  })
})

describe('the loop', () => {
  const leavings: Record<string, (queue: ClaimQueue) => Promise<void>> = {
    async break(queue) {
      for await (const claim of queue.claims({})) {
        expect(claim.attempt).toBe(1)
        break
      }
    },
    async throw(queue) {
      await expect(async () => {
        for await (const claim of queue.claims({})) throw new Error(`no ${claim.attempt}`)
      }).rejects.toThrow('no 1')
    },
    async 'just going on'(queue) {
      for await (const claim of queue.claims({ timeoutMs: 0 })) expect(claim.attempt).toBe(1)
    },
  }
  test.each(Object.keys(leavings))('%s releases the open claim', async (name) => {
    const s = scene()
    await uploaded(s)
    await leavings[name]?.(s.queue)
    await s.clock.advance(1000)
    const [entry] = await s.catalog.queues.list({ queue: CLAIMS_QUEUE, limit: 1 })
    expect(entry?.lastError).toMatch(/without done\(\) or release\(\)/)
    expect((await s.next()).attempt).toBe(2)
  })

  test('a claim that was ended in its turn is left alone', async () => {
    const s = scene()
    await uploaded(s)
    for await (const claim of s.queue.claims({ timeoutMs: 0 })) {
      await claim.done()
      break
    }
    await s.clock.advance(100_000)
    await s.none()
    expect(s.reports).toEqual([])
  })
})

describe('closing', () => {
  test('ends those who wait', async () => {
    const s = scene()
    const waiting = [s.queue.claim({}), s.queue.claim({})]
    const loop = (async () => {
      for await (const _claim of s.queue.claims({})) expect.unreachable()
    })()
    await quiet()
    await s.queue.close(1000)
    expect(await Promise.all(waiting)).toEqual([undefined, undefined])
    await loop
    await uploaded(s)
    await s.none()
    await expectNoTimer(s)
  })

  test('waits for open claims, and then gives back what is still open, as due at once', async () => {
    const s = scene()
    const { id } = await uploaded(s)
    const { id: slowId } = await uploaded(s)
    const claim = await s.next()
    const slow = await s.next()
    expect([claim.id, slow.id]).toEqual([id, slowId])
    let isClosed = false
    const closing = s.queue.close(5000).then(() => (isClosed = true))
    await s.clock.advance(2000)
    await claim.done()
    await s.clock.advance(2999)
    expect(isClosed).toBe(false)
    await s.clock.advance(1)
    await closing
    await expect(slow.done()).rejects.toThrow(TypeError)
    const again = await neighbour(s).next()
    expect([again.id, again.attempt]).toEqual([slowId, 2])
  })

  test('an engine that closes hands out nothing', async () => {
    const store = memoryStore()
    const catalog = lasting(memoryCatalog())
    const s = scene({ store, catalog, clock: new FakeClock() })
    await uploaded(s)
    await s.engine.close(0)
    await s.none()
  })
})
