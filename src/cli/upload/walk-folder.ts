import type { Dirent, Stats } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Exclude } from './exclude.ts'
import type { FoundFile, Unusable } from './find-files.ts'

/** What a walk comes across. Links that are not followed and things that are no files are only counted. */
export type Entry = FoundFile | Unusable | Skipped

interface Skipped {
  readonly kind: 'link' | 'circle' | 'special'
}

export interface WalkOptions {
  /** The folder as it was given: what is in it is shown below this. */
  readonly given: string
  readonly symlinks: 'follow' | 'skip'
  readonly isExcluded: Exclude
}

interface Folder {
  readonly path: string
  readonly name: string
  readonly relativePath: string
  /** Device and inode of this folder and those above it: a link back to one of them would never end. */
  readonly line: ReadonlySet<string>
}

/** Everything in a folder and the folders in it, by name. A folder that cannot be read is one entry. */
export async function* walkFolder(path: string, options: WalkOptions): AsyncIterable<Entry> {
  yield* enter({ path, name: options.given, relativePath: basename(path), line: new Set() }, options)
}

async function* enter(folder: Folder, options: WalkOptions): AsyncIterable<Entry> {
  let entries: readonly Dirent[]
  let line: ReadonlySet<string>
  try {
    const { dev, ino } = await stat(folder.path)
    const identity = `${dev}:${ino}`
    if (folder.line.has(identity)) return yield { kind: 'circle' }
    line = new Set(folder.line).add(identity)
    entries = await readdir(folder.path, { withFileTypes: true })
  } catch (error) {
    return yield { kind: 'unusable', name: folder.name, error }
  }
  const sorted = entries.toSorted((one, other) => (one.name < other.name ? -1 : 1))
  for (const entry of sorted) {
    const inside = {
      path: join(folder.path, entry.name),
      name: join(folder.name, entry.name),
      relativePath: `${folder.relativePath}/${entry.name}`,
      line,
    }
    if (entry.isSymbolicLink() && options.symlinks === 'skip') {
      if (!options.isExcluded(inside.relativePath, false)) yield { kind: 'link' }
    } else {
      yield* take(inside, entry, options)
    }
  }
}

async function* take(inside: Folder, entry: Dirent, options: WalkOptions): AsyncIterable<Entry> {
  const { path, name, relativePath } = inside
  // Asked before anything is looked at: what is left out need not be readable.
  if (options.isExcluded(relativePath, entry.isDirectory())) return
  if (entry.isDirectory()) return yield* enter(inside, options)
  let stats: Stats
  try {
    stats = await stat(path)
  } catch (error) {
    return yield { kind: 'unusable', name, error: unreadableName(entry.name) ?? error }
  }
  if (stats.isDirectory()) {
    if (!options.isExcluded(relativePath, true)) yield* enter(inside, options)
  } else if (stats.isFile()) {
    yield { kind: 'file', name, path, relativePath, sizeBytes: stats.size }
  } else {
    yield { kind: 'special' }
  }
}

/** Node hands out what is not UTF-8 with replacement characters, and then does not find the file of that name. */
function unreadableName(name: string): Error | undefined {
  return name.includes('\u{fffd}') ? new Error('its name is not UTF-8; rename it') : undefined
}
