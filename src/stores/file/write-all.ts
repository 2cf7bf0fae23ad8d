import type { Disk } from './disk.ts'

/** Most chunks one `writev` takes on Linux and macOS. */
const IOV_MAX = 1024

/**
 * Writes every byte of `chunks` from `position` on: usually one call, more after a short write.
 *
 * @throws the error of the disk; some of the bytes may have been written.
 */
export async function writeAll(
  disk: Disk,
  fd: number,
  chunks: readonly Uint8Array[],
  position: number,
): Promise<void> {
  let rest = chunks
  let at = position
  while (rest.length > 0) {
    const batch = rest.length > IOV_MAX ? rest.slice(0, IOV_MAX) : rest
    const written = await disk.writev(fd, batch, at)
    // No progress and no error: asking again could go on for ever.
    if (written === 0 && sizeOf(batch) > 0) throw new Error('The disk took none of the bytes.')
    at += written
    rest = behind(rest, written)
  }
}

export function sizeOf(chunks: readonly Uint8Array[]): number {
  let size = 0
  for (const chunk of chunks) size += chunk.byteLength
  return size
}

/** What is left of `chunks` behind its first `count` bytes. */
function behind(chunks: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count
  for (const [index, chunk] of chunks.entries()) {
    if (chunk.byteLength > left) return [chunk.subarray(left), ...chunks.slice(index + 1)]
    left -= chunk.byteLength
  }
  return []
}
