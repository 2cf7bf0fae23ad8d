import type { Json, Placement, UploadRecord } from '../../core/upload.ts'
import { corrupt } from './disk-errors.ts'
import { isSegmentFile } from './file-names.ts'

/** A run of an upload's bytes: bytes `start` to `start + length` are bytes 0 to `length` of `file`. */
export interface Segment {
  readonly file: string
  readonly start: number
  readonly length: number
  /** The process that wrote the file last. Empty: shared with other uploads, never to be extended. */
  readonly writer: string
  /** The epoch it was written under. */
  readonly epoch: number
}

/** A plain file in the completed directory. */
export interface CompletedFile {
  readonly name: string
  readonly size: number
  /** Files it was made of that cannot be named from the id: found again by `tidy` after a crash. */
  readonly sources: readonly string[]
}

/** `placement.where`, understood. */
export type Where =
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }
  | { readonly kind: 'segments'; readonly segments: readonly Segment[] }
  | { readonly kind: 'completed'; readonly file: CompletedFile }

const EMPTY = new Uint8Array(0)

/** No bytes yet, or all of them in the record itself. */
export function inlinePlacement(bytes: Uint8Array): Placement {
  return bytes.byteLength === 0 ? { where: null } : { where: null, inline: bytes }
}

export function segmentsPlacement(segments: readonly Segment[]): Placement {
  return {
    where: {
      segments: segments.map(({ file, start, length, writer, epoch }) => ({
        file,
        start,
        length,
        writer,
        epoch,
      })),
    },
  }
}

export function completedPlacement(file: CompletedFile): Placement {
  const { name, size, sources } = file
  return { where: { completed: sources.length === 0 ? { name, size } : { name, size, sources } } }
}

/**
 * Where the recorded bytes of an upload are: exactly `record.offset` of them.
 *
 * @throws {UploadError} `ERR_CORRUPT_RECORD` if the placement is not one of ours or holds fewer bytes.
 */
export function parseWhere(record: Pick<UploadRecord, 'placement' | 'offset'>): Where {
  const { where, inline } = record.placement
  if (where === null) return { kind: 'inline', bytes: parseInline(inline ?? EMPTY, record.offset) }
  if (!isObject(where)) throw corrupt('The record does not say where its bytes are.')
  if (where['segments'] !== undefined) {
    return { kind: 'segments', segments: parseSegments(where['segments'], record.offset) }
  }
  return { kind: 'completed', file: parseCompleted(where['completed'], record.offset) }
}

function parseInline(bytes: Uint8Array, offset: number): Uint8Array {
  if (bytes.byteLength < offset) throw corrupt('The record holds fewer bytes than its offset says.')
  return bytes.byteLength === offset ? bytes : bytes.subarray(0, offset)
}

function parseSegments(value: Json, offset: number): Segment[] {
  if (!Array.isArray(value)) throw corrupt('The list of segments is not a list.')
  const segments: Segment[] = []
  let end = 0
  for (const item of value) {
    const segment = parseSegment(item)
    if (segment.start !== end) throw corrupt('The segments do not follow each other.')
    end += segment.length
    segments.push(segment)
  }
  if (end !== offset) throw corrupt('The segments do not add up to the offset.')
  return segments
}

function parseSegment(value: unknown): Segment {
  if (!isObject(value)) throw corrupt('A segment is not an object.')
  const { file, start, length, writer, epoch } = value
  // The name becomes a path: only names of our own making pass.
  if (typeof file !== 'string' || !isSegmentFile(file))
    throw corrupt('A segment names no file of this store.')
  if (!isCount(start) || !isCount(length) || !isCount(epoch) || typeof writer !== 'string') {
    throw corrupt('A segment is incomplete.')
  }
  return { file, start, length, writer, epoch }
}

function parseCompleted(value: unknown, offset: number): CompletedFile {
  if (!isObject(value)) throw corrupt('The record does not say where its bytes are.')
  const { name, size, sources } = value
  const plain = typeof name === 'string' && name !== '' && !name.startsWith('.') && !/[/\\\0]/.test(name)
  if (!plain) throw corrupt('The completed file has no plain name.')
  if (size !== offset) throw corrupt('The completed file does not have the recorded size.')
  return { name, size: offset, sources: parseSources(sources) }
}

function parseSources(value: Json | undefined): string[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw corrupt('The list of sources is not a list.')
  return value.map((file: unknown) => {
    if (typeof file === 'string' && isSegmentFile(file)) return file
    throw corrupt('A source names no file of this store.')
  })
}

function isObject(value: unknown): value is { readonly [key: string]: Json | undefined } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
