import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Makes an empty database file, readable by its owner alone, that is still there after a power cut.
 *
 * An existing file is not touched: closing any descriptor of it would drop the POSIX locks that SQLite holds
 * elsewhere in this process. SQLite gives its log the same permissions and syncs the directory for it.
 */
export function ensureDatabaseFile(path: string): void {
  const directory = dirname(resolve(path))
  const firstMade = mkdirSync(directory, { recursive: true, mode: 0o700 })
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return
    throw error
  }
  syncDirectory(directory)
  // Every directory that was made is an entry in the one above it.
  const top = firstMade === undefined ? directory : dirname(firstMade)
  for (let made = directory; made !== top;) {
    made = dirname(made)
    syncDirectory(made)
  }
}

function syncDirectory(path: string): void {
  // Windows cannot open a directory; NTFS journals its entries.
  if (process.platform === 'win32') return
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
