import { resolve } from 'node:path'

import type { Clock } from '../../core/ports/clock.ts'
import type { Store } from '../../core/ports/store.ts'
import type { Durability } from '../../core/upload.ts'
import { canLinkInto } from './completed-directory.ts'
import { makeDirectory } from './directory.ts'
import { nodeDisk } from './disk.ts'
import type { Disk } from './disk.ts'
import { FileStore } from './file-store.ts'
import type { FileStoreConfig } from './file-store.ts'
import { finalName } from './final-name.ts'
import { settleWorkerFile } from './settler.ts'

export { type FileAdopter, fileAdopter } from './adopt.ts'

export interface FileStoreOptions {
  /** Directory of the uploads; made if missing. Everything the store names itself lies directly in it. */
  readonly dir: string
  /**
   * Directory into which complete uploads go as plain files; made if missing. Best on the same file system as `dir`:
   * then a file only gets another name.
   *
   * @default none: complete uploads stay where they are
   */
  readonly completedDir?: string | undefined
  /**
   * Name of a completed file: `{id}`, `{name}` (the client's, sanitised), `{ext}` (its ending without the dot),
   * `{date}` (day of creation, UTC). If the name is taken the file becomes `name (2).ext`; nothing is overwritten.
   *
   * @default '{id}'
   */
  readonly completedName?: string | undefined
  /** What a committed byte survives. @default 'power' */
  readonly durability?: Durability | undefined
  /** Modes of new files and directories, less the umask. Existing directories keep theirs. @default 0600 and 0700 */
  readonly modes?: { readonly file?: number | undefined; readonly directory?: number | undefined } | undefined
  /** Uploads declared no longer than this stay in their record and need no file. @default 65536 */
  readonly inlineMaxBytes?: number | undefined
  /** @default the system's clock */
  readonly clock?: Pick<Clock, 'nowMs'> | undefined
}

/**
 * Keeps uploads as plain files in a directory: one per upload, or none while it is small.
 *
 * @throws {TypeError} if an option is not usable, e.g. a template that is no plain file name.
 * @throws the error of `node:fs` if a directory cannot be made or written.
 */
export function fileStore(options: FileStoreOptions): Store {
  return fileStoreOn(nodeDisk, options)
}

/** The same over other disk calls, settling in this thread. For tests. */
export function fileStoreOn(disk: Disk, options: FileStoreOptions): Store {
  return new FileStore(configure(options, disk === nodeDisk ? settleWorkerFile : undefined), disk)
}

function configure(options: FileStoreOptions, workerFile: URL | undefined): FileStoreConfig {
  const { inlineMaxBytes = 64 * 1024, durability = 'power' } = options
  if (typeof options.dir !== 'string' || options.dir === '') throw new TypeError('dir must be a path.')
  if (!Number.isSafeInteger(inlineMaxBytes) || inlineMaxBytes < 0) {
    throw new TypeError('inlineMaxBytes must be a non-negative integer.')
  }
  const nameOf = finalName(options.completedName ?? '{id}')
  const durable = durability === 'power'
  const directoryMode = options.modes?.directory ?? 0o700
  const dir = resolve(options.dir)
  makeDirectory(dir, directoryMode, durable)
  return {
    dir,
    completed: completedConfig(),
    durable,
    fileMode: options.modes?.file ?? 0o600,
    inlineMaxBytes,
    clock: options.clock ?? { nowMs: () => Date.now() },
    workerFile,
  }

  function completedConfig(): FileStoreConfig['completed'] {
    if (options.completedDir === undefined) return undefined
    const completedDir = resolve(options.completedDir)
    makeDirectory(completedDir, directoryMode, durable)
    return { dir: completedDir, nameOf, sameDevice: canLinkInto(dir, completedDir) }
  }
}
