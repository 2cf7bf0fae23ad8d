import { join } from 'node:path'
import type { FetchHandler } from '../adapters/fetch.ts'
import type { attach as AttachToServer, NodeListener } from '../adapters/node.ts'
import { sqliteCatalog } from '../catalogs/sqlite/index.ts'
import type { Limits } from '../core/context.ts'
import type { Engine, EngineOptions } from '../core/engine.ts'
import type { Digests } from '../core/ports/digest.ts'
import type { Hooks } from '../core/ports/hooks.ts'
import { systemClock } from '../core/system-clock.ts'
import type { Durability } from '../core/upload.ts'
import type { HandlerOptions } from '../server/handler.ts'
import { CLAIMS_QUEUE } from '../core/ports/catalog.ts'
import { combineHooks } from '../hooks/combine.ts'
import { fileStore } from '../stores/file/index.ts'
import type { Claims } from './claims/index.ts'
import { claimsOf } from './claims/index.ts'
import { nodeDigests } from './digests.ts'
import { makeRoot } from './make-root.ts'
import type { HealthOptions, MetricsOptions, Observability } from './metrics/index.ts'
import type { Remote, RemoteHooks } from './remote.ts'
import type * as Serving from './serving.ts'
import type { SweepReport } from './reaper.ts'
import { startReaper } from './reaper.ts'

export { readRecord } from './claims/index.ts'
export type {
  Claim,
  ClaimMetadata,
  ClaimRecord,
  Claims,
  ClaimsOptions,
  ContentAlgorithm,
  ContentDigest,
  DeadClaim,
  Destination,
  DoneOptions,
  ReleaseOptions,
  SaveOptions,
  SaveRecordOptions,
  UploadFacts,
} from './claims/index.ts'

export type { SweepReport } from './reaper.ts'
export type { HealthOptions, MetricsLibrary, MetricsOptions, MetricsRegistry } from './metrics/index.ts'
export type { RemoteHooks } from './remote.ts'

export interface UploadsOptions extends Omit<HandlerOptions, 'engine' | 'report'> {
  /** Directory of everything: unfinished uploads in `data/`, finished ones in `completed/`, records in `carryon.db`. */
  readonly dir: string
  /** Where finished uploads go as plain files; `false` leaves them in `data/`. @default `<dir>/completed` */
  readonly completedDir?: string | false
  /** Name of a finished file, of `{id}`, `{name}`, `{ext}` and `{date}`. @default '{id}' */
  readonly completedName?: string
  /** What an acknowledged byte survives: a power cut, or the end of the process. @default 'power' */
  readonly durability?: Durability
  /** Largest upload in bytes. @default no limit */
  readonly maxSizeBytes?: Limits['maxSizeBytes']
  /** Unfinished uploads are removed after this long without activity, in milliseconds. @default never */
  readonly expireAfterMs?: Limits['expireAfterMs']
  /** Most content that one request may bring, in bytes. @default no limit */
  readonly maxAppendBytes?: Limits['maxAppendBytes']
  /** What each owner may have at most; who owns what is said by `onRequest` or `hooks.onCreate`. @default no limit */
  readonly ownerBounds?: Limits['ownerBounds']
  /** The application's part in what happens to uploads. */
  readonly hooks?: Hooks
  /** Hooks outside of this process: over HTTP, gRPC, as executable files. */
  readonly remote?: RemoteHooks
  /** How often progress is told to hooks and listeners, in milliseconds. @default 1000 */
  readonly progressIntervalMs?: number
  /** Request fields that are kept for `hooks.onFinish`. Never name cookies or credentials here. */
  readonly keepHeaders?: readonly string[]
  /** Remove finished uploads that are older than this, in milliseconds. @default never */
  readonly completeAfterMs?: number | undefined
  /** Checksum algorithms to offer. @default all: sha1, sha256, sha512, md5, crc32 */
  readonly checksumAlgorithms?: Digests['algorithms']
  /** When a slow body is given up, and when progress is recorded. */
  readonly pace?: EngineOptions['pace']
  /** Bytes that all running uploads may hold in memory together. @default 64 MiB */
  readonly memoryBytes?: number
  /** Remove expired uploads and orphaned files from time to time. @default true */
  readonly reap?: boolean
  /** Hears what a sweep has found, where it has found something. */
  readonly onSweep?: (found: SweepReport) => void
  /** Prometheus metrics, at a path of their own. @default none */
  readonly metrics?: MetricsOptions | undefined
  /** `/livez` and `/readyz`. @default none: an application has its own */
  readonly health?: HealthOptions | false | undefined
  /** Take up what an earlier run left unfinished. False for tools that only look or clean. @default true */
  readonly recover?: boolean
  /** Hears of failures that clients only see as a 5xx, or not at all. */
  readonly report?: (error: unknown) => void
  /** The catalog could not keep its promise: everything is refused from now on, and the process should end. */
  readonly onFatal?: (error: unknown) => void
}

type Report = (error: unknown) => void

/** Uploads on one directory, ready to be served. */
export interface Uploads extends Claims {
  readonly engine: Engine
  /** What the janitor has found since the start, by its kind: for metrics. */
  readonly swept: SweepReport
  /** For `http.createServer(uploads.listener)` and as a middleware in Express and its like. */
  readonly listener: NodeListener
  /** For runtimes that speak `Request → Response`. */
  readonly fetch: FetchHandler
  /** Serves on a server of `node:http`, `node:https` or `node:http2` and sets its timeouts up for uploads. */
  attach(server: Parameters<typeof AttachToServer>[0]): void
  /**
   * Waits for open claims, refuses new requests, stores what running ones have brought, closes everything.
   *
   * @param waitMs - How long open claims may take to their end, and running requests to store what they have. @default 10000
   */
  close(waitMs?: number): Promise<void>
}

/**
 * Opens uploads on a directory with the embedded defaults: plain files, a SQLite catalog, Node's crypto.
 *
 * What an earlier run left unfinished is taken up before this resolves.
 *
 * @throws when the directory cannot be written or was written by a newer version.
 */
export async function openUploads(options: UploadsOptions): Promise<Uploads> {
  const { dir, durability = 'power', report = () => undefined } = options
  const completed = options.completedDir ?? join(dir, 'completed')
  makeRoot(dir)
  if (completed !== false) makeRoot(completed)
  const store = fileStore({
    dir: join(dir, 'data'),
    completedDir: completed === false ? undefined : completed,
    completedName: options.completedName,
    durability,
  })
  // Starting the catalog's thread takes about as long as loading all this.
  const [catalog, serving] = await Promise.all([
    sqliteCatalog({ path: join(dir, 'carryon.db'), durability }),
    import('./serving.ts'),
  ])
  try {
    return await serveOn({ store, catalog, report }, serving, options)
  } catch (error) {
    // Options that make no sense: what is open would keep the process alive.
    await catalog.close()
    await store.close()
    throw error
  }
}

async function serveOn(
  { store, catalog, report }: Pick<EngineOptions, 'store' | 'catalog'> & { readonly report: Report },
  { attach, createEngine, createHandler, fetchHandler, nodeListener }: typeof Serving,
  options: UploadsOptions,
): Promise<Uploads> {
  const { durability = 'power' } = options
  catalog.onFatal((error) => (options.onFatal ?? report)(error))
  const outside = await remoteOf(options, { store, catalog, report })
  const engine = createEngine({ ...engineOptions(options, outside), store, catalog, report })
  const inner = createHandler({ ...options, engine, report })
  const observed = await observabilityOf(options, outside, { engine, store, catalog, report })
  const handler = observed === undefined ? inner : observed.handler(inner)
  if (options.recover !== false) await engine.recover()
  const stopDelivery = outside?.deliver(engine)
  const reaper =
    options.reap === false
      ? undefined
      : startReaper(engine, {
          ...options,
          report,
          onSweep(found) {
            observed?.swept(found)
            options.onSweep?.(found)
          },
        })
  const claiming = claimsOf(engine, { durability, report })
  return {
    ...claiming.claims,
    engine,
    get swept() {
      return reaper?.found ?? {}
    },
    listener: nodeListener(handler),
    fetch: fetchHandler(handler),
    attach: (server) => attach(server, handler),
    async close(waitMs = 10_000) {
      await claiming.close(waitMs)
      await reaper?.stop()
      await stopDelivery?.()
      await engine.close(waitMs)
      observed?.close()
    },
  }
}

/** Loaded only where it is used. */
async function observabilityOf(
  options: UploadsOptions,
  outside: Remote | undefined,
  parts: Pick<EngineOptions, 'store' | 'catalog'> & { readonly engine: Engine; readonly report: Report },
): Promise<Observability | undefined> {
  const { metrics, health = false, path } = options
  if (metrics === undefined && health === false) return undefined
  const { observability } = await import('./metrics/index.ts')
  const queues = [CLAIMS_QUEUE, ...(outside?.sinks ?? []).map(({ queue }) => queue)]
  const { engine, catalog, store, report } = parts
  return observability(engine, catalog, store, {
    metrics: metrics === undefined ? undefined : { queues, ...metrics },
    health,
    path,
    report,
  })
}

/** Loaded only where it is used. */
async function remoteOf(
  options: UploadsOptions,
  parts: Pick<EngineOptions, 'store' | 'catalog'> & { readonly report: Report },
): Promise<Remote | undefined> {
  if (options.remote === undefined) return undefined
  const { remote } = await import('./remote.ts')
  return remote(options.remote, { ...parts, clock: systemClock })
}

function engineOptions(
  options: UploadsOptions,
  outside: Remote | undefined,
): Omit<EngineOptions, 'store' | 'catalog'> {
  const { maxSizeBytes, expireAfterMs, maxAppendBytes, ownerBounds } = options
  const { pace, memoryBytes, progressIntervalMs, keepHeaders, hooks = {} } = options
  const { checksumAlgorithms = nodeDigests.algorithms } = options
  return {
    digests: { ...nodeDigests, algorithms: checksumAlgorithms },
    limits: { maxSizeBytes, expireAfterMs, maxAppendBytes, ownerBounds },
    hooks: outside === undefined ? hooks : combineHooks(hooks, outside.hooks),
    ...(outside === undefined ? {} : { sinks: outside.sinks }),
    ...(pace === undefined ? {} : { pace }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(progressIntervalMs === undefined ? {} : { progressIntervalMs }),
    ...(keepHeaders === undefined ? {} : { keepHeaders }),
  }
}
