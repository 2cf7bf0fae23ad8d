import { spawnSync } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openConnection, pragma } from '../../src/catalogs/sqlite/connection.ts'
import { type Database, loadDriver } from '../../src/catalogs/sqlite/driver.ts'
import { Engine } from '../../src/catalogs/sqlite/engine.ts'
import { type ProcessIdentity, sqliteCatalog } from '../../src/catalogs/sqlite/index.ts'
import { sameBoot, systemProcesses } from '../../src/catalogs/sqlite/processes.ts'
import { insertValues } from '../../src/catalogs/sqlite/record-row.ts'
import { migrate, SCHEMA_VERSION } from '../../src/catalogs/sqlite/schema.ts'
import type { Operation } from '../../src/catalogs/sqlite/operations.ts'
import { listStatement } from '../../src/catalogs/sqlite/reader.ts'
import type { ListQuery } from '../../src/core/ports/catalog.ts'
import { parseUploadId } from '../../src/core/upload-id.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import {
  assertSameRecord,
  guardOf,
  insertSample,
  sampleRecord,
  until,
} from '../../src/testing/catalog-contract/case.ts'
import { endChildren, startChild } from './child-process.ts'
import { temporaryDirectory } from './sqlite-fixture.ts'

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let path: string
const open = await loadDriver()

beforeEach(async () => {
  directory = await temporaryDirectory()
  path = join(directory.path, 'records', 'catalog.db')
})

afterEach(async () => {
  await endChildren()
  await directory.remove()
})

/** Opens the file without a catalog. */
function withDatabase<T>(use: (database: Database) => T): T {
  const database = open(path)
  try {
    return use(database)
  } finally {
    database.close()
  }
}

async function opened(options: { boot?: string } = {}): Promise<Awaited<ReturnType<typeof sqliteCatalog>>> {
  const self = { pid: process.pid, started: '', boot: options.boot ?? 'this', namespace: '' }
  const processes = { self, isProvenDead: ({ boot }: ProcessIdentity) => boot !== self.boot }
  return sqliteCatalog({ path, thread: 'same', processes })
}

describe('the file', () => {
  test('is for its owner alone, and so are its log and its directory', async () => {
    const catalog = await sqliteCatalog({ path })
    await insertSample(catalog)
    for (const name of [path, `${path}-wal`, `${path}-shm`])
      expect((await stat(name)).mode & 0o777).toBe(0o600)
    expect((await stat(join(directory.path, 'records'))).mode & 0o777).toBe(0o700)
    await catalog.close()
  })

  test('every connection syncs as its durability says, and says so itself', async () => {
    const catalog = await opened()
    for (const [durability, level] of [
      ['power', 2],
      ['process', 1],
    ] as const) {
      const database = openConnection(open, path, durability)
      expect(pragma(database, 'synchronous', 'synchronous')).toBe(level)
      expect(pragma(database, 'journal_mode', 'journal_mode')).toBe('wal')
      expect(pragma(database, 'wal_autocheckpoint', 'wal_autocheckpoint')).toBe(0)
      database.close()
    }
    await catalog.close()
  })

  test('a connection that does not sync as asked is refused', () => {
    const lying = (): Database => {
      const database = open(':memory:')
      return {
        exec: (sql) => (sql.includes('synchronous') ? undefined : database.exec(sql)),
        prepare: (sql) =>
          database.prepare(sql.includes('journal_mode') ? "SELECT 'wal' AS journal_mode" : sql),
        close: () => database.close(),
      }
    }
    expect(() => openConnection(lying, path, 'process')).toThrow(/refused synchronous/)
  })

  test('one of a newer version is refused with one sentence and left as it was', async () => {
    await (await opened()).close()
    withDatabase((database) => database.exec('PRAGMA user_version = 7'))
    const before = await readFile(path)
    await expect(sqliteCatalog({ path })).rejects.toThrow(
      `the directory was written by a newer version of Carryon (schema 7, this one knows ${SCHEMA_VERSION})`,
    )
    expect((await readFile(path)).equals(before)).toBe(true)
  })

  test('migrations run forward, each once, and a failed one leaves the version before it', async () => {
    await (await opened()).close()
    const add = 'CREATE TABLE added (a INTEGER) STRICT; INSERT INTO added VALUES (1)'
    const steps = [...Array.from({ length: SCHEMA_VERSION }, () => 'not to be run again'), add]
    withDatabase((database) => {
      migrate(database, steps)
      migrate(database, steps)
      expect(database.prepare('SELECT count(*) AS n FROM added').get()).toMatchObject({ n: 1 })
      expect(() => migrate(database, [...steps, 'CREATE TABLE half (a); NONSENSE'])).toThrow(/syntax/)
      expect(pragma(database, 'user_version', 'user_version')).toBe(SCHEMA_VERSION + 1)
      expect(() => database.prepare('SELECT * FROM half')).toThrow(/no such table/)
    })
  })

  test('what is remembered of a record does not share its bytes with the caller', async () => {
    const catalog = await opened()
    const known = await insertSample(catalog)
    // The same object twice: it comes from memory.
    await until('records are remembered', () => catalog.get(known.id) === catalog.get(known.id))
    const bytes = new Uint8Array([1, 2, 3])
    const record = await insertSample(catalog, { placement: { where: 1, inline: bytes } })
    const answer = { status: 200, headers: {}, body: bytes }
    await catalog.update(known.id, guardOf(known), { handling: { attempts: 1, answer } })
    bytes.fill(9)
    expect((await catalog.get(record.id))?.placement.inline).toEqual(new Uint8Array([1, 2, 3]))
    expect((await catalog.get(known.id))?.handling?.answer?.body).toEqual(new Uint8Array([1, 2, 3]))
    await catalog.update(record.id, guardOf(record), { placement: { where: 1, inline: bytes } })
    bytes.fill(8)
    expect((await catalog.get(record.id))?.placement.inline).toEqual(new Uint8Array([9, 9, 9]))
    await catalog.close()
  })

  test('an ordinary record takes no more space than it has to say', () => {
    const cold = insertValues(sampleRecord({ limits: {}, serverMetadata: {} }))
    expect(cold).toContain('{"dialect":"tus1","metadata":{},"echo":{}}')
  })

  test('inline bytes that moved or whose upload was forgotten take no space', async () => {
    const catalog = await opened()
    const placement = { where: 1, inline: new Uint8Array(100) }
    const [moved, forgotten, kept] = [
      await insertSample(catalog, { placement }),
      await insertSample(catalog, { placement }),
      await insertSample(catalog, { placement }),
    ]
    await catalog.update(moved.id, moved, { placement: { where: 2 } })
    await catalog.forget(forgotten.id, forgotten)
    withDatabase((database) => {
      expect(database.prepare('SELECT count(*) AS n FROM inline_bytes').get()).toMatchObject({ n: 1 })
    })
    assertSameRecord(await catalog.get(kept.id), kept)
    await catalog.close()
  })

  test('the log is moved into the database between commits and stays small', async () => {
    const catalog = await opened()
    for (let round = 0; round < 40; round += 1) {
      await Promise.all(
        Array.from({ length: 50 }, () =>
          insertSample(catalog, { placement: { where: 1, inline: new Uint8Array(32 * 1024) } }),
        ),
      )
    }
    expect((await stat(`${path}-wal`)).size).toBeLessThan(40 * 1024 * 1024)
    expect((await stat(path)).size).toBeGreaterThan(30 * 1024 * 1024)
    await catalog.close()
  })
})

describe('a page of a listing reads no more than it has to', () => {
  const cases: readonly [Omit<ListQuery, 'limit'>, RegExp][] = [
    [{ expiresBeforeMs: 5 }, /USING INDEX uploads_expiry/],
    [{ expiresBeforeMs: 5, status: ['receiving'] }, /USING INDEX uploads_(expiry|unfinished)/],
    [{ status: ['receiving'] }, /USING INDEX uploads_unfinished/],
    [{ status: ['receiving', 'finishing'] }, /USING INDEX uploads_unfinished/],
    [{ lastWriteBeforeMs: 5 }, /USING INDEX uploads_gone/],
    [{ finishedBeforeMs: 5 }, /USING INDEX uploads_finished/],
    [{ finishedBeforeMs: 5, status: ['complete'] }, /USING INDEX uploads_finished/],
    [{ withChore: true }, /USING INDEX uploads_chore/],
    [{ withChore: true, status: ['finishing'] }, /USING INDEX uploads_(chore|unfinished)/],
    [{ status: ['complete'] }, /USING INDEX sqlite_autoindex_uploads_1/],
  ]
  test.each(cases)('%o', async (query, index) => {
    await (await opened()).close()
    const after = parseUploadId('a'.repeat(22))
    withDatabase((database) => {
      for (const page of [query, { ...query, after }]) {
        const { sql } = listStatement({ ...page, limit: 10 })
        const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all()
        expect(JSON.stringify(plan)).toMatch(index)
      }
    })
  })
})

describe('after a reboot', () => {
  test('unfinished uploads that were never synced have failed; all others stay', async () => {
    const first = await opened({ boot: 'one' })
    const lost = [
      await insertSample(first, { durability: 'process', expiresAtMs: 5 }),
      await insertSample(first, {
        durability: 'process',
        status: 'finishing',
        owner: 'o',
        quotaBytes: 5,
      }),
    ]
    const kept: UploadRecord[] = [
      await insertSample(first, { durability: 'process', status: 'complete' }),
      await insertSample(first, { durability: 'process', status: 'cancelled' }),
      await insertSample(first, { durability: 'power' }),
      await insertSample(first, { durability: 'power', status: 'finishing' }),
    ]
    await first.close()
    const sameAgain = await opened({ boot: 'one' })
    for (const record of [...lost, ...kept]) assertSameRecord(await sameAgain.get(record.id), record)
    await sameAgain.close()
    const after = await opened({ boot: 'two' })
    for (const record of kept) assertSameRecord(await after.get(record.id), record)
    for (const record of lost) {
      expect(await after.get(record.id)).toMatchObject({
        status: 'failed',
        chore: 'remove',
        expiresAtMs: undefined,
        quotaBytes: 0,
      })
    }
    expect(await after.usage('o')).toEqual({ bytes: 0, uploads: 0 })
    await after.close()
  })

  test('boot times a correction of the clock apart are the same boot', () => {
    expect(sameBoot('booted-at:1000', 'booted-at:1100')).toBe(true)
    expect(sameBoot('booted-at:1000', 'booted-at:2000')).toBe(false)
    expect(sameBoot('a', 'a')).toBe(true)
    expect(sameBoot('a', 'b')).toBe(false)
  })
})

describe('processes of this machine', () => {
  const processes = systemProcesses()

  test('this one lives; another start, boot or a free id is dead; another namespace proves nothing', () => {
    const { self } = processes
    expect(processes.isProvenDead(self)).toBe(false)
    if (self.started !== '') expect(processes.isProvenDead({ ...self, started: '1' })).toBe(true)
    expect(processes.isProvenDead({ ...self, boot: 'another' })).toBe(true)
    const ended = spawnSync(process.execPath, ['-e', '']).pid
    expect(processes.isProvenDead({ ...self, pid: ended })).toBe(true)
    expect(processes.isProvenDead({ ...self, pid: ended, namespace: 'pid:[1]' })).toBe(false)
  })
})

describe('the engine', () => {
  function engine(use: (engine: Engine, database: Database) => void): void {
    const database = openConnection(open, join(directory.path, 'engine.db'), 'process')
    migrate(database)
    const subject = new Engine(database)
    subject.run([{ writer: 'me', operations: [['register', 'me', '{}', []]] }])
    try {
      use(subject, database)
    } finally {
      subject.close()
    }
  }

  const insert = (bytes: number): Operation => {
    const record = sampleRecord({ placement: { where: 1, inline: new Uint8Array(bytes) } })
    return ['insert', insertValues(record), new Uint8Array(bytes), [], null]
  }

  test('a full disk refuses its group whole, and the next one that fits goes through', () => {
    engine((subject, database) => {
      const pages = Number(pragma(database, 'page_count', 'page_count'))
      database.exec(`PRAGMA max_page_count = ${pages + 4}`)
      const full = subject.run([{ writer: 'me', operations: [insert(10), insert(60_000), insert(10)] }])
      expect(full.fatal).toBeUndefined()
      expect([...full.failures.values()].map(({ code }) => code)).toEqual(Array(3).fill('ERR_STORE_FULL'))
      expect(database.prepare('SELECT count(*) AS n FROM uploads').get()).toMatchObject({ n: 0 })
      const small = subject.run([{ writer: 'me', operations: [insert(10)] }])
      expect(small).toMatchObject({ outcomes: [true], fatal: undefined })
      expect(small.failures.size).toBe(0)
    })
  })

  test('nothing is written after a failed sync, even what had queued up', () => {
    const failing = (): Database => {
      const database = openConnection(open, join(directory.path, 'engine.db'), 'process')
      migrate(database)
      let syncs = 0
      const exec = (sql: string): void => {
        if (sql !== 'COMMIT') return database.exec(sql)
        syncs += 1
        if (syncs === 2) throw Object.assign(new Error('disk I/O error'), { errcode: 1034 })
        database.exec(sql)
      }
      return { exec, prepare: (sql) => database.prepare(sql), close: () => database.close() }
    }
    const subject = new Engine(failing())
    expect(subject.run([{ writer: 'me', operations: [['register', 'me', '{}', []]] }]).fatal).toBeUndefined()
    expect(subject.run([{ writer: 'me', operations: [insert(1)] }]).fatal).toBe('disk I/O error')
    expect(subject.run([{ writer: 'me', operations: [insert(1)] }]).fatal).toBe('disk I/O error')
    subject.close()
  })

  test('an operation that cannot be carried out fails alone', () => {
    engine((subject) => {
      const impossible: Operation = ['insert', insertValues(sampleRecord({ offset: 0.5 })), null, [], null]
      const reply = subject.run([{ writer: 'me', operations: [insert(1), impossible, insert(1)] }])
      expect(reply.outcomes).toEqual([true, null, true])
      expect([...reply.failures].map(([index, { code }]) => [index, code])).toEqual([
        [1, 'ERR_INTERNAL_SERVER_ERROR'],
      ])
    })
  })

  test('a process is expelled only under the beat at which it was judged', () => {
    engine((subject) => {
      subject.run([{ writer: 'other', operations: [['register', 'other', '{}', []], ['beat']] }])
      const expel = (beat: number): unknown => {
        return subject.run([{ writer: 'me', operations: [['expel', 'other', beat]] }]).outcomes[0]
      }
      expect(expel(0)).toBe(false)
      expect(expel(1)).toBe(true)
      expect(expel(1)).toBe(false)
    })
  })

  test('operations of a writer that is not registered are refused', () => {
    engine((subject) => {
      const reply = subject.run([
        { writer: 'stranger', operations: [insert(1)] },
        { writer: 'me', operations: [insert(1)] },
      ])
      expect(reply.outcomes).toEqual([null, true])
      expect(reply.failures.get(0)?.code).toBe('ERR_LEASE_LOST')
    })
  })
})

/** Installed is not enough: many containers forbid tracing. */
const tracer = spawnSync('strace', ['-f', '-qq', '-e', 'inject=fsync:error=EIO', '-o', '/dev/null', 'true'])
const noTracer = tracer.error?.message ?? (tracer.status === 0 ? undefined : String(tracer.stderr))
if (noTracer !== undefined) {
  console.warn(`NOT RUN: the tests of system calls need strace, which does not work here: ${noTracer}`)
}

describe.skipIf(noTracer !== undefined)('system calls', () => {
  async function syncs(durability: string): Promise<number> {
    const trace = join(directory.path, 'trace')
    const calls = 'trace=fsync,fdatasync,access,faccessat,faccessat2'
    const child = await startChild(path, {
      durability,
      tracer: ['strace', '-f', '-q', '-e', calls, '-o', trace],
    })
    await child.call('insertMany', 100, 0)
    await child.call('close')
    const lines = (await readFile(trace, 'utf8')).split('\n')
    const from = lines.findIndex((line) => line.includes('carryon-marker-start'))
    const to = lines.findIndex((line) => line.includes('carryon-marker-end'))
    expect(from).toBeGreaterThan(0)
    expect(to).toBeGreaterThan(from)
    return lines.slice(from, to).filter((line) => /(fsync|fdatasync)\(/.test(line)).length
  }

  test('100 inserts at once share few syncs, but there is one', async () => {
    const count = await syncs('power')
    expect(count).toBeGreaterThanOrEqual(1)
    expect(count).toBeLessThan(30)
  })

  test('durability process leaves syncing to the kernel', async () => {
    expect(await syncs('process')).toBe(0)
  })

  test('a failed sync is fatal: what waited is refused, everybody is told, nothing more is taken', async () => {
    await (await opened()).close()
    const fault = 'inject=fsync,fdatasync:error=EIO:when=8+'
    const child = await startChild(path, {
      tracer: ['strace', '-f', '-qq', '-o', '/dev/null', '-P', `${path}-wal`, '-e', fault],
    })
    const acknowledged: string[] = []
    const failing = (async () => {
      for (let round = 0; round < 20; round += 1) {
        acknowledged.push(...((await child.call('insertMany', 1, round)) as string[]))
      }
    })()
    await expect(failing).rejects.toThrow('ERR_STORE_UNAVAILABLE')
    expect(acknowledged.length).toBeGreaterThan(0)
    expect(await child.call('fatal')).toBe(1)
    await expect(child.call('insert', sampleRecord())).rejects.toThrow('ERR_STORE_UNAVAILABLE')
    child.signal('SIGKILL')
    await endChildren()
    const again = await opened({ boot: 'another' })
    const stored = new Set<string>((await again.list({ limit: 1000 })).map(({ id }) => id))
    expect(acknowledged.filter((id) => !stored.has(id))).toEqual([])
    await again.close()
  })
})
