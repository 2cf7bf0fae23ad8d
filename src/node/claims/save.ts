import { chmod, copyFile, link, open, rename } from 'node:fs/promises'
import { constants } from 'node:fs'
import { basename, join } from 'node:path'
import { numberedName } from '../../stores/file/final-name.ts'
import type { Place } from './destination.ts'
import type { FileIdentity, Folders } from './files.ts'
import { errorCode, identityOf, isSameFile, syncFile, unlinkIfThere } from './files.ts'

/** What is to be saved. */
export interface SaveJob extends Place {
  readonly id: string
  /** Which attempt this is: no two that may run at the same time have the same. */
  readonly attempt: number
  /** Attempts before this one that may have left something. */
  readonly maxAttempts: number
  /** Where the content lies as a plain file; `undefined`: it is only to be read. */
  readonly source: string | undefined
  readonly read: () => AsyncIterable<Uint8Array>
  readonly sizeBytes: number
  readonly overwrite: boolean
  readonly mode: number | undefined
  readonly durable: boolean
  /** Whether `source` survives a power cut already. */
  readonly isSynced: boolean
  readonly signal: AbortSignal
}

export interface Saved {
  readonly path: string
  /** A second name of the file, by which a repeated attempt knows it; to be removed once nobody repeats it. */
  readonly leftover: string | undefined
}

/** Failures of `link` that a copy gets around: another file system, no right to link, too many names already. */
const NO_LINK = new Set(['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])
/** So many names are tried before the id goes into the name. */
const MAX_NAMES = 100
const DEFAULT_MODE = 0o600

/**
 * Gives content a place among the application's files.
 *
 * May be cut at any step and run again by another process. The file is never there in part. That a file of the wished
 * name is its own a repeated attempt knows by its inode: it is that of the store's file or, for a copy, that of a
 * second name in the same folder. Both stay until the claim is done.
 */
export async function saveFile(job: SaveJob, folders: Folders): Promise<Saved> {
  await folders.make(job.dir)
  const saved = (await linkSource(job)) ?? (await copyIn(job))
  await folders.sync(job.dir)
  return saved
}

/** Removes the second name of a copy. Only names of our own making pass. */
export async function clearLeftover(id: string, path: string): Promise<void> {
  const name = basename(path)
  if (!name.startsWith(`.carryon-${id}.`) || !/\.\d+\.part$/.test(name)) return
  await unlinkIfThere(path)
}

/** @returns `undefined` if the file cannot have a name there. */
async function linkSource(job: SaveJob): Promise<Saved | undefined> {
  const { source } = job
  if (source === undefined) return undefined
  if (job.mode !== undefined) await chmod(source, job.mode)
  if (job.durable && !job.isSynced) await syncFile(source)
  try {
    if (job.overwrite) return await replaceBy(job, source)
    const own = await identityOf(source)
    const path = await linkFree(job, source, async (taken) => isSameFile(own, taken))
    return { path, leftover: undefined }
  } catch (error) {
    if (NO_LINK.has(errorCode(error) ?? '')) return undefined
    throw error
  }
}

/** `rename` replaces what is there in one step, but does nothing when both are the same file already. */
async function replaceBy(job: SaveJob, source: string): Promise<Saved> {
  await dropAll(job)
  const temporary = temporaryPath(job, job.attempt)
  await link(source, temporary)
  return renamed(job, temporary)
}

async function renamed(job: SaveJob, temporary: string): Promise<Saved> {
  const path = join(job.dir, job.name)
  try {
    await rename(temporary, path)
  } finally {
    await unlinkIfThere(temporary)
  }
  return { path, leftover: undefined }
}

async function copyIn(job: SaveJob): Promise<Saved> {
  if (job.overwrite) await dropAll(job)
  const temporary = temporaryPath(job, job.attempt)
  await dropHalves(job)
  // One that is there has another name: it was saved before the upload was given up and brought back.
  if ((await identityOf(temporary)) === undefined) await writeCopy(job, temporary)
  if (job.overwrite) return renamed(job, temporary)
  let leftover = temporary
  const isOwn = async (taken: FileIdentity): Promise<boolean> => {
    // Its second name is still there if it is our own.
    if (taken.links < 2n || taken.sizeBytes !== BigInt(job.sizeBytes)) return false
    for (let attempt = 1; attempt <= job.maxAttempts; attempt += 1) {
      leftover = temporaryPath(job, attempt)
      if (isSameFile(taken, await identityOf(leftover))) return true
    }
    leftover = temporary
    return false
  }
  const path = await linkFree(job, temporary, isOwn)
  if (leftover !== temporary) await unlinkIfThere(temporary)
  return { path, leftover }
}

/** A whole copy under a name that nobody else writes to. */
async function writeCopy(job: SaveJob, temporary: string): Promise<void> {
  const file = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, DEFAULT_MODE)
  try {
    if (job.source === undefined) {
      for await (const chunk of job.read()) await file.appendFile(chunk)
    } else await copyFile(job.source, temporary, constants.COPYFILE_FICLONE)
    job.signal.throwIfAborted()
    await file.chmod(job.mode ?? DEFAULT_MODE)
    if (job.durable) await file.sync()
  } catch (error) {
    await unlinkIfThere(temporary)
    throw error
  } finally {
    await file.close()
  }
}

/** Second names are only for finding one's own file again, and what is overwritten need not be found. */
async function dropAll(job: SaveJob): Promise<void> {
  for (let attempt = 1; attempt <= job.attempt; attempt += 1) await unlinkIfThere(temporaryPath(job, attempt))
}

/** Copies of earlier attempts that got no other name. Who still writes to one has lost its claim. */
async function dropHalves(job: SaveJob): Promise<void> {
  for (let attempt = 1; attempt <= job.attempt; attempt += 1) {
    const path = temporaryPath(job, attempt)
    if ((await identityOf(path))?.links === 1n) await unlinkIfThere(path)
  }
}

/**
 * Gives a file its name: the next free one. `link` fails where something exists; `rename` would silently replace it.
 *
 * @param isOwn - Whether what is there is this very content, saved by an attempt that was cut.
 */
async function linkFree(
  { dir, name, id }: Place & Pick<SaveJob, 'id'>,
  source: string,
  isOwn: (taken: FileIdentity) => Promise<boolean>,
): Promise<string> {
  for (let count = 1; count <= MAX_NAMES + 1; count += 1) {
    const path = join(dir, numberedName(name, count <= MAX_NAMES ? count : id))
    try {
      await link(source, path)
      return path
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error
    }
    const taken = await identityOf(path)
    if (taken !== undefined && (await isOwn(taken))) return path
  }
  throw new Error('No free name was found in the folder.')
}

/** An id holds no dot, so no other upload has such a name. */
function temporaryPath({ dir, id }: Pick<SaveJob, 'dir' | 'id'>, attempt: number): string {
  return join(dir, `.carryon-${id}.${attempt}.part`)
}
