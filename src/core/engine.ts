import type { Context, Limits } from './context.ts'
import type { Pace } from './intake.ts'
import { Leases } from './leases.ts'
import { Listeners } from './listeners.ts'
import { MemoryBudget } from './memory-budget.ts'
import type { RandomFill } from './new-upload-id.ts'
import { newUploadId } from './new-upload-id.ts'
import type { AppendRequest } from './operations/append.ts'
import { append } from './operations/append.ts'
import { cancel } from './operations/cancel.ts'
import { doChores } from './operations/chores.ts'
import type { ClaimDesk } from './operations/claim.ts'
import { claimDesk } from './operations/claim.ts'
import type { ConcatenateRequest } from './operations/concatenate.ts'
import { concatenate } from './operations/concatenate.ts'
import type { CreateRequest } from './operations/create.ts'
import { create } from './operations/create.ts'
import type { Requester } from './operations/decide.ts'
import type { SweepOptions } from './operations/expire.ts'
import { sweep } from './operations/expire.ts'
import { read } from './operations/read.ts'
import { look, retrieve } from './operations/retrieve.ts'
import type { Catalog } from './ports/catalog.ts'
import { CLAIMS_QUEUE } from './ports/catalog.ts'
import type { Clock } from './ports/clock.ts'
import type { DigestAlgorithm, Digests } from './ports/digest.ts'
import type { EventSink, Happening, Hooks } from './ports/hooks.ts'
import type { ByteRange, Store } from './ports/store.ts'
import { Reservations } from './reservations.ts'
import { Settler } from './settler.ts'
import { systemClock } from './system-clock.ts'
import { Ticker } from './ticker.ts'
import type { UploadRecord } from './upload.ts'
import type { UploadId } from './upload-id.ts'

const TICK_MS = 100
const DEFAULT_MEMORY_BYTES = 64 * 1024 * 1024

const NO_DIGESTS: Digests = {
  algorithms: [],
  create: (algorithm) => {
    throw new TypeError(`no digest for ${algorithm}`)
  },
}

const DEFAULT_PACE: Pace = {
  checkpointBytes: 16 * 1024 * 1024,
  checkpointMs: 5000,
  idleFlushMs: 100,
  idleTimeoutMs: 30_000,
  minRateBytesPerSecond: 64,
  minRateWindowMs: 60_000,
  stopGraceMs: 25,
}

export interface EngineOptions {
  readonly store: Store
  readonly catalog: Catalog
  /** @default none: checksums are not offered */
  readonly digests?: Digests
  /** @default The clock of the machine. */
  readonly clock?: Clock
  /** Cryptographically strong random bytes. @default `crypto.getRandomValues` */
  readonly random?: RandomFill
  readonly limits?: Partial<Limits>
  /** When to record and when to give a slow body up. */
  readonly pace?: Partial<Pace>
  /** How long a newer request waits for the older writer, in milliseconds. @default 1000 */
  readonly preemptWaitMs?: number
  /** Bytes that all running uploads may hold in memory together. @default 64 MiB */
  readonly memoryBytes?: number
  /** The application's part in what happens to uploads. @default none */
  readonly hooks?: Hooks
  /** Who outside the process hears of what. @default nobody */
  readonly sinks?: readonly EventSink[]
  /** How often progress is told, in milliseconds. @default 1000 */
  readonly progressIntervalMs?: number
  /**
   * Request fields that are kept for a finish handler which may run later. Never name cookies or credentials here.
   *
   * @default content-type, content-language, accept, accept-language, user-agent, x-request-id, traceparent
   */
  readonly keepHeaders?: readonly string[]
  /** Hears of failures that no client is told: log them. */
  readonly report?: (error: unknown, id?: UploadId) => void
}

/** The upload engine: every rule of design §4 holds here, whatever the dialect, the store and the catalog. */
export interface Engine {
  readonly limits: Limits
  /** Checksum algorithms that appends can be verified with. */
  readonly checksumAlgorithms: readonly DigestAlgorithm[]
  readonly canConcatenate: boolean
  create(request: CreateRequest): Promise<UploadRecord>
  append(id: UploadId, request: AppendRequest): Promise<UploadRecord>
  retrieve(id: UploadId): Promise<UploadRecord>
  look(id: UploadId): Promise<UploadRecord>
  read(record: UploadRecord, range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>
  cancel(id: UploadId, by?: Requester): Promise<void>
  concatenate(request: ConcatenateRequest): Promise<UploadRecord>
  sweep(options?: SweepOptions): Promise<void>
  /** Takes up what an earlier run left unfinished. */
  recover(): Promise<void>
  /**
   * Tells a listener in this process what happens here. Never waited for, and nothing is told twice.
   *
   * @param what - `events`: without progress, which costs a little for each running request.
   * @returns A function that ends it.
   */
  observe(listener: (happening: Happening) => void, what?: 'all' | 'events'): () => void
  /** Complete uploads for processing by workers. */
  readonly claims: ClaimDesk
  readonly isClosing: boolean
  /** From now on refuses; stores what has arrived; then closes store and catalog. */
  close(waitMs: number): Promise<void>
}

/**
 * Makes an engine out of a store, a catalog and a platform.
 *
 * @throws {TypeError | RangeError} for options that make no sense.
 */
export function createEngine(options: EngineOptions): Engine {
  const ctx = makeContext(options)
  ctx.settler.start((leases) => doChores(ctx, leases))
  return {
    limits: ctx.limits,
    checksumAlgorithms: ctx.digests.algorithms,
    canConcatenate: ctx.store.concatenate !== undefined,
    create: (request) => create(ctx, request),
    append: (id, request) => append(ctx, id, request),
    retrieve: (id) => retrieve(ctx, id),
    look: (id) => look(ctx, id),
    read: (record, range, signal) => read(ctx, record, range, signal),
    cancel: (id, by) => cancel(ctx, id, by),
    concatenate: (request) => concatenate(ctx, request),
    sweep: (sweepOptions) => sweep(ctx, sweepOptions),
    recover: () => ctx.settler.recover(),
    claims: claimDesk(ctx),
    observe: (listener, what = 'all') => ctx.listeners.add(listener, what),
    get isClosing() {
      return ctx.leases.closing
    },
    close: (waitMs) => close(ctx, waitMs),
  }
}

const KEEP_HEADERS = [
  'content-type',
  'content-language',
  'accept',
  'accept-language',
  'user-agent',
  'x-request-id',
  'traceparent',
]

function makeContext(options: EngineOptions): Context & { readonly listeners: Listeners } {
  const { store, catalog, digests = NO_DIGESTS, clock = systemClock } = options
  const leases = new Leases(catalog, clock, options.preemptWaitMs ?? 1000)
  const report = options.report ?? (() => undefined)
  const { sinks = [] } = options
  if (sinks.some(({ queue }) => queue === CLAIMS_QUEUE))
    throw new TypeError(`the queue ${CLAIMS_QUEUE} is for workers; name another one`)
  const listeners = new Listeners(report)
  return {
    store,
    catalog,
    clock,
    digests,
    leases,
    report,
    limits: checkedLimits(options.limits ?? {}),
    hooks: options.hooks ?? {},
    progressIntervalMs: options.progressIntervalMs ?? 1000,
    keepHeaders: (options.keepHeaders ?? KEEP_HEADERS).map((name) => name.toLowerCase()),
    listeners,
    pace: { ...DEFAULT_PACE, ...options.pace },
    budget: new MemoryBudget(options.memoryBytes ?? DEFAULT_MEMORY_BYTES),
    ticker: new Ticker(clock, TICK_MS),
    reservations: new Reservations(store, clock),
    settler: new Settler({ catalog, clock, leases, report }),
    newId: () => newUploadId(options.random ?? ((bytes) => crypto.getRandomValues(bytes))),
    events(type, record, request) {
      const wanted = sinks.filter(({ types }) => types.has(type))
      return wanted.map(({ queue, describe }) => ({
        queue,
        uploadId: record.id,
        type,
        atMs: clock.nowMs(),
        payload: describe(type, record, request),
      }))
    },
    happen: (happening) => listeners.tell(happening),
    get isObserved() {
      return listeners.wantProgress
    },
  }
}

function checkedLimits(limits: Partial<Limits>): Limits {
  const { maxSizeBytes, expireAfterMs, maxAppendBytes, ownerBounds } = limits
  for (const [name, value] of Object.entries({
    maxSizeBytes,
    expireAfterMs,
    maxAppendBytes,
    ...ownerBounds,
  })) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0)) {
      throw new RangeError(`${name} must be a positive integer`)
    }
  }
  return { maxSizeBytes, expireAfterMs, maxAppendBytes, ownerBounds }
}

async function close(ctx: Context, waitMs: number): Promise<void> {
  await ctx.leases.close(waitMs)
  await ctx.settler.close()
  await ctx.store.close()
  await ctx.catalog.close()
}
