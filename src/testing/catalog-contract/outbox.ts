import assert from 'node:assert/strict'
import type { Catalog, OutboxEntry, UploadEvent } from '../../core/ports/catalog.ts'
import type { UploadId } from '../../core/upload-id.ts'
import { assertRejects, type ContractCase, guardOf, newId, sampleRecord } from './case.ts'

function event(uploadId: UploadId, type: string): UploadEvent {
  return { uploadId, type, atMs: 1_700_000_000_000, payload: JSON.stringify({ type, text: '📦' }) }
}

async function entries(catalog: Catalog): Promise<readonly OutboxEntry[]> {
  return catalog.outbox.read(0, 1000)
}

async function types(catalog: Catalog): Promise<string[]> {
  return (await entries(catalog)).map((entry) => entry.type)
}

export const outboxCases: readonly ContractCase[] = [
  {
    name: 'outbox: events of inserts and updates, whole and in the order of the changes',
    async run({ catalog }) {
      const record = sampleRecord()
      const told = [
        event(record.id, 'post-create'),
        event(record.id, 'post-receive'),
        event(record.id, 'post-finish'),
      ]
      await catalog.insert(record, told.slice(0, 1))
      await catalog.update(record.id, guardOf(record), { offset: 10 }, told.slice(1))
      const read = await entries(catalog)
      assert.deepEqual(
        read.map(({ uploadId, type, atMs, payload }) => ({ uploadId, type, atMs, payload })),
        told,
      )
      const sequences = read.map(({ sequence }) => sequence)
      assert.deepEqual(
        sequences,
        [...new Set(sequences)].sort((a, b) => a - b),
      )
      assert(sequences.every((sequence) => sequence > 0))
    },
  },
  {
    name: 'outbox: nothing is told of a change that did not happen',
    async run({ catalog }) {
      const record = sampleRecord()
      await catalog.insert(record)
      await assertRejects(catalog.insert(record, [event(record.id, 'post-create')]), 'ERR_UPLOAD_EXISTS')
      const stale = { ...guardOf(record), offset: 5 }
      assert.equal(
        await catalog.update(record.id, stale, { offset: 6 }, [event(record.id, 'post-receive')]),
        false,
      )
      assert.deepEqual(await types(catalog), [])
    },
  },
  {
    name: 'outbox: pages behind a sequence',
    async run({ catalog }) {
      const names = ['a', 'b', 'c', 'd', 'e']
      await catalog.insert(
        sampleRecord(),
        names.map((name) => event(newId(), name)),
      )
      const first = await catalog.outbox.read(0, 2)
      const rest = await catalog.outbox.read(first.at(-1)?.sequence ?? 0, 10)
      assert.deepEqual(
        [...first, ...rest].map(({ type }) => type),
        names,
      )
      assert.equal(first.length, 2)
      assert.deepEqual(await catalog.outbox.read(rest.at(-1)?.sequence ?? 0, 10), [])
    },
  },
  {
    name: 'outbox: what was acknowledged is gone, and no sequence is given out twice',
    async run({ catalog }) {
      const tell = (name: string): Promise<void> => catalog.insert(sampleRecord(), [event(newId(), name)])
      await tell('a')
      await tell('b')
      await tell('c')
      const [, second] = await entries(catalog)
      await catalog.outbox.acknowledge(second?.sequence ?? 0)
      assert.deepEqual(await types(catalog), ['c'])
      const last = (await entries(catalog)).at(-1)?.sequence ?? 0
      await catalog.outbox.acknowledge(last)
      assert.deepEqual(await types(catalog), [])
      await catalog.outbox.acknowledge(last)
      await tell('d')
      const next = (await entries(catalog))[0]
      assert.equal(next?.type, 'd')
      assert((next?.sequence ?? 0) > last, 'a sequence was used again')
    },
  },
  {
    name: 'outbox: concurrent changes keep the order in which they were asked for',
    async run({ catalog }) {
      const names = Array.from({ length: 50 }, (_, index) => `event-${index}`)
      await Promise.all(names.map((name) => catalog.insert(sampleRecord(), [event(newId(), name)])))
      assert.deepEqual(await types(catalog), names)
    },
  },
]
