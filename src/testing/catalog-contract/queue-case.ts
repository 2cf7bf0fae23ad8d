import assert from 'node:assert/strict'
import type { Catalog, QueueEntry, UploadEvent } from '../../core/ports/catalog.ts'
import type { UploadId } from '../../core/upload-id.ts'
import { newId, sampleRecord } from './case.ts'

/** The queue of most cases. */
export const QUEUE = 'web'
/** A moment after all samples; cases add to it instead of waiting. */
export const NOW_MS = 1_800_000_000_000
export const LEASE_MS = 60_000

export function event(type: string, uploadId: UploadId = newId(), queue: string = QUEUE): UploadEvent {
  return { queue, uploadId, type, atMs: 1_700_000_000_000, payload: JSON.stringify({ type, text: '📦' }) }
}

/** Queues events, each with a record of its own. */
export async function tell(catalog: Catalog, ...events: UploadEvent[]): Promise<void> {
  for (const one of events) await catalog.insert(sampleRecord(), [one])
}

/** Queues events of one upload, oldest first. @returns The upload. */
export async function tellOfOne(catalog: Catalog, ...types: string[]): Promise<UploadId> {
  const uploadId = newId()
  await tell(catalog, ...types.map((type) => event(type, uploadId)))
  return uploadId
}

interface TakeTerms {
  readonly limit?: number
  readonly nowMs?: number
  readonly queue?: string
}

export function take(catalog: Catalog, terms: TakeTerms = {}): Promise<readonly QueueEntry[]> {
  const { limit = 100, nowMs = NOW_MS, queue = QUEUE } = terms
  return catalog.queues.take(queue, { limit, nowMs, leaseMs: LEASE_MS })
}

/** Several workers, spread over the catalogs, take one entry after the other, all at once. @returns What they got. */
export async function takeAtOnce(
  catalogs: readonly Catalog[],
  workers: number,
  rounds: number,
): Promise<QueueEntry[]> {
  const taken: QueueEntry[] = []
  const work = async (catalog: Catalog): Promise<void> => {
    for (let round = 0; round < rounds; round += 1) taken.push(...(await take(catalog, { limit: 1 })))
  }
  await Promise.all(
    Array.from({ length: workers }, (_, index) => catalogs[index % catalogs.length] ?? assert.fail()).map(
      work,
    ),
  )
  return taken
}

/** Takes the only entry there is to take. */
export async function takeOne(catalog: Catalog, terms: TakeTerms = {}): Promise<QueueEntry> {
  const [entry, ...others] = await take(catalog, terms)
  assert(entry !== undefined, 'there was nothing to take')
  assert.deepEqual(types(others), [], 'there was more to take')
  return entry
}

export function types(entries: readonly QueueEntry[]): string[] {
  return entries.map(({ type }) => type)
}

export async function listedTypes(catalog: Catalog, queue: string = QUEUE): Promise<string[]> {
  return types(await catalog.queues.list({ queue, limit: 1000 }))
}

/** That none of the ways to change an entry works any more. */
export async function assertNotOurs(catalog: Catalog, entry: QueueEntry): Promise<void> {
  const { queues } = catalog
  assert.equal(await queues.extend(entry, NOW_MS + 10 * LEASE_MS), false, 'extended')
  assert.equal(await queues.release(entry, { dueAtMs: NOW_MS, isDead: false }), false, 'released')
  assert.equal(await queues.release(entry, { dueAtMs: NOW_MS, isDead: true }), false, 'given up')
  assert.equal(await queues.done(entry), false, 'done')
}
