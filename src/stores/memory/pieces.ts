/** Bytes of one write, and where they begin in the upload. Never changed once made, so uploads can share it. */
export interface Piece {
  readonly start: number
  readonly bytes: Uint8Array
}

/** One piece out of many chunks: a copy, because the chunks belong to the caller. */
export function joinChunks(start: number, chunks: readonly Uint8Array[]): Piece {
  let size = 0
  for (const chunk of chunks) size += chunk.byteLength
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return { start, bytes }
}

export function endOf(pieces: readonly Piece[]): number {
  const last = pieces.at(-1)
  return last === undefined ? 0 : last.start + last.bytes.byteLength
}

/** The pieces that hold bytes 0 to `end`, the last one shortened if need be. */
export function cutTo(pieces: readonly Piece[], end: number): Piece[] {
  const kept: Piece[] = []
  for (const piece of pieces) {
    if (piece.start >= end) break
    const fits = piece.start + piece.bytes.byteLength <= end
    kept.push(fits ? piece : { start: piece.start, bytes: piece.bytes.subarray(0, end - piece.start) })
  }
  return kept
}

/** Index of the piece that holds byte `offset`. */
export function indexOf(pieces: readonly Piece[], offset: number): number {
  let low = 0
  let high = pieces.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    const piece = pieces[middle]
    if (piece !== undefined && piece.start <= offset) low = middle
    else high = middle - 1
  }
  return low
}
