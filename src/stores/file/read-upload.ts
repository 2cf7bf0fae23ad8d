import { constants } from 'node:fs'

import type { ByteRange } from '../../core/ports/store.ts'
import type { Disk } from './disk.ts'
import { corrupt, lostOr, storeError } from './disk-errors.ts'
import type { Segment } from './placement.ts'

const READ = constants.O_RDONLY | constants.O_NOFOLLOW
const BLOCK_BYTES = 256 * 1024

/** Bytes of an upload out of its segments, in order. */
export async function* readSegments(
  disk: Disk,
  pathOf: (file: string) => string,
  segments: readonly Segment[],
  range: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (const { file, start, length } of segments) {
    const from = Math.max(range.start - start, 0)
    const to = Math.min(range.end - start, length)
    if (from < to) yield* readFile(disk, pathOf(file), { start: from, end: to }, signal)
  }
}

/**
 * Bytes of one file, a block ahead of the consumer.
 *
 * @throws {UploadError} `ERR_CORRUPT_RECORD` if the file is missing or ends too early.
 * @throws `signal.reason` if aborted.
 */
export async function* readFile(
  disk: Disk,
  path: string,
  range: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  signal.throwIfAborted()
  const fd = await disk.open(path, READ).catch((error: unknown) => {
    throw lostOr(error)
  })
  let ahead: Promise<Uint8Array> | undefined
  try {
    if (range.start < range.end) ahead = readBlock(disk, fd, range.start, range.end)
    for (let at = range.start; ahead !== undefined;) {
      const block = await ahead
      signal.throwIfAborted()
      at += block.byteLength
      ahead = at < range.end ? readBlock(disk, fd, at, range.end) : undefined
      // The consumer may be long: an error is kept for the next turn rather than reported as unhandled.
      ahead?.catch(() => undefined)
      yield block
      signal.throwIfAborted()
    }
  } finally {
    // A descriptor is never closed under a running call.
    await ahead?.catch(() => undefined)
    await disk.close(fd)
  }
}

async function readBlock(disk: Disk, fd: number, start: number, end: number): Promise<Uint8Array> {
  const block = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, end - start))
  for (let filled = 0; filled < block.byteLength;) {
    const count = await disk.read(fd, block.subarray(filled), start + filled).catch((error: unknown) => {
      throw storeError(error)
    })
    if (count === 0) throw corrupt('A file of this upload is shorter than recorded.')
    filled += count
  }
  return block
}
