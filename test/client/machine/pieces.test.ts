import { expect, test } from 'vitest'
import { adaptiveChunks } from '../../../src/client/chunk-size.ts'
import type { ChunkSize } from '../../../src/client/ports/features.ts'
import { fingerprintOf } from '../../../src/client/fingerprint.ts'
import { nodeHashing } from '../../../src/client/hashing/node.ts'
import type { SliceContent, Source } from '../../../src/client/ports/source.ts'
import { progressMeter } from '../../../src/client/progress.ts'
import type { Progress } from '../../../src/client/progress.ts'
import { rateLimit } from '../../../src/client/rate-bursts.ts'
import { RateLimit } from '../../../src/client/rate-limit.ts'
import { mayBecome } from '../../../src/client/state.ts'
import type { UploadState } from '../../../src/client/state.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { KiB, MiB, bytes, fileLike } from './rigging.ts'

const { signal } = new AbortController()

const STATES: readonly UploadState[] = [
  'idle',
  'preparing',
  'uploading',
  'waiting',
  'paused',
  'complete',
  'failed',
  'cancelled',
]

test('complete and cancelled are final, idle is never come back to', () => {
  for (const state of STATES) {
    expect(mayBecome('complete', state)).toBe(false)
    expect(mayBecome('cancelled', state)).toBe(false)
    expect(mayBecome(state, 'idle')).toBe(false)
  }
  expect(mayBecome('paused', 'complete')).toBe(false)
})

function fingerprint(
  source: Source,
  endpoint = 'https://a/',
  scope: readonly unknown[] = [],
): Promise<string | undefined> {
  const options = { endpoint, partial: scope.length > 0 }
  return fingerprintOf({ options, source, hashing: nodeHashing(), signal })
}

test('the fingerprint tells apart what differs in place, name, time, size, or in head, middle and tail', async () => {
  const content = bytes(MiB)
  const first = await fingerprint(fileLike(content))
  expect(first).toMatch(/^[0-9a-f]{64}$/)
  expect(await fingerprint(fileLike(content.slice()))).toBe(first)
  const others = [
    fingerprint(fileLike(content), 'https://b/'),
    fingerprint(fileLike(content), 'https://a/', ['part']),
    fingerprint(fileLike(content, { traits: { ...fileLike(content).traits, name: 'b' } })),
    fingerprint(fileLike(content, { traits: { ...fileLike(content).traits, path: '/b' } })),
    fingerprint(fileLike(content, { traits: { ...fileLike(content).traits, modifiedMs: 2 } })),
    fingerprint(fileLike(content.slice(1))),
    ...[0, MiB / 2, MiB - 1].map((at) => fingerprint(fileLike(content.with(at, (content[at] ?? 0) ^ 1)))),
  ]
  expect(new Set([first, ...(await Promise.all(others))]).size).toBe(10)
})

test('the fingerprint of a small file reads it whole, and a stream has none', async () => {
  const content = bytes(100 * KiB)
  const changed = content.with(50 * KiB, (content[50 * KiB] ?? 0) ^ 1)
  expect(await fingerprint(fileLike(content))).not.toBe(await fingerprint(fileLike(changed)))
  expect(await fingerprint(fileLike(content, { isRewindable: false }))).toBeUndefined()
})

const chunkSize = (chunkSizeBytes?: number): ChunkSize =>
  adaptiveChunks(new FakeClock(), 'https://a', chunkSizeBytes)

test('without reason there is no limit, and time makes none', () => {
  const chunks = chunkSize()
  chunks.took?.(100 * MiB, 60_000)
  expect(chunks.limitBytes).toBe(Infinity)
})

test('413 begins with 8 MiB, halves, and ends at 64 KiB', () => {
  const chunks = chunkSize()
  const limits = []
  let sentBytes = 100 * MiB
  while (chunks.shrink(sentBytes)) limits.push((sentBytes = chunks.limitBytes))
  expect(limits).toEqual([8 * MiB, 4 * MiB, 2 * MiB, MiB, 512 * KiB, 256 * KiB, 128 * KiB, 64 * KiB])
})

test('a small request that is refused leads below its size at once', () => {
  const chunks = chunkSize()
  chunks.shrink(MiB)
  expect(chunks.limitBytes).toBe(512 * KiB)
})

test('what a server turned out to take holds for all uploads to its origin, and is not outgrown', () => {
  const clock = new FakeClock()
  adaptiveChunks(clock, 'https://a').shrink(MiB)
  const same = adaptiveChunks(clock, 'https://a')
  same.took?.(512 * KiB, 10)
  expect(same.limitBytes).toBe(512 * KiB)
  expect(adaptiveChunks(clock, 'https://b').limitBytes).toBe(Infinity)
})

test('where there is a limit, a request shall take 5 to 20 s', () => {
  const chunks = chunkSize()
  chunks.limit?.()
  expect(chunks.limitBytes).toBe(8 * MiB)
  chunks.took?.(8 * MiB, 4000)
  expect(chunks.limitBytes).toBe(16 * MiB)
  chunks.took?.(16 * MiB, 10_000)
  expect(chunks.limitBytes).toBe(16 * MiB)
  chunks.took?.(16 * MiB, 21_000)
  expect(chunks.limitBytes).toBe(8 * MiB)
  chunks.took?.(1000, 1)
  expect(chunks.limitBytes).toBe(8 * MiB)
})

test('a size that the caller fixed is not adapted to the time', () => {
  const chunks = chunkSize(MiB)
  chunks.took?.(MiB, 1)
  chunks.took?.(MiB, 60_000)
  expect(chunks.limitBytes).toBe(MiB)
})

test('the rate limit paces what is read piece by piece, in the order of asking', async () => {
  const clock = new FakeClock()
  const began = clock.nowMs()
  const limit = new RateLimit(clock, 1000)
  const at: number[] = []
  const content: SliceContent = {
    kind: 'chunks',
    async *chunks() {
      yield bytes(2000)
    },
  }
  const paced = await limit.pace({ start: 0, sizeBytes: 2000, isLast: true, content }, signal)
  const reading = (async () => {
    if (paced.content.kind !== 'chunks') throw new Error(paced.content.kind)
    for await (const piece of paced.content.chunks(signal)) {
      expect(piece).toHaveLength(250)
      at.push(clock.nowMs() - began)
    }
  })()
  await clock.advance(5000)
  await reading
  expect(at).toEqual([0, 250, 500, 750, 1000, 1250, 1500, 1750])
})

test('where content goes out as a whole, the rate limit makes small requests that wait', async () => {
  const clock = new FakeClock()
  const began = clock.nowMs()
  const cut = rateLimit(clock, 1000)
  const source = fileLike(bytes(10_000))
  expect(await cut(source, 0, Infinity, signal)).toMatchObject({ start: 0, sizeBytes: 2000 })
  const next = cut(source, 2000, 500, signal).then(({ sizeBytes }) => [sizeBytes, clock.nowMs() - began])
  await clock.advance(5000)
  expect(await next).toEqual([500, 2000])
  const stop = new AbortController()
  await cut(source, 2500, 500, signal)
  const waiting = cut(source, 3000, 500, stop.signal)
  stop.abort('enough')
  await expect(waiting).rejects.toBe('enough')
  expect(clock.pending).toBe(0)
})

test('the speed is smoothed, and the time left follows from it', async () => {
  const clock = new FakeClock()
  const seen: Progress[] = []
  const meter = progressMeter(
    clock,
    () => 100_000,
    (progress) => seen.push(progress),
  )
  meter.begin()
  for (let sent = 1000; sent <= 50_000; sent += 1000) {
    await clock.advance(100)
    meter.moved(1000, 0)
  }
  expect(seen.at(-1)?.bytesPerSecond).toBeCloseTo(10_000, -3)
  expect(seen.at(-1)?.secondsLeft).toBeCloseTo(5, 0)
  await clock.advance(30_000)
  meter.flush()
  expect(seen.at(-1)?.bytesPerSecond).toBeLessThan(100)
})

test('progress is throttled with a trailing event, and says nothing about the time left before it knows', async () => {
  const clock = new FakeClock()
  const seen: Progress[] = []
  const meter = progressMeter(
    clock,
    () => undefined,
    (progress) => seen.push(progress),
  )
  meter.begin()
  meter.moved(1, 0)
  meter.moved(1, 0)
  meter.moved(0, 1)
  expect(seen).toEqual([
    { sent: 1, accepted: 0, total: undefined, bytesPerSecond: 0, secondsLeft: undefined },
  ])
  await clock.advance(100)
  expect(seen.map(({ sent }) => sent)).toEqual([1, 3])
  meter.moved(-1, 0)
  await clock.advance(100)
  expect(seen.at(-1)).toMatchObject({ sent: 3, accepted: 1 })
})
