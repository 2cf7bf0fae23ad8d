import type { Clock } from '../../core/ports/clock.ts'
import type {
  Appender,
  ByteRange,
  FindRecord,
  FinishOutcome,
  Orphan,
  Store,
  WriteRight,
} from '../../core/ports/store.ts'
import type { Placement, UploadRecord } from '../../core/upload.ts'
import { concatenateUploads } from './concatenate.ts'
import { Directory } from './directory.ts'
import type { Disk, DiskSpace } from './disk.ts'
import { corrupt, errorCode, storeError } from './disk-errors.ts'
import { firstFile, temporaryFile } from './file-names.ts'
import type { FinalName } from './final-name.ts'
import { HandleCache } from './handle-cache.ts'
import { openUpload } from './open-upload.ts'
import { orphansIn, unlinkIfThere } from './orphans.ts'
import { patientDisk } from './patient-disk.ts'
import { completedPlacement, parseWhere } from './placement.ts'
import type { CompletedFile, Segment, Where } from './placement.ts'
import { readFile, readSegments } from './read-upload.ts'
import { temporaryDirectory } from './settle.ts'
import type { SettleJob, SettlePlace, SettleResult } from './settle.ts'
import { Settler } from './settler.ts'
import { dataSyncGate } from './sync-gate.ts'
import type { Workshop } from './workshop.ts'

/** Larger copies do not go to the worker: it does one batch after the other, and small uploads would wait. */
const WORKER_MAX_BYTES = 8 * 1024 * 1024

/** A file store's options, checked, with its directories made. */
export interface FileStoreConfig {
  readonly dir: string
  readonly completed:
    | { readonly dir: string; readonly nameOf: FinalName; readonly sameDevice: boolean }
    | undefined
  readonly durable: boolean
  readonly fileMode: number
  readonly inlineMaxBytes: number
  readonly clock: Pick<Clock, 'nowMs'>
  /** Code of the worker thread that settles batches; without it they are settled in this thread. */
  readonly workerFile: URL | undefined
}

/** Free handles are cheap, but a process has often no more than 1,024 of them. */
const CACHED_HANDLES = 256
const FREE_BYTES_AGE_MS = 1000
/** Kept back from uploads, at most and as a part of the file system. */
const RESERVE_BYTES = 64 * 1024 * 1024
const RESERVE_PART = 0.05

interface Completed {
  readonly directory: Directory
  readonly temporary: Directory
  readonly nameOf: FinalName
  readonly settler: Settler
}

export class FileStore implements Store {
  readonly #shop: Workshop
  readonly #completed: Completed | undefined
  readonly #clock: Pick<Clock, 'nowMs'>
  #free: { readonly atMs: number; readonly bytes: Promise<number> } | undefined

  constructor(config: FileStoreConfig, disk: Disk) {
    this.#clock = config.clock
    const handles = new HandleCache(disk, CACHED_HANDLES)
    this.#shop = {
      disk: patientDisk(disk, () => handles.clear()),
      directory: new Directory(config.dir, disk, config.durable),
      durable: config.durable,
      fileMode: config.fileMode,
      inlineMaxBytes: config.inlineMaxBytes,
      handles,
      poisoned: new Set(),
      busy: new Set(),
    }
    this.#completed = completedOf(config, this.#shop)
  }

  place(): Placement {
    return { where: null }
  }

  open(record: UploadRecord, right: WriteRight): Promise<Appender> {
    return openUpload(this.#shop, record, right)
  }

  async *read(record: UploadRecord, range: ByteRange, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    signal.throwIfAborted()
    const where = parseWhere(record)
    if (range.start >= range.end) return
    const { disk, directory } = this.#shop
    if (where.kind === 'inline') yield where.bytes.subarray(range.start, range.end)
    else if (where.kind === 'completed')
      yield* readFile(disk, this.#completedPath(where.file.name), range, signal)
    else yield* readSegments(disk, (file) => directory.join(file), where.segments, range, signal)
  }

  finishing(record: UploadRecord): 'none' | 'before-answer' | 'after-answer' {
    if (this.#completed === undefined) return 'none'
    const where = parseWhere(record)
    if (where.kind === 'completed') return 'none'
    return isLinkable(where) ? 'before-answer' : 'after-answer'
  }

  async finish(records: readonly UploadRecord[]): Promise<readonly FinishOutcome[]> {
    const outcomes: FinishOutcome[] = []
    const here: Task[] = []
    const inWorker: Task[] = []
    for (const [index, record] of records.entries()) {
      const task = this.#taskFor(record, index)
      if ('ok' in task) outcomes[index] = task
      else if (task.linkable || task.job.size > WORKER_MAX_BYTES) here.push(task)
      else inWorker.push(task)
    }
    await Promise.all([
      this.#settle(here, outcomes, (settler, jobs) => settler.settleHere(jobs)),
      this.#settle(inWorker, outcomes, (settler, jobs) => settler.settle(jobs)),
    ])
    return outcomes
  }

  async tidy(before: UploadRecord, after: Placement): Promise<void> {
    const was = parseWhere(before)
    const is = parseWhere({ placement: after, offset: before.offset })
    const gone = new Set([...filesOf(was), ...filesOf(is)])
    // By its id too: a first file that no record came to refer to, or the source of what an earlier run completed.
    if (is.kind === 'completed' && was.kind !== 'inline') gone.add(firstFile(before.id))
    if (is.kind === 'segments') for (const { file } of is.segments) gone.delete(file)
    if (await this.#unlinkAll(gone)) this.#shop.directory.syncLater()
    if (is.kind === 'completed') await this.#unlinkTemporary(before.id)
  }

  async remove(record: UploadRecord): Promise<void> {
    const where = this.#whereIfSound(record)
    const small = record.length !== undefined && record.length <= this.#shop.inlineMaxBytes
    const files = new Set(filesOf(where))
    if (where.kind !== 'inline' || !small) files.add(firstFile(record.id))
    const removed = await this.#unlinkAll(files)
    await this.#unlinkTemporary(record.id)
    if (where.kind === 'completed') await this.#removeCompleted(where.file)
    if (removed) await this.#shop.directory.sync()
  }

  concatenate(parts: readonly UploadRecord[], into: UploadRecord): Promise<Placement> {
    return concatenateUploads(this.#shop, (name) => this.#completedPath(name), parts, into)
  }

  pathOf(record: UploadRecord): string | undefined {
    const where = parseWhere(record)
    if (where.kind === 'completed') return this.#completedPath(where.file.name)
    return undefined
  }

  async isMissing(record: UploadRecord): Promise<boolean> {
    const where = this.#whereIfSound(record)
    if (where.kind === 'inline') return false
    const paths =
      where.kind === 'completed'
        ? [this.#completedPath(where.file.name)]
        : where.segments.map(({ file }) => this.#shop.directory.join(file))
    for (const path of paths) if (await this.#isGone(path)) return true
    return false
  }

  /**
   * Less than the file system has: the catalog and the file system itself need room to record and to delete. On a disk
   * that uploads have filled to the last block not even a deletion can be recorded.
   */
  freeBytes(): Promise<number> {
    const atMs = this.#clock.nowMs()
    if (this.#free === undefined || Math.abs(atMs - this.#free.atMs) >= FREE_BYTES_AGE_MS) {
      const { disk, directory } = this.#shop
      const bytes = disk.space(directory.path).then(forUploads, (error: unknown) => {
        this.#free = undefined
        throw storeError(error)
      })
      this.#free = { atMs, bytes }
    }
    return this.#free.bytes
  }

  async *orphans(find: FindRecord, olderThanMs: number): AsyncGenerator<Orphan, void, undefined> {
    const { disk, directory } = this.#shop
    const changedBeforeMs = this.#clock.nowMs() - olderThanMs
    yield* orphansIn(disk, directory, { find, changedBeforeMs, onlyTemporary: false })
    const elsewhere = this.#completed?.temporary
    if (elsewhere === undefined || elsewhere === directory) return
    yield* orphansIn(disk, elsewhere, { find, changedBeforeMs, onlyTemporary: true })
  }

  async close(): Promise<void> {
    await this.#completed?.settler.close()
    await this.#shop.handles.clear()
    await this.#completed?.directory.close()
    await this.#shop.directory.close()
  }

  #taskFor(record: UploadRecord, index: number): Task | FinishOutcome {
    try {
      const where = parseWhere(record)
      const completed = this.#completed
      if (completed === undefined || where.kind === 'completed') {
        return { ok: true, placement: record.placement }
      }
      return { index, linkable: isLinkable(where), job: jobFor(record, where, completed.nameOf(record)) }
    } catch (error) {
      return { ok: false, error }
    }
  }

  async #settle(
    tasks: readonly Task[],
    outcomes: FinishOutcome[],
    run: (settler: Settler, jobs: readonly SettleJob[]) => Promise<readonly SettleResult[]>,
  ): Promise<void> {
    if (this.#completed === undefined || tasks.length === 0) return
    const jobs = tasks.map(({ job }) => job)
    // What fails for the batch as a whole, the sync of a directory, fails for each: nothing was promised yet.
    const results = await run(this.#completed.settler, jobs).catch((error: unknown) =>
      jobs.map((): SettleResult => ({ ok: false, error })),
    )
    for (const [at, { index, job }] of tasks.entries()) {
      const result = results[at]
      if (result?.ok === true) {
        const sources = job.segments.map(({ file }) => file).filter((file) => file !== firstFile(job.id))
        const file = { name: result.name, size: job.size, sources }
        outcomes[index] = { ok: true, placement: completedPlacement(file) }
      } else {
        outcomes[index] = { ok: false, error: storeError(result?.error) }
      }
    }
  }

  async #isGone(path: string): Promise<boolean> {
    return this.#shop.disk.lstat(path).then(
      () => false,
      (error: unknown) => errorCode(error) === 'ENOENT',
    )
  }

  /** A record that cannot be read still gives up the files that its id names. */
  #whereIfSound(record: UploadRecord): Where {
    try {
      return parseWhere(record)
    } catch {
      return { kind: 'segments', segments: [] }
    }
  }

  async #unlinkAll(files: Iterable<string>): Promise<boolean> {
    const { disk, directory, handles } = this.#shop
    let any = false
    for (const file of files) {
      await handles.drop(file)
      if (await unlinkIfThere(disk, directory.join(file))) any = true
    }
    return any
  }

  async #unlinkTemporary(id: string): Promise<void> {
    const directory = this.#completed?.temporary
    if (directory === undefined) return
    if (await unlinkIfThere(this.#shop.disk, directory.join(temporaryFile(id)))) directory.syncLater()
  }

  async #removeCompleted(file: CompletedFile): Promise<void> {
    if (this.#completed === undefined) return
    const { directory } = this.#completed
    const path = directory.join(file.name)
    const facts = await this.#shop.disk.lstat(path).catch(() => undefined)
    // Somebody has put another file under this name since: it is not ours to remove.
    if (facts === undefined || !facts.isFile || facts.sizeBytes !== file.size) return
    if (await unlinkIfThere(this.#shop.disk, path)) await directory.sync()
  }

  #completedPath(name: string): string {
    if (this.#completed === undefined)
      throw corrupt('The upload is in a completed directory, and none is set.')
    return this.#completed.directory.join(name)
  }
}

interface Task {
  readonly index: number
  readonly linkable: boolean
  readonly job: SettleJob
}

function completedOf(config: FileStoreConfig, shop: Workshop): Completed | undefined {
  if (config.completed === undefined) return undefined
  const { disk, durable, fileMode } = shop
  const { dir, nameOf, sameDevice } = config.completed
  const directory = new Directory(dir, disk, durable)
  const place: SettlePlace = { dir: config.dir, completedDir: dir, sameDevice, durable, fileMode }
  const temporary = temporaryDirectory(place) === dir ? directory : shop.directory
  const tools = {
    disk: { ...disk, fdatasync: (fd: number) => dataSyncGate.run(() => disk.fdatasync(fd)) },
    syncDirectory: (path: string) => (path === dir ? directory : shop.directory).sync(),
  }
  return { directory, temporary, nameOf, settler: new Settler(place, tools, config.workerFile) }
}

function forUploads({ sizeBytes, freeBytes }: DiskSpace): number {
  const reserve = Math.min(RESERVE_BYTES, Math.ceil(sizeBytes * RESERVE_PART))
  return Math.max(0, freeBytes - reserve)
}

/** One file that nobody shares: it only needs a second name. */
function isLinkable(where: Where): boolean {
  return where.kind === 'segments' && where.segments.length === 1 && !isShared(where.segments)
}

function isShared(segments: readonly Segment[]): boolean {
  return segments.some(({ writer }) => writer === '')
}

function jobFor(record: UploadRecord, where: Exclude<Where, { kind: 'completed' }>, name: string): SettleJob {
  const segments = where.kind === 'segments' ? where.segments : []
  return {
    id: record.id,
    name,
    size: record.offset,
    inline: where.kind === 'inline' ? where.bytes : undefined,
    shared: isShared(segments),
    segments: segments.map(({ file, length }) => ({ file, length })),
  }
}

/** Files in the directory of uploads that an upload may still have. */
function filesOf(where: Where): readonly string[] {
  if (where.kind === 'inline') return []
  return where.kind === 'segments' ? where.segments.map(({ file }) => file) : where.file.sources
}
