import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Makes a directory and what is missing above it, durably.
 *
 * Level by level, because Node's own recursive way never returns on a file system that takes no directories
 * (`/proc/uploads`): it tries for ever.
 */
export function makeRoot(path: string): void {
  const missing: string[] = []
  for (let level = resolve(path); !existsSync(level); level = dirname(level)) missing.unshift(level)
  for (const level of missing) {
    mkdirSync(level, { mode: 0o700 })
    const parent = openSync(dirname(level), 'r')
    fsyncSync(parent)
    closeSync(parent)
  }
}
