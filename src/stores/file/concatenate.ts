import { constants } from 'node:fs'

import type { Placement, UploadRecord } from '../../core/upload.ts'
import { corrupt, errorCode, lostOr, storeError } from './disk-errors.ts'
import { furtherFile } from './file-names.ts'
import { inlinePlacement, parseWhere, segmentsPlacement } from './placement.ts'
import type { Segment } from './placement.ts'
import type { Workshop } from './workshop.ts'
import { sizeOf, writeAll } from './write-all.ts'

/** A run of bytes of the new upload: in memory, or the beginning of a file. */
type Piece =
  | { readonly kind: 'bytes'; readonly chunks: Uint8Array[] }
  | { readonly kind: 'file'; readonly path: string; readonly length: number }

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** Failures of `link` that a copy gets around: other file system, no hard links there, too many already. */
const NO_LINK = new Set(['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/**
 * Joins complete uploads. Files get a further name, so the file system counts who still needs them and a deleted
 * part leaves the whole readable; small parts are written into small files.
 *
 * @throws {UploadError} `ERR_CORRUPT_RECORD` if bytes of a part are missing; nothing is left behind.
 */
export async function concatenateUploads(
  shop: Workshop,
  completedPath: (name: string) => string,
  parts: readonly UploadRecord[],
  into: UploadRecord,
): Promise<Placement> {
  const pieces = piecesOf(shop, completedPath, parts)
  const inline = inlineOnly(pieces, shop.inlineMaxBytes)
  if (inline !== undefined) return inlinePlacement(inline)
  const segments: Segment[] = []
  let start = 0
  try {
    for (const [index, piece] of pieces.entries()) {
      const file = furtherFile(into.id, index)
      const length = piece.kind === 'bytes' ? sizeOf(piece.chunks) : piece.length
      segments.push({ file, start, length, writer: '', epoch: into.epoch })
      await makePiece(shop, piece, shop.directory.join(file))
      start += length
    }
    await shop.directory.sync()
  } catch (error) {
    for (const { file } of segments) {
      await shop.disk.unlink(shop.directory.join(file)).catch(() => undefined)
    }
    throw storeError(error)
  }
  return segmentsPlacement(segments)
}

function piecesOf(
  shop: Workshop,
  completedPath: (name: string) => string,
  parts: readonly UploadRecord[],
): readonly Piece[] {
  const pieces: Piece[] = []
  for (const part of parts) {
    if (part.offset === 0) continue
    const where = parseWhere(part)
    if (where.kind === 'inline') addBytes(pieces, where.bytes)
    else if (where.kind === 'completed') {
      pieces.push({ kind: 'file', path: completedPath(where.file.name), length: where.file.size })
    } else {
      for (const { file, length } of where.segments) {
        pieces.push({ kind: 'file', path: shop.directory.join(file), length })
      }
    }
  }
  return pieces
}

function addBytes(pieces: Piece[], bytes: Uint8Array): void {
  const last = pieces.at(-1)
  // Small neighbours share a file.
  if (last?.kind === 'bytes') last.chunks.push(bytes)
  else pieces.push({ kind: 'bytes', chunks: [bytes] })
}

function inlineOnly(pieces: readonly Piece[], maxBytes: number): Uint8Array | undefined {
  const [only] = pieces
  if (only === undefined) return new Uint8Array(0)
  if (pieces.length > 1 || only.kind === 'file' || sizeOf(only.chunks) > maxBytes) return undefined
  return new Uint8Array(Buffer.concat(only.chunks))
}

async function makePiece(shop: Workshop, piece: Piece, path: string): Promise<void> {
  if (piece.kind === 'bytes') return writePiece(shop, piece.chunks, path)
  // Before and not after: a link to a link would be made just as readily.
  const facts = await shop.disk.lstat(piece.path).catch((error: unknown) => {
    throw lostOr(error)
  })
  if (!facts.isFile || facts.sizeBytes < piece.length) {
    throw corrupt('A file of this upload is shorter than recorded.')
  }
  try {
    await shop.disk.link(piece.path, path)
  } catch (error) {
    const code = errorCode(error)
    if (code === undefined || !NO_LINK.has(code)) throw error
    await copyPiece(shop, piece.path, path)
  }
}

async function writePiece(shop: Workshop, chunks: readonly Uint8Array[], path: string): Promise<void> {
  const fd = await shop.disk.open(path, CREATE, shop.fileMode)
  try {
    await writeAll(shop.disk, fd, chunks, 0)
    if (shop.durable) await shop.disk.fdatasync(fd)
  } finally {
    await shop.disk.close(fd)
  }
}

async function copyPiece(shop: Workshop, from: string, to: string): Promise<void> {
  await shop.disk.copyFile(from, to, 'new')
  if (!shop.durable) return
  const fd = await shop.disk.open(to, constants.O_WRONLY | constants.O_NOFOLLOW)
  try {
    await shop.disk.fdatasync(fd)
  } finally {
    await shop.disk.close(fd)
  }
}
