import assert from 'node:assert/strict'
import type { Catalog, Guard, RecordChange } from '../../core/ports/catalog.ts'
import type { Handling, Json, UploadRecord } from '../../core/upload.ts'
import {
  assertRejects,
  assertSameRecord,
  type ContractCase,
  guardOf,
  insertSample,
  newId,
  sampleRecord,
} from './case.ts'

const AWKWARD_TEXT = 'naïve 📦 \u0000 \u2028 "quoted" \\ \uD83D'
/** The largest body that stays inline (design: 64 KiB). */
const LARGEST_INLINE_BYTES = 64 * 1024

/** An object whose keys are those that break code that copies by assignment. */
function awkwardKeys(): Record<string, string> {
  const parsed: unknown = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c","":"d"}')
  return { ...(parsed as Record<string, string>), [AWKWARD_TEXT]: AWKWARD_TEXT }
}

/** Deeper than what SQLite takes for JSON. */
function deeplyNested(levels: number): Record<string, Json> {
  let nested: Json = 'core'
  for (let level = 0; level < levels; level += 1) nested = [nested]
  return { nested }
}

function fullRecord(): UploadRecord {
  return sampleRecord({
    dialect: 'ietf',
    status: 'complete',
    offset: Number.MAX_SAFE_INTEGER,
    length: Number.MAX_SAFE_INTEGER,
    metadata: awkwardKeys(),
    echo: { 'upload-metadata': 'a Yg==', ...awkwardKeys() },
    concat: { kind: 'final', parts: [newId(), newId()] },
    owner: AWKWARD_TEXT,
    serverMetadata: { ...awkwardKeys(), list: [1.5, null, true, { deep: [AWKWARD_TEXT] }] },
    limits: { maxSizeBytes: Number.MAX_SAFE_INTEGER, maxAppendBytes: 0, expireAfterMs: 1 },
    request: { method: 'POST', target: `/files?${AWKWARD_TEXT}`, headers: awkwardKeys() },
    handling: {
      attempts: 3,
      answer: { status: 201, headers: awkwardKeys(), body: new Uint8Array([0, 255, 128]) },
    },
    quotaBytes: Number.MAX_SAFE_INTEGER,
    placement: { where: { segments: [['f', 0, 5]], deep: { list: [1.5, null, true, AWKWARD_TEXT] } } },
    durability: 'process',
    epoch: 7,
    chore: 'settle',
    expiresAtMs: 1_800_000_000_000,
    finishedAtMs: 1_750_000_000_000,
  })
}

const EVERY_BYTE: Uint8Array = Uint8Array.from({ length: 256 }, (_, index) => index)

/** Every field that may change, with a value that differs from the sample's. */
const CHANGES: readonly RecordChange[] = [
  { status: 'finishing' },
  { offset: 1000 },
  { length: 2000 },
  { length: undefined },
  { placement: { where: 'elsewhere' } },
  { chore: 'remove' },
  { chore: undefined },
  { lastWriteAtMs: 1_700_000_000_001 },
  { expiresAtMs: 5 },
  { expiresAtMs: undefined },
  { finishedAtMs: 6 },
  { finishedAtMs: undefined },
  { durability: 'process' },
  { quotaBytes: 5 },
  { handling: { attempts: 2 } },
  { handling: undefined },
  { handling: { attempts: 1, answer: { status: 204, headers: {}, body: new Uint8Array(0) } } },
  { handling: { attempts: 1, answer: { status: 200, headers: { a: 'b' }, body: EVERY_BYTE } } },
  {},
  {
    status: 'complete',
    offset: 1000,
    length: 1000,
    chore: undefined,
    finishedAtMs: 7,
    expiresAtMs: undefined,
  },
]

/** Looks in both ways: a single record may come from memory. */
async function assertStored(catalog: Catalog, record: UploadRecord): Promise<void> {
  assertSameRecord(await catalog.get(record.id), record)
  const listed = await catalog.list({ limit: 1000 })
  assertSameRecord(
    listed.find(({ id }) => id === record.id),
    record,
  )
}

const BROKEN_GUARDS: readonly Partial<Guard>[] = [
  { epoch: 2 },
  { epoch: 4 },
  { offset: 9 },
  { offset: 11 },
  { status: 'finishing' },
]

export const recordCases: readonly ContractCase[] = [
  {
    name: 'get: nothing for an unknown id',
    async run({ catalog }) {
      assert.equal(await catalog.get(newId()), undefined)
    },
  },
  {
    name: 'insert: every field comes back as it was, awkward keys and text included',
    async run({ catalog }) {
      for (const record of [
        sampleRecord(),
        fullRecord(),
        sampleRecord({ length: undefined, concat: { kind: 'partial' } }),
        sampleRecord({ limits: { maxAppendBytes: 5 }, owner: '', handling: { attempts: 0 } }),
        sampleRecord({ serverMetadata: deeplyNested(2000) }),
      ]) {
        await catalog.insert(record)
        await assertStored(catalog, record)
      }
    },
  },
  {
    name: 'insert: inline bytes of 0, 1 and 65536 come back, even when the buffer is used again',
    async run({ catalog }) {
      for (const size of [0, 1, LARGEST_INLINE_BYTES]) {
        const inline = new Uint8Array(size + 2).fill(size % 251).subarray(1, size + 1)
        const record = sampleRecord({ placement: { where: null, inline } })
        const inserted = catalog.insert(record)
        const expected = { ...record, placement: { where: null, inline: inline.slice() } }
        inline.fill(255)
        await inserted
        assertSameRecord(await catalog.get(record.id), expected)
      }
    },
  },
  {
    name: 'insert and update: an answer is kept as it was, even when its buffer is used again',
    async run({ catalog }) {
      const answerIn = (body: Uint8Array): Handling => ({
        attempts: 1,
        answer: { status: 200, headers: {}, body },
      })
      const body = new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4)
      const record = sampleRecord({ handling: answerIn(body) })
      const inserted = catalog.insert(record)
      body.fill(7)
      await inserted
      body.fill(8)
      assertSameRecord(await catalog.get(record.id), {
        ...record,
        handling: answerIn(new Uint8Array([1, 2, 3])),
      })
      body.fill(4)
      const updated = catalog.update(record.id, guardOf(record), { handling: answerIn(body) })
      body.fill(5)
      await updated
      body.fill(6)
      assertSameRecord(await catalog.get(record.id), {
        ...record,
        handling: answerIn(new Uint8Array([4, 4, 4])),
      })
    },
  },
  {
    name: 'insert: a taken id is refused and the first record stays',
    async run({ catalog }) {
      const record = await insertSample(catalog)
      await assertRejects(catalog.insert({ ...record, length: 5 }), 'ERR_UPLOAD_EXISTS')
      assertSameRecord(await catalog.get(record.id), record)
    },
  },
  {
    name: 'insert: of many at once with one id, one wins, and its neighbours are not harmed',
    async run({ catalog }) {
      const record = sampleRecord()
      const others = Array.from({ length: 10 }, () => sampleRecord())
      const results = await Promise.allSettled(
        others.flatMap((other) => [catalog.insert(other), catalog.insert(record)]),
      )
      assert.equal(results.filter(({ status }) => status === 'rejected').length, others.length - 1)
      for (const other of others) assertSameRecord(await catalog.get(other.id), other)
    },
  },
  {
    name: 'update: each field changes, alone and together, and nothing else does',
    async run({ catalog }) {
      for (const change of CHANGES) {
        const record = await insertSample(catalog, {
          chore: 'settle',
          expiresAtMs: 1,
          finishedAtMs: 2,
          metadata: awkwardKeys(),
          owner: 'owner',
          serverMetadata: { a: 1 },
          handling: { attempts: 1 },
          quotaBytes: 7,
        })
        assert.equal(await catalog.update(record.id, guardOf(record), change), true)
        await assertStored(catalog, { ...record, ...change })
      }
    },
  },
  {
    name: 'update: inline bytes come, change, stay and go with the placement alone',
    async run({ catalog }) {
      const record = await insertSample(catalog)
      const guard = guardOf(record)
      const placements = [
        { where: 1, inline: new Uint8Array([1, 2, 3]) },
        { where: 2, inline: new Uint8Array([4]) },
        { where: 3 },
        { where: 4, inline: new Uint8Array(0) },
      ]
      for (const placement of placements) {
        assert.equal(await catalog.update(record.id, guard, { placement }), true)
        assertSameRecord(await catalog.get(record.id), { ...record, placement })
        assert.equal(await catalog.update(record.id, guard, { lastWriteAtMs: record.lastWriteAtMs }), true)
        assertSameRecord(await catalog.get(record.id), { ...record, placement })
      }
    },
  },
  {
    name: 'update: each part of the guard refuses by itself and changes nothing',
    async run({ catalog }) {
      const record = await insertSample(catalog, { epoch: 3, offset: 10 })
      for (const broken of BROKEN_GUARDS) {
        const guard = { ...guardOf(record), ...broken }
        assert.equal(await catalog.update(record.id, guard, { offset: 500 }), false, JSON.stringify(broken))
        assertSameRecord(await catalog.get(record.id), record)
      }
    },
  },
  {
    name: 'update: of many at once with one guard, one wins',
    async run({ catalog }) {
      const record = await insertSample(catalog)
      const offsets = Array.from({ length: 20 }, (_, index) => index + 1)
      const won = await Promise.all(
        offsets.map((offset) => catalog.update(record.id, guardOf(record), { offset })),
      )
      const winners = offsets.filter((_, index) => won[index] === true)
      assert.equal(winners.length, 1)
      assert.equal((await catalog.get(record.id))?.offset, winners[0])
    },
  },
  {
    name: 'update and forget: false for an unknown id',
    async run({ catalog }) {
      const guard = guardOf(sampleRecord())
      assert.equal(await catalog.update(newId(), guard, { offset: 1 }), false)
      assert.equal(await catalog.forget(newId(), guard), false)
    },
  },
  {
    name: 'forget: only under its guard; then the id is free again, without the old bytes',
    async run({ catalog }) {
      const record = await insertSample(catalog, {
        epoch: 3,
        offset: 10,
        placement: { where: null, inline: new Uint8Array([1]) },
      })
      for (const broken of BROKEN_GUARDS) {
        assert.equal(await catalog.forget(record.id, { ...guardOf(record), ...broken }), false)
        assertSameRecord(await catalog.get(record.id), record)
      }
      assert.equal(await catalog.forget(record.id, guardOf(record)), true)
      assert.equal(await catalog.get(record.id), undefined)
      const next = { ...record, placement: { where: 'new' } }
      await catalog.insert(next)
      assertSameRecord(await catalog.get(record.id), next)
    },
  },
]
