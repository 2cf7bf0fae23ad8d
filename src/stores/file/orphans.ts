import { opendir } from 'node:fs/promises'

import type { FindRecord, Orphan } from '../../core/ports/store.ts'
import type { Directory } from './directory.ts'
import type { Disk, FileFacts } from './disk.ts'
import { errorCode, storeError } from './disk-errors.ts'
import { isTemporaryFile, ownerOf } from './file-names.ts'
import { parseWhere } from './placement.ts'

export interface OrphanQuery {
  readonly find: FindRecord
  /** Files changed after this time are left alone: their record may be on its way. */
  readonly changedBeforeMs: number
  /** Only temporary files: in the completed directory everything else belongs to people. */
  readonly onlyTemporary: boolean
}

/** Files of our own naming that no upload needs. */
export async function* orphansIn(
  disk: Disk,
  directory: Directory,
  query: OrphanQuery,
): AsyncGenerator<Orphan, void, undefined> {
  for await (const { name } of await opendir(directory.path)) {
    const id = ownerOf(name)
    if (id === undefined || (query.onlyTemporary && !isTemporaryFile(name))) continue
    const facts = await factsIfOld(disk, directory.join(name), query.changedBeforeMs)
    if (facts === undefined || isNeeded(await query.find(id), name)) continue
    yield { name, sizeBytes: facts.sizeBytes, remove: () => removeIfSame(disk, directory, name, facts) }
  }
}

/** Facts of a plain file that has not changed since; `undefined` for anything else. */
async function factsIfOld(disk: Disk, path: string, changedBeforeMs: number): Promise<FileFacts | undefined> {
  const facts = await disk.lstat(path).catch(() => undefined)
  const isOld = facts?.isFile === true && Math.floor(facts.changedAtMs) <= changedBeforeMs
  return isOld ? facts : undefined
}

/** Whether an upload may still need a file of its. No record ever comes to refer to an old file that it does not name. */
function isNeeded(found: Awaited<ReturnType<FindRecord>>, file: string): boolean {
  // In use: a batch that was cut knows what it has linked already by the temporary file.
  if (found === undefined || found === 'in-use') return found === 'in-use'
  try {
    const where = parseWhere(found)
    return where.kind === 'segments' && where.segments.some((segment) => segment.file === file)
  } catch {
    // A record that cannot be understood is no reason to throw bytes away.
    return true
  }
}

/**
 * Removes a name. One that is gone already is fine.
 *
 * @returns Whether there was one.
 */
export async function unlinkIfThere(disk: Disk, path: string): Promise<boolean> {
  try {
    await disk.unlink(path)
    return true
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw storeError(error)
  }
}

/** Another sweep may have removed the file since it was found, and an upload may have made a new one of that name. */
async function removeIfSame(disk: Disk, directory: Directory, name: string, found: FileFacts): Promise<void> {
  const path = directory.join(name)
  const now = await factsIfOld(disk, path, found.changedAtMs)
  if (now?.inode === found.inode && (await unlinkIfThere(disk, path))) await directory.sync()
}
