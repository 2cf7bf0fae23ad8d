import fs from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

import { errorCode } from './disk-errors.ts'

/**
 * Finds out by trying whether a file of `dir` can have a second name in `completedDir`: device numbers do not
 * tell (bind mounts, subvolumes).
 *
 * @returns False if they are on different file systems.
 * @throws {TypeError} if both are the same directory, or if `completedDir` cannot hold hard links.
 */
export function canLinkInto(dir: string, completedDir: string): boolean {
  const one = fs.statSync(dir)
  const other = fs.statSync(completedDir)
  if (one.dev === other.dev && one.ino === other.ino) {
    throw new TypeError('The completed directory must be another one than the directory of uploads.')
  }
  const probe = `.carryon-${randomBytes(8).toString('hex')}.probe`
  if (tryLink(join(dir, probe), join(completedDir, probe))) return true
  if (tryLink(join(completedDir, probe), join(completedDir, `${probe}2`))) return false
  throw new TypeError('The completed directory is on a file system without hard links.')
}

function tryLink(from: string, to: string): boolean {
  fs.closeSync(fs.openSync(from, 'wx', 0o600))
  try {
    fs.linkSync(from, to)
    fs.unlinkSync(to)
    return true
  } catch (error) {
    if (errorCode(error) === 'EACCES' || errorCode(error) === 'ENOSPC') throw error
    return false
  } finally {
    fs.unlinkSync(from)
  }
}
