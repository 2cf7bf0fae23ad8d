import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openConnection, pragma } from '../../src/catalogs/sqlite/connection.ts'
import { type Database, loadDriver, type SqlValue } from '../../src/catalogs/sqlite/driver.ts'
import { sqliteCatalog } from '../../src/catalogs/sqlite/index.ts'
import { migrate } from '../../src/catalogs/sqlite/schema.ts'
import { SCHEMA_STEPS } from '../../src/catalogs/sqlite/schema-steps.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import { assertSameRecord, guardOf, newId, sampleRecord } from '../../src/testing/catalog-contract/case.ts'
import { temporaryDirectory } from './sqlite-fixture.ts'

const open = await loadDriver()
let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let path: string

beforeEach(async () => {
  directory = await temporaryDirectory()
  path = join(directory.path, 'catalog.db')
})

afterEach(() => directory.remove())

/** A database as the first version has left it. */
function firstVersion(records: readonly UploadRecord[]): void {
  const database = openConnection(open, path, 'power')
  migrate(database, SCHEMA_STEPS.slice(0, 1))
  for (const record of records) insertAsFirstVersion(database, record)
  database.exec("INSERT INTO outbox (upload_id, type, at, payload) VALUES ('u', 'post-create', 1, '{}')")
  expect(pragma(database, 'user_version', 'user_version')).toBe(1)
  database.close()
}

/** The statements of the first version, word by word. */
function insertAsFirstVersion(database: Database, record: UploadRecord): void {
  const { dialect, metadata, echo, concat } = record
  const values: SqlValue[] = [
    record.id,
    record.status,
    record.offset,
    record.length ?? null,
    record.epoch,
    record.chore ?? null,
    record.durability,
    record.createdAtMs,
    record.lastWriteAtMs,
    record.expiresAtMs ?? null,
    record.finishedAtMs ?? null,
    JSON.stringify(record.placement.where),
    record.placement.inline === undefined ? 0 : 1,
    JSON.stringify({ dialect, metadata, echo, concat }),
  ]
  const columns =
    'id, status, offset, length, epoch, chore, durability, created_at, last_write_at, expires_at, finished_at, place, inlined, cold'
  const { lastInsertRowid } = database
    .prepare(`INSERT INTO uploads (${columns}) VALUES (${values.map(() => '?').join(', ')})`)
    .run(...values)
  if (record.placement.inline !== undefined) {
    database
      .prepare('INSERT INTO inline_bytes (upload, bytes) VALUES (?, ?)')
      .run(Number(lastInsertRowid), record.placement.inline)
  }
}

const complete = { status: 'complete', offset: 1000 } as const

test('a database of the first version: every record is there, and everything new works with it', async () => {
  const inline = new Uint8Array([1, 2, 3])
  const receiving = sampleRecord({ metadata: { name: 'ü "x"' }, echo: { 'upload-metadata': 'a' }, offset: 3 })
  const inlined = sampleRecord({ ...complete, finishedAtMs: 20, placement: { where: null, inline } })
  const partial = sampleRecord({ ...complete, concat: { kind: 'partial' }, finishedAtMs: 5 })
  const openPartial = sampleRecord({ concat: { kind: 'partial' } })
  const final = sampleRecord({ ...complete, concat: { kind: 'final', parts: [newId()] }, finishedAtMs: 10 })
  const gone = sampleRecord({ status: 'expired', chore: 'remove', expiresAtMs: 7, length: undefined })
  const records = [receiving, inlined, partial, openPartial, final, gone]
  firstVersion(records)
  const catalog = await sqliteCatalog({ path })
  for (const record of records) assertSameRecord(await catalog.get(record.id), record)
  expect(await catalog.list({ limit: 100 })).toHaveLength(records.length)
  expect((await catalog.list({ finishedBeforeMs: 20, limit: 9 })).map(({ id }) => id)).toEqual([
    partial.id,
    final.id,
  ])
  expect(await catalog.queues.list({ limit: 10 })).toEqual([])

  await catalog.queues.enableClaims()
  const done = { ...complete, finishedAtMs: 30, handling: { attempts: 1 }, quotaBytes: 5 }
  for (const record of [receiving, openPartial]) {
    expect(await catalog.update(record.id, guardOf(record), done)).toBe(true)
    assertSameRecord(await catalog.get(record.id), { ...record, ...done })
  }
  const claims = await catalog.queues.take('claims', { limit: 9, nowMs: 100, leaseMs: 1 })
  expect(claims.map(({ uploadId }) => uploadId)).toEqual([final.id, inlined.id, receiving.id])
  expect(await catalog.forget(inlined.id, guardOf(inlined))).toBe(true)
  await catalog.close()

  const again = await sqliteCatalog({ path })
  assertSameRecord(await again.get(gone.id), gone)
  expect(await again.get(inlined.id)).toBeUndefined()
  expect(await again.queues.list({ limit: 10 })).toHaveLength(2)
  await again.close()
})

test('several processes that find a database of the first version take the step once', async () => {
  const record = sampleRecord()
  firstVersion([record])
  const catalogs = await Promise.all([
    sqliteCatalog({ path }),
    sqliteCatalog({ path }),
    sqliteCatalog({ path }),
  ])
  for (const catalog of catalogs) {
    assertSameRecord(await catalog.get(record.id), record)
    await catalog.close()
  }
})
