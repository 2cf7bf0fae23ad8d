import { spawnSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  statfsSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

const MiB = 1024 * 1024
const page = Buffer.alloc(4 * MiB, 0x5a)

/** A place for one run: every sample gets a directory of its own, all of them go at the very end. */
export interface Workspace {
  readonly root: string
  fresh(name: string): string
  /** Fills and frees page cache, so that no sample pays for memory the machine had given back to its host. */
  warmPageCache(bytes: number): void
  /** Gives the disk space of a sample back without freeing its inodes. */
  empty(directory: string): void
  remove(): void
}

/**
 * Makes the directory of a run below `base`.
 *
 * Nothing is unlinked until {@link Workspace.remove}: ext4 makes creates 20–40 times slower for minutes after a mass
 * delete (it avoids inodes that were freed recently). Samples are truncated instead.
 */
export function openWorkspace(base: string): Workspace {
  const root = join(base, `run-${process.pid}-${Date.now()}`)
  mkdirSync(root, { recursive: true })
  let made = 0
  return {
    root,
    fresh(name) {
      made += 1
      const directory = join(root, `${String(made).padStart(4, '0')}-${name}`)
      mkdirSync(directory)
      return directory
    },
    warmPageCache(bytes) {
      flush(root)
      writeAndUnlink(join(root, 'warm'), Math.ceil(bytes * 1.1))
    },
    empty,
    remove() {
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** Free bytes on the file system of a directory. */
export function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize
}

// Dirty pages an earlier server left behind would be written out at the cost of the next one.
function flush(directory: string): void {
  spawnSync('sync', ['-f', directory], { stdio: 'ignore', timeout: 60_000 })
}

function writeAndUnlink(path: string, bytes: number): void {
  const file = openSync(path, 'w')
  try {
    for (let left = bytes; left > 0; left -= page.length) {
      writeSync(file, page, 0, Math.min(left, page.length))
    }
  } finally {
    closeSync(file)
    unlinkSync(path)
  }
}

function empty(directory: string): void {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    if (statSync(path).size > 64 * 1024) truncateSync(path, 0)
  }
}
