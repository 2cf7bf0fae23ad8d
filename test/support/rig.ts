import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import type { Engine, EngineOptions } from '../../src/core/engine.ts'
import { createEngine } from '../../src/core/engine.ts'
import type { ErrorCode } from '../../src/core/errors.ts'
import { isUploadError } from '../../src/core/errors.ts'
import type { AppendRequest } from '../../src/core/operations/append.ts'
import type { CreateRequest, FirstContent, NewUpload } from '../../src/core/operations/create.ts'
import type { Catalog, QueueEntry } from '../../src/core/ports/catalog.ts'
import type { EventSink, UploadEventType } from '../../src/core/ports/hooks.ts'
import type { Store } from '../../src/core/ports/store.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import type { UploadId } from '../../src/core/upload-id.ts'
import { nodeDigests } from '../../src/node/digests.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { collected } from './bytes.ts'
import { FakeClock } from './fake-clock.ts'
import { withFaults } from './faults.ts'
import { sent } from './push-body.ts'

/** An engine over memory with a clock that stands still. */
export interface Rig {
  readonly engine: Engine
  readonly store: Store
  readonly catalog: Catalog
  readonly clock: FakeClock
  /** What the operator was told. */
  readonly reports: unknown[]
}

export function rig(options: Partial<EngineOptions> = {}): Rig {
  const clock = options.clock instanceof FakeClock ? options.clock : new FakeClock()
  const store = options.store ?? memoryStore({ clock })
  const catalog = options.catalog ?? memoryCatalog()
  const reports: unknown[] = []
  const report = (error: unknown): void => void reports.push(error)
  const engine = createEngine({ digests: nodeDigests, report, ...options, store, catalog, clock })
  return { engine, store, catalog, clock, reports }
}

/** A catalog that outlives the engine that closes it, as a file on a disk would. */
export function lasting(catalog: Catalog): Catalog {
  return withFaults(catalog, { close: () => Promise.resolve() })
}

export interface Wish extends Partial<NewUpload> {
  readonly completes?: CreateRequest['completes']
  readonly content?: Uint8Array | FirstContent
}

/** A creation in the words of tus. */
export function creation({ completes = 'at-length', content, ...upload }: Wish): CreateRequest {
  return {
    upload: { dialect: 'tus1', length: undefined, metadata: {}, echo: {}, ...upload },
    completes,
    content: content instanceof Uint8Array ? { body: sent(content) } : content,
  }
}

/** An append in the words of tus. */
export function appending(
  offset: number,
  content: Uint8Array | AppendRequest['body'],
  more: Partial<AppendRequest> = {},
): AppendRequest {
  const body = content instanceof Uint8Array ? sent(content) : content
  return { offset, body, completes: 'at-length', ...more }
}

/** Everything recorded of an upload. */
export function contentOf({ engine }: Pick<Rig, 'engine'>, record: UploadRecord): Promise<Uint8Array> {
  const range = { start: 0, end: record.offset }
  return collected(engine.read(record, range, new AbortController().signal))
}

/** The record as it stands in the catalog, tombstones included. */
export async function recorded({ catalog }: Pick<Rig, 'catalog'>, id: UploadId): Promise<UploadRecord> {
  const record = await catalog.get(id)
  if (record === undefined) throw new Error(`no record ${id}`)
  return record
}

/** The code that an operation fails with; `'none'` when it does not. */
export async function codeOf(operation: Promise<unknown>): Promise<ErrorCode | 'none' | 'unknown'> {
  return operation.then(
    () => 'none' as const,
    (error: unknown) => (isUploadError(error) ? error.code : 'unknown'),
  )
}

/** A listener outside the process that hears of these events. */
export function sink(...types: readonly UploadEventType[]): EventSink {
  return {
    queue: 'test',
    types: new Set(types),
    describe: (type, { id, offset, status }) => JSON.stringify({ type, id, offset, status }),
  }
}

/** What the listener of {@link sink} will hear. */
export function told({ catalog }: Pick<Rig, 'catalog'>): Promise<readonly QueueEntry[]> {
  return catalog.queues.list({ queue: 'test', limit: 1000 })
}
