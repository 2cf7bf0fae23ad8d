import { realpath } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { systemClock } from '../../core/system-clock.ts'
import type { Clock } from '../../core/ports/clock.ts'
import type { ImportEvent } from './events.ts'
import { failed } from './events.ts'
import type { ForeignKind } from './foreign-upload.ts'
import { inParallel } from './in-parallel.ts'
import { findLiveLock } from './locks.ts'
import type { Candidate } from './scan.ts'
import { scan } from './scan.ts'
import { survey } from './survey.ts'
import type { ImportContext } from './take-over.ts'
import { takeOver } from './take-over.ts'
import type { Target, TargetOptions } from './target.ts'
import { openRecords, openTarget, ownDirectories } from './target.ts'

export type { ImportEvent } from './events.ts'

export interface ImportOptions {
  /** Directory of tusd (`-upload-dir`) or of @tus/file-store (`directory`). */
  readonly from: string
  /** Directory of everything, as for `openUploads`; made if missing. */
  readonly dir: string
  /** As for `openUploads`. @default `<dir>/completed` */
  readonly completedDir?: string | false | undefined
  /** As for `openUploads`. @default '{id}' */
  readonly completedName?: string | undefined
  /** Whose files to look for. @default both */
  readonly kind?: ForeignKind | undefined
  /**
   * `link`: each old file gets a second name, which costs no space; across file systems it is copied. `copy`: always
   * copied. `move`: as `link`, and removed from the old directory once the upload is recorded.
   *
   * @default 'link'
   */
  readonly how?: 'link' | 'copy' | 'move' | undefined
  /** Leave complete uploads alone, but for parts of what is not put together yet. @default false */
  readonly onlyUnfinished?: boolean | undefined
  /** Unfinished uploads expire this long after now, in milliseconds, unless they go on. @default never */
  readonly expireAfterMs?: number | undefined
  /** Path of the creation URL, for what HEAD says of final uploads. @default '/files/' */
  readonly path?: string | undefined
  /** Only tell what would be done. @default false */
  readonly dryRun?: boolean | undefined
  /** Go on although a lock of tusd says that it is running. @default false */
  readonly force?: boolean | undefined
  /** Hears of each upload. */
  readonly onEvent?: ((event: ImportEvent) => void) | undefined
  /** @default the clock of the machine */
  readonly clock?: Pick<Clock, 'nowMs'> | undefined
}

export interface ImportTotals {
  readonly imported: number
  /** Of the imported ones: those whose clients have something left to send. */
  readonly unfinished: number
  readonly skipped: number
  readonly failed: number
}

/** An import that did not begin: nothing was changed. */
export class ImportRefused extends Error {
  override readonly name: string = 'ImportRefused'
  /** `locked`: `force` would go on. */
  readonly why: 'unreadable' | 'own' | 'locked'

  constructor(why: ImportRefused['why'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.why = why
  }
}

/**
 * Takes over the uploads of another tus server, those in flight included: under the same ids, so that a client that
 * was in the middle goes on where it was.
 *
 * Durable upload by upload, and safe beside servers that use the target. Run again after an interruption it takes
 * what is left. What cannot be taken over is told and left as it is; nothing in the old directory is ever changed,
 * but for `move`.
 *
 * @throws {ImportRefused} if the old directory is not there, is part of the target, or is in use: nothing was done.
 * @throws when the target cannot be opened or written.
 */
export async function importUploads(options: ImportOptions): Promise<ImportTotals> {
  const { dir, kind, dryRun = false } = options
  const targetOptions: TargetOptions = {
    dir,
    completedDir: options.completedDir ?? join(dir, 'completed'),
    completedName: options.completedName,
  }
  const from = await sourceOf(options.from, targetOptions)
  const kinds: readonly ForeignKind[] = kind === undefined ? ['tusd', 'file-store'] : [kind]
  const { candidates, locks } = await scan(from, kinds, ownDirectories(targetOptions)).catch(unreadable)
  if (options.force !== true) await refuseIfLocked(locks)
  // Before the target is opened, which takes a moment: a file that is being written has grown by then.
  const surveyed = await survey(candidates, from)
  const target = await (dryRun ? openRecords(targetOptions) : openTarget(targetOptions))
  const ctx: ImportContext = {
    from,
    survey: surveyed,
    target,
    how: options.how ?? 'link',
    onlyUnfinished: options.onlyUnfinished ?? false,
    expireAfterMs: options.expireAfterMs,
    basePath: withSlash(options.path ?? '/files/'),
    nowMs: () => (options.clock ?? systemClock).nowMs(),
  }
  try {
    return await takeAllOver(ctx, candidates, options.onEvent ?? (() => undefined))
  } finally {
    await target?.close()
  }
}

async function takeAllOver(
  ctx: ImportContext,
  candidates: readonly Candidate[],
  tell: (event: ImportEvent) => void,
): Promise<ImportTotals> {
  const totals = { imported: 0, unfinished: 0, skipped: 0, failed: 0 }
  const broken = fatalOf(ctx.target)
  await inParallel(candidates, async (candidate) => {
    broken.throwIfAborted()
    const event = await takeOver(ctx, candidate).catch((error: unknown) =>
      failed(candidate.name, 'it cannot be taken over', error),
    )
    if (event === undefined) return
    totals[event.kind] += 1
    if (event.kind === 'imported' && !event.isComplete) totals.unfinished += 1
    tell(event)
  })
  broken.throwIfAborted()
  return totals
}

/** Aborted when the records can no longer be kept: every further upload would fail in the same way. */
function fatalOf(target: Target | undefined): AbortSignal {
  const controller = new AbortController()
  target?.catalog.onFatal((error) => controller.abort(error))
  return controller.signal
}

async function sourceOf(from: string, target: TargetOptions): Promise<string> {
  const real = await realpath(from).catch(unreadable)
  const own = ownDirectories(target).find((path) => !relative(path, real).startsWith('..'))
  if (own === undefined) return real
  throw new ImportRefused(
    'own',
    `${own} belongs to the directory that is imported into: name the directory of the old server`,
  )
}

async function refuseIfLocked(locks: readonly string[]): Promise<void> {
  const lock = await findLiveLock(locks)
  if (lock === undefined) return
  throw new ImportRefused('locked', `stop tusd first: process ${lock.pid} holds ${lock.path}`)
}

function unreadable(error: unknown): never {
  throw new ImportRefused('unreadable', 'the directory of the old server cannot be read', { cause: error })
}

function withSlash(path: string): string {
  return path.endsWith('/') ? path : `${path}/`
}
