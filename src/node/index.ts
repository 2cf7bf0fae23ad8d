import { join } from 'node:path'
import type { FetchHandler } from '../adapters/fetch.ts'
import type { attach as AttachToServer, NodeListener } from '../adapters/node.ts'
import { sqliteCatalog } from '../catalogs/sqlite/index.ts'
import type { Limits } from '../core/context.ts'
import type { Engine, EngineOptions } from '../core/engine.ts'
import type { Digests } from '../core/ports/digest.ts'
import type { Durability } from '../core/upload.ts'
import type { HandlerOptions } from '../server/handler.ts'
import { fileStore } from '../stores/file/index.ts'
import { nodeDigests } from './digests.ts'
import { makeRoot } from './make-root.ts'
import { startReaper } from './reaper.ts'

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
  /** Checksum algorithms to offer. @default all: sha1, sha256, sha512, md5, crc32 */
  readonly checksumAlgorithms?: Digests['algorithms']
  /** When a slow body is given up, and when progress is recorded. */
  readonly pace?: EngineOptions['pace']
  /** Bytes that all running uploads may hold in memory together. @default 64 MiB */
  readonly memoryBytes?: number
  /** Remove expired uploads and orphaned files from time to time. @default true */
  readonly reap?: boolean
  /** Take up what an earlier run left unfinished. False for tools that only look or clean. @default true */
  readonly recover?: boolean
  /** Hears of failures that clients only see as a 5xx, or not at all. */
  readonly report?: (error: unknown) => void
  /** The catalog could not keep its promise: everything is refused from now on, and the process should end. */
  readonly onFatal?: (error: unknown) => void
}

/** Uploads on one directory, ready to be served. */
export interface Uploads {
  readonly engine: Engine
  /** For `http.createServer(uploads.listener)` and as a middleware in Express and its like. */
  readonly listener: NodeListener
  /** For runtimes that speak `Request → Response`. */
  readonly fetch: FetchHandler
  /** Serves on a server of `node:http`, `node:https` or `node:http2` and sets its timeouts up for uploads. */
  attach(server: Parameters<typeof AttachToServer>[0]): void
  /**
   * Refuses new requests, stores what running ones have brought, closes everything.
   *
   * @param waitMs - How long running requests may take to store what they have. @default 10000
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
  const [catalog, { attach, createEngine, createHandler, fetchHandler, nodeListener }] = await Promise.all([
    sqliteCatalog({ path: join(dir, 'carryon.db'), durability }),
    import('./serving.ts'),
  ])
  catalog.onFatal((error) => (options.onFatal ?? report)(error))
  const { checksumAlgorithms = nodeDigests.algorithms } = options
  const engine = createEngine({
    store,
    catalog,
    digests: { ...nodeDigests, algorithms: checksumAlgorithms },
    limits: { maxSizeBytes: options.maxSizeBytes, expireAfterMs: options.expireAfterMs },
    report,
    ...(options.pace === undefined ? {} : { pace: options.pace }),
    ...(options.memoryBytes === undefined ? {} : { memoryBytes: options.memoryBytes }),
  })
  if (options.recover !== false) await engine.recover()
  const stopReaper = options.reap === false ? undefined : startReaper(engine, options.expireAfterMs, report)
  const handler = createHandler({ ...options, engine, report })
  return {
    engine,
    listener: nodeListener(handler),
    fetch: fetchHandler(handler),
    attach: (server) => attach(server, handler),
    async close(waitMs = 10_000) {
      await stopReaper?.()
      await engine.close(waitMs)
    },
  }
}
