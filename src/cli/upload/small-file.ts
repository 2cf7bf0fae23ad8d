import type { Stats } from 'node:fs'
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { SourceChanged } from '../../client/errors.ts'
import type { OpenSource, Source, SourceOptions } from '../../client/ports/source.ts'
import { bytesSource } from '../../client/sources/bytes.ts'

/** A file that is read at once and sent in a moment. */
export const SMALL_BYTES: number = 64 * 1024

/**
 * Reads small files as a whole when they are opened. Of a thousand of them most of the time went into the six calls
 * that each makes to the thread pool otherwise.
 */
export function withSmallFiles(open: OpenSource): OpenSource {
  return async (input, options) =>
    (typeof input === 'string' ? smallFile(input, options) : undefined) ?? (await open(input, options))
}

/** `undefined` for what is no small file, or cannot be read: that is told by the one who opens files. */
function smallFile(path: string, options: SourceOptions): Source | undefined {
  const read = readWhole(path)
  if (read === undefined) return undefined
  const { bytes, stats } = read
  return {
    ...bytesSource(bytes, options),
    // As a source that reads the file has it: what was remembered of one fits the other.
    traits: { name: basename(path), path: resolve(path), modifiedMs: Math.floor(stats.mtimeMs) },
    async verify() {
      const now = statSync(path, { throwIfNoEntry: false })
      if (now === undefined || !isSame(now, stats)) throw new SourceChanged(`${path} has changed`)
    },
  }
}

function readWhole(path: string): { bytes: Uint8Array<ArrayBuffer>; stats: Stats } | undefined {
  let file: number | undefined
  try {
    // Without the flag, opening a pipe that has come in its place would wait for ever.
    file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    const stats = fstatSync(file)
    if (!stats.isFile() || stats.size > SMALL_BYTES) return undefined
    const bytes = new Uint8Array(stats.size)
    const isWhole = readSync(file, bytes, 0, stats.size, 0) === stats.size && isSame(fstatSync(file), stats)
    return isWhole ? { bytes, stats } : undefined
  } catch {
    return undefined
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

function isSame(now: Stats, before: Stats): boolean {
  return now.size === before.size && now.mtimeMs === before.mtimeMs && now.ino === before.ino
}
