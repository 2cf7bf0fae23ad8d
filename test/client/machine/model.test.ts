import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { UploadResult } from '../../../src/client/events.ts'
import type { Script } from '../scripted-transport.ts'
import { memoryUrlStorage } from '../../../src/client/url-storage/memory.ts'
import { MiB, Rig, bytes, digest, fileLike } from './rigging.ts'

interface Failure {
  readonly method: string
  readonly script: Script
}

/** How much of the answer's truth gets through, and how much of the request. */
const failure: fc.Arbitrary<Failure> = fc.oneof(
  fc.record({
    method: fc.constantFrom('POST', 'PATCH', 'HEAD', '*'),
    script: fc.record(
      {
        sendBytes: fc.integer({ min: 0, max: 600_000 }),
        end: fc.constantFrom('drop' as const, 'hang' as const),
        reaches: fc.boolean(),
      },
      { requiredKeys: ['end'] },
    ),
  }),
  fc.record({
    method: fc.constantFrom('PATCH', 'HEAD', '*'),
    script: fc.record({ status: fc.constantFrom(408, 409, 423, 425, 429, 500, 502, 503, 504) }),
  }),
  fc.record({
    method: fc.constantFrom('PATCH', 'HEAD'),
    script: fc.record({
      headers: fc.constantFrom({ 'Upload-Offset': undefined }, { 'Upload-Offset': '1e3' }),
    }),
  }),
  fc.record({
    method: fc.constant('PATCH'),
    script: fc.record({ sendBytes: fc.integer({ min: 1, max: 600_000 }) }),
  }),
)

/** What the user does meanwhile, by pieces sent. */
const interruption = fc.record({
  afterPieces: fc.integer({ min: 1, max: 60 }),
  what: fc.constantFrom('pause' as const, 'kill' as const),
})

/** Content that does not fit its checksum five times in a row is the end of an upload, and rightly so. */
function bearable(
  failures: readonly Failure[],
  { checksum }: { readonly checksum?: 'sha1' | undefined },
): Failure[] {
  let shortened = 0
  return failures.filter(({ script }) => {
    const isShortened = checksum !== undefined && script.sendBytes !== undefined && script.end === undefined
    shortened += isShortened ? 1 : 0
    return !isShortened || shortened < 5
  })
}

/** Counts what the server stores by POST and PATCH, and what it has to refuse by itself. */
function observe({ transport }: Rig): { storedBytes: number; conflicts: number } {
  const seen = { storedBytes: 0, conflicts: 0 }
  const { tus } = transport
  const answer = tus.answer.bind(tus)
  const stored = (): number => {
    const uploads = [...tus.uploads.values()].filter(({ concat }) => concat?.startsWith('final') !== true)
    return uploads.reduce((sum, { content }) => sum + content.length, 0)
  }
  tus.answer = (call) => {
    const before = stored()
    const made = answer(call)
    if (call.method !== 'DELETE') seen.storedBytes += stored() - before
    if (made.status === 409) seen.conflicts += 1
    return made
  }
  return seen
}

test('whatever fails in whatever order: the bytes are equal, and few are sent twice', async () => {
  const size = 4 * MiB + 77
  const content = bytes(size)
  await fc.assert(
    fc.asyncProperty(
      fc.array(failure, { maxLength: 12 }),
      fc.array(interruption, { maxLength: 2 }),
      fc.record({
        parallel: fc.constantFrom(1, 1, 3),
        chunkSizeBytes: fc.constantFrom(undefined, 300_000, MiB),
        checksum: fc.constantFrom(undefined, undefined, 'sha1' as const),
      }),
      async (failures, interruptions, options) => {
        const clock = { nowMs: () => 0 }
        const storage = memoryUrlStorage({ nowMs: () => clock.nowMs() })
        const rig = new Rig({}, { urlStorage: storage })
        clock.nowMs = () => rig.clock.nowMs()
        for (const { method, script } of bearable(failures, options)) rig.transport.script(method, script)
        const seen = observe(rig)
        const queue = [...interruptions]
        let pieces = 0
        let upload = rig.upload(fileLike(content), options)
        const finished = new Promise<UploadResult>((resolve, reject) => {
          const start = (): void => void upload.start().then(resolve, reject)
          rig.transport.onPiece = () => {
            pieces += 1
            const next = queue[0]
            if (next === undefined || pieces < next.afterPieces) return
            queue.shift()
            void upload.pause()
            // The process dies; another one starts with nothing but the entry.
            if (next.what === 'kill') upload = rig.upload(fileLike(content), options)
            start()
          }
          start()
        })
        const result = await rig.finish(finished)
        expect(digest(rig.content(result.url))).toBe(digest(content))
        // Creations of parts share one URL.
        expect(rig.transport.mostWriters).toBeLessThanOrEqual(options.parallel)
        expect(await storage.list()).toEqual([])
        // No request was sent that the server had to refuse, and what it stored besides the file is what creations
        // left behind whose answers were lost.
        expect(seen.conflicts).toBe(0)
        const lostCreations = rig.transport.requests.filter(
          ({ method, status }) => method === 'POST' && status !== 201,
        ).length
        const room = options.parallel > 1 || options.checksum === undefined ? MiB : 0
        expect(seen.storedBytes).toBeLessThanOrEqual(size + lostCreations * room)
      },
    ),
    { numRuns: 60 },
  )
}, 60_000)

test('cuts whose bytes the server keeps cost next to nothing', async () => {
  const content = bytes(4 * MiB)
  const cut = fc.record({
    sendBytes: fc.integer({ min: 0, max: 600_000 }),
    end: fc.constant('drop' as const),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(cut, { maxLength: 20 }), fc.constantFrom(1, 4), async (cuts, parallel) => {
      const rig = new Rig({ extensions: ['creation', 'concatenation'] })
      for (const script of cuts) rig.transport.script('PATCH', script)
      const { url } = await rig.finish(rig.upload(content, { parallel }).start())
      expect(digest(rig.content(url))).toBe(digest(content))
      expect(rig.transport.sentBytes).toBe(content.length)
    }),
    { numRuns: 30 },
  )
}, 60_000)
