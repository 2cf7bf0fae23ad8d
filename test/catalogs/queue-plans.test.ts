/* Queues may grow without end while a listener is down: no statement may look at more entries than it is about. */
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openConnection } from '../../src/catalogs/sqlite/connection.ts'
import { type Database, loadDriver } from '../../src/catalogs/sqlite/driver.ts'
import { NEXT_DUE, queueListStatement } from '../../src/catalogs/sqlite/queue-row.ts'
import { insertValues } from '../../src/catalogs/sqlite/record-row.ts'
import { migrate } from '../../src/catalogs/sqlite/schema.ts'
import { WriteStatements } from '../../src/catalogs/sqlite/statements.ts'
import type { QueueQuery } from '../../src/core/ports/catalog.ts'
import { newId, sampleRecord } from '../../src/testing/catalog-contract/case.ts'
import { temporaryDirectory } from './sqlite-fixture.ts'

const open = await loadDriver()
let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let database: Database

beforeEach(async () => {
  directory = await temporaryDirectory()
  database = openConnection(open, join(directory.path, 'catalog.db'), 'process')
  migrate(database)
})

afterEach(async () => {
  database.close()
  await directory.remove()
})

function plan(sql: string): string {
  return JSON.stringify(database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all())
}

const listings: readonly [Omit<QueueQuery, 'limit'>, RegExp][] = [
  [{ uploadId: newId() }, /USING INDEX queue_upload \(upload_id=\?/],
  [{ uploadId: newId(), queue: 'web' }, /USING INDEX queue_upload \(upload_id=\? AND queue=\?/],
  [{ isDead: true }, /USING INDEX queue_dead/],
  [{ isDead: true, queue: 'web' }, /USING INDEX queue_dead/],
]

test.each(listings)('a listing of %o', (query, index) => {
  for (const page of [query, { ...query, after: 5 }]) {
    expect(plan(queueListStatement({ ...page, limit: 10 }).sql)).toMatch(index)
  }
})

test('writing, taking, ending, giving up, and looking when the next one is due', () => {
  const sqls: string[] = []
  const statements = new WriteStatements({
    exec: (sql) => database.exec(sql),
    prepare(sql) {
      sqls.push(sql)
      return database.prepare(sql)
    },
    close: () => undefined,
  })
  const event = ['web', newId(), 'post-finish', 1, '{}'] as const
  statements.apply('me', ['insert', insertValues(sampleRecord()), null, [event], null])
  statements.apply('me', ['take', 'web', 1, 1, 1])
  statements.apply('me', ['extend', 1, 1, 1])
  statements.apply('me', ['give-back', 1, 1, 1, 'dead', null])
  statements.apply('me', ['replay', [1]])
  statements.apply('me', ['done', 1, 1])
  expect(sqls.length).toBeGreaterThanOrEqual(8)
  for (const sql of [...sqls, NEXT_DUE]) {
    expect(plan(sql)).not.toMatch(/SCAN (queue|uploads)|USE TEMP B-TREE/)
  }
})
