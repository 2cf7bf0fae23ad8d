import type { Dirent } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { join, posix } from 'node:path'
import type { ForeignKind } from './foreign-upload.ts'

/** A file that describes an upload of another server, or looks so. */
export interface Candidate {
  readonly kind: ForeignKind
  /** What its id would be: the path below the directory, without the ending. */
  readonly name: string
  readonly path: string
}

export interface Found {
  /** By name; one after the other. */
  readonly candidates: readonly Candidate[]
  /** Paths of the lock files of tusd. */
  readonly locks: readonly string[]
}

const KINDS: Readonly<Record<string, ForeignKind>> = { '.info': 'tusd', '.json': 'file-store' }
const LOCK = '.lock'

/**
 * Lists what describes uploads, in the directories below too: an id may hold slashes. Follows no links.
 *
 * @param kinds - What to look for.
 * @param without - Directories, as real paths, that are not looked into.
 * @throws the error of `node:fs` if a directory cannot be read.
 */
export async function scan(
  from: string,
  kinds: readonly ForeignKind[],
  without: readonly string[],
): Promise<Found> {
  const candidates: Candidate[] = []
  const locks: string[] = []
  const waiting = ['']
  for (let below = waiting.pop(); below !== undefined; below = waiting.pop()) {
    for await (const entry of await opendir(join(from, below))) {
      const name = posix.join(below, entry.name)
      const path = join(from, name)
      if (entry.isDirectory()) {
        if (!without.includes(path)) waiting.push(name)
      } else if (name.endsWith(LOCK)) locks.push(path)
      else add(candidates, kinds, { entry, name, path })
    }
  }
  candidates.sort((one, other) => (one.path < other.path ? -1 : 1))
  return { candidates, locks }
}

function add(
  candidates: Candidate[],
  kinds: readonly ForeignKind[],
  found: { readonly entry: Dirent; readonly name: string; readonly path: string },
): void {
  const ending = posix.extname(found.name)
  const kind = KINDS[ending]
  if (kind === undefined || !kinds.includes(kind)) return
  candidates.push({ kind, name: found.name.slice(0, -ending.length), path: found.path })
}
