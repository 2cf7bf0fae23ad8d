import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import type { UrlStorage } from '../../client/ports/url-storage.ts'

const FILE_NAME = 'uploads.db'

/**
 * Where unfinished uploads are remembered.
 *
 * @param given - What `--state` says: a file, or a directory for a file `uploads.db` in it. `undefined`: the user's own,
 *   `$XDG_STATE_HOME/carryon/uploads.db` or `~/.local/state/carryon/uploads.db`.
 */
export function statePath(given: string | undefined, env: NodeJS.ProcessEnv): string {
  if (given !== undefined) return isDirectory(given) ? join(given, FILE_NAME) : given
  const stateHome = env['XDG_STATE_HOME']
  // XDG Base Directory Specification: a relative path is invalid and ignored.
  const base =
    stateHome !== undefined && isAbsolute(stateHome) ? stateHome : join(homedir(), '.local', 'state')
  return join(base, 'carryon', FILE_NAME)
}

/** Opens it: SQLite, or one JSON file where the name ends in `.json`. What cannot be opened shows at the first use. */
export async function openState(path: string): Promise<UrlStorage> {
  if (path.endsWith('.json')) {
    const { fileUrlStorage } = await import('../../client/url-storage/file.ts')
    return fileUrlStorage(path)
  }
  const { sqliteUrlStorage } = await import('../../client/url-storage/sqlite.ts')
  return sqliteUrlStorage(path)
}

function isDirectory(path: string): boolean {
  return path.endsWith('/') || statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
