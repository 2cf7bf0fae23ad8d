import assert from 'node:assert/strict'
import { isUploadError, type ErrorCode } from '../../core/errors.ts'
import type { Acquired, Catalog, Guard } from '../../core/ports/catalog.ts'
import { parseUploadId, type UploadId } from '../../core/upload-id.ts'
import type { UploadRecord } from '../../core/upload.ts'
import { NO_APPLICATION } from '../../core/upload.ts'

/** What the factory of a catalog can do with other processes. Absent: nobody else can ever take part. */
export interface CatalogSharing {
  /** Another process joins. */
  join(): Promise<Catalog>
  /** The process of `catalog` stops running by itself, as by SIGSTOP. */
  freeze(catalog: Catalog): void
  /** It runs on, as by SIGCONT. */
  thaw(catalog: Catalog): void
  /** It never runs again, without having closed anything, and the others can find out. */
  kill(catalog: Catalog): void
}

/** A fresh catalog and what surrounds it. */
export interface CatalogUnderTest {
  readonly catalog: Catalog
  /** Opens the same data again, after `catalog` was closed. Absent: nothing outlives the process. */
  readonly reopen?: (() => Promise<Catalog>) | undefined
  readonly sharing?: CatalogSharing | undefined
  /** Closes every catalog that was made and removes what they stored. */
  dispose(): Promise<void>
}

export interface ContractCase {
  readonly name: string
  readonly run: (subject: CatalogUnderTest) => Promise<void>
}

let made = 0

/** An id that no other test uses. Later ids sort behind earlier ones. */
export function newId(): UploadId {
  made += 1
  const id = parseUploadId(`upload-${String(made).padStart(20, '0')}`)
  assert(id !== undefined)
  return id
}

export function sampleRecord(overrides: Partial<UploadRecord> = {}): UploadRecord {
  return {
    id: newId(),
    dialect: 'tus1',
    status: 'receiving',
    offset: 0,
    length: 1000,
    metadata: {},
    echo: {},
    concat: undefined,
    ...NO_APPLICATION,
    placement: { where: { segments: [] } },
    durability: 'power',
    epoch: 0,
    chore: undefined,
    createdAtMs: 1_700_000_000_000,
    lastWriteAtMs: 1_700_000_000_000,
    expiresAtMs: undefined,
    finishedAtMs: undefined,
    ...overrides,
  }
}

/** Inserts a sample and returns it. */
export async function insertSample(
  catalog: Catalog,
  overrides: Partial<UploadRecord> = {},
): Promise<UploadRecord> {
  const record = sampleRecord(overrides)
  await catalog.insert(record)
  return record
}

export function guardOf({ epoch, offset, status }: UploadRecord): Guard {
  return { epoch, offset, status }
}

/** Compares records by what they say: prototypes and kinds of byte arrays may differ. */
export function assertSameRecord(actual: UploadRecord | undefined, expected: UploadRecord): void {
  assert(actual !== undefined, 'there is no such record')
  assert.deepEqual(plain(actual), plain(expected))
}

function plain(record: UploadRecord): unknown {
  const { placement, request, handling } = record
  const { where, inline } = placement
  const answer = handling?.answer
  return {
    ...record,
    metadata: Object.entries(record.metadata),
    echo: Object.entries(record.echo),
    serverMetadata: JSON.stringify(record.serverMetadata),
    request: request && { ...request, headers: Object.entries(request.headers) },
    placement: { where, inline: inline && [...inline] },
    handling: handling && {
      ...handling,
      answer: answer && { ...answer, headers: Object.entries(answer.headers), body: [...answer.body] },
    },
  }
}

export async function assertRejects(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  const error: unknown = await promise.then(
    () => assert.fail(`resolved, where ${code} was due`),
    (reason: unknown) => reason,
  )
  assert(isUploadError(error), `not an UploadError: ${String(error)}`)
  assert.equal(error.code, code)
}

/** Acquires, asking again while another process lets go. */
export async function acquireSoon(catalog: Catalog, id: UploadId): Promise<UploadRecord> {
  let acquired: Acquired = { kind: 'busy' }
  await until(`upload ${id} can be acquired`, async () => {
    acquired = await catalog.acquire(id)
    return acquired.kind !== 'busy'
  })
  return heldRecord(acquired)
}

export function heldRecord(acquired: Acquired): UploadRecord {
  assert.equal(acquired.kind, 'held')
  assert(acquired.kind === 'held')
  return acquired.record
}

const PATIENCE_MS = 10_000

/** Waits for something that another process has to do first. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + PATIENCE_MS
  while (!(await holds())) {
    assert(Date.now() < giveUpAt, `waited in vain until ${what}`)
    await new Promise((resolve) => void setTimeout(resolve, 5))
  }
}
