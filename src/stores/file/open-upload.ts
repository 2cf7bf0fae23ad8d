import { constants } from 'node:fs'

import type { Appender, WriteRight } from '../../core/ports/store.ts'
import type { UploadRecord } from '../../core/upload.ts'
import { corrupt, errorCode, lostOr, storeError } from './disk-errors.ts'
import { firstFile, furtherFile } from './file-names.ts'
import { InlineAppender } from './inline-appender.ts'
import { parseWhere } from './placement.ts'
import type { Segment } from './placement.ts'
import { SegmentAppender } from './segment-appender.ts'
import type { Tail } from './segment-appender.ts'
import type { Workshop } from './workshop.ts'

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
const EXTEND = constants.O_WRONLY | constants.O_NOFOLLOW

/**
 * Prepares to add bytes: in the record, in the upload's last file, or in a new file behind it.
 *
 * @throws {UploadError} `ERR_CORRUPT_RECORD` if recorded bytes are missing.
 */
export async function openUpload(shop: Workshop, record: UploadRecord, right: WriteRight): Promise<Appender> {
  const where = parseWhere(record)
  if (where.kind === 'completed') throw new TypeError('An upload in the completed directory takes no bytes.')
  if (where.kind === 'inline') {
    const small = record.length !== undefined && record.length <= shop.inlineMaxBytes
    return small ? new InlineAppender(where.bytes) : beginFile(shop, record, right, where.bytes)
  }
  const tail = await reopenTail(shop, where.segments, right)
  return continueSegments(shop, { record, right, segments: where.segments, tail })
}

function beginFile(
  shop: Workshop,
  record: UploadRecord,
  right: WriteRight,
  inline: Uint8Array,
): SegmentAppender {
  return new SegmentAppender(shop, {
    opened: { offset: record.offset, placement: record.placement },
    earlier: [],
    start: 0,
    base: inline.byteLength,
    inline: inline.byteLength > 0 ? inline : undefined,
    tail: undefined,
    create: () => createFile(shop, record.id, 0),
    writer: right.writer,
    epoch: right.epoch,
  })
}

function continueSegments(
  shop: Workshop,
  found: {
    readonly record: UploadRecord
    readonly right: WriteRight
    readonly segments: readonly Segment[]
    readonly tail: Tail | undefined
  },
): SegmentAppender {
  const { record, right, segments, tail } = found
  const last = tail === undefined ? undefined : segments.at(-1)
  return new SegmentAppender(shop, {
    opened: { offset: record.offset, placement: record.placement },
    earlier: last === undefined ? segments : segments.slice(0, -1),
    start: last?.start ?? record.offset,
    base: last?.length ?? 0,
    inline: undefined,
    tail,
    create: () => createFile(shop, record.id, segments.length),
    writer: right.writer,
    epoch: right.epoch,
  })
}

/** The last file, open and exactly as long as recorded; `undefined` when a new one has to begin. */
async function reopenTail(
  shop: Workshop,
  segments: readonly Segment[],
  right: WriteRight,
): Promise<Tail | undefined> {
  const last = segments.at(-1)
  if (last === undefined) return undefined
  if (!mayExtend(shop, last, right)) {
    await checkFiles(shop, segments)
    return undefined
  }
  shop.busy.add(last.file)
  try {
    const cached = await reuseHandle(shop, last, right)
    if (cached !== undefined) return cached
    await checkFiles(shop, segments.slice(0, -1))
    const reopened = await reopenFile(shop, last)
    if (reopened === undefined) shop.busy.delete(last.file)
    return reopened
  } catch (error) {
    shop.busy.delete(last.file)
    throw error
  }
}

function mayExtend(shop: Workshop, last: Segment, right: WriteRight): boolean {
  if (last.writer === '' || shop.poisoned.has(last.file) || shop.busy.has(last.file)) return false
  if (!right.mayExtend(last.writer)) return false
  // Somebody who held the upload in between may have extended this file without recording it, and be frozen.
  return last.writer === right.writer || right.epoch <= last.epoch + 1
}

/** The descriptor this process kept from its last append, if the record is what that append left. */
async function reuseHandle(shop: Workshop, last: Segment, right: WriteRight): Promise<Tail | undefined> {
  const handle = shop.handles.take(last.file)
  if (handle === undefined) return undefined
  if (handle.committed !== last.length || last.writer !== right.writer) {
    await shop.disk.close(handle.fd).catch(() => undefined)
    return undefined
  }
  if (handle.size > last.length) await truncate(shop, handle.fd, last.length)
  return { file: last.file, fd: handle.fd, fresh: false }
}

async function reopenFile(shop: Workshop, last: Segment): Promise<Tail | undefined> {
  const fd = await shop.disk.open(shop.directory.join(last.file), EXTEND).catch((error: unknown) => {
    throw lostOr(error)
  })
  try {
    const facts = await shop.disk.fstat(fd)
    if (!facts.isFile || facts.sizeBytes < last.length) {
      throw corrupt('A file of this upload is shorter than recorded.')
    }
    // Another name means that somebody else relies on these bytes: a final upload, a completed file, a backup.
    if (facts.links > 1) {
      await shop.disk.close(fd)
      return undefined
    }
    if (facts.sizeBytes === last.length) return { file: last.file, fd, fresh: false }
  } catch (error) {
    await shop.disk.close(fd).catch(() => undefined)
    throw storeError(error)
  }
  await truncate(shop, fd, last.length)
  return { file: last.file, fd, fresh: false }
}

/**
 * Cuts off what was never acknowledged; after a power cut it may be zeros. Needs no sync of its own: until the
 * next commit the record still ends here, and that commit syncs the file.
 */
async function truncate(shop: Workshop, fd: number, length: number): Promise<void> {
  try {
    await shop.disk.ftruncate(fd, length)
  } catch (error) {
    await shop.disk.close(fd).catch(() => undefined)
    throw storeError(error)
  }
}

/** @throws {UploadError} `ERR_CORRUPT_RECORD` if a file is missing, replaced by a link or too short. */
async function checkFiles(shop: Workshop, segments: readonly Segment[]): Promise<void> {
  for (const { file, length } of segments) {
    const facts = await shop.disk.lstat(shop.directory.join(file)).catch((error: unknown) => {
      throw lostOr(error)
    })
    if (!facts.isFile || facts.sizeBytes < length) {
      throw corrupt('A file of this upload is shorter than recorded.')
    }
  }
}

/** A new, empty file of an upload, with a descriptor to write it. */
async function createFile(shop: Workshop, id: string, index: number): Promise<Tail> {
  const plain = index === 0 ? firstFile(id) : furtherFile(id, index)
  const tail = await tryCreate(shop, plain)
  if (tail !== undefined) return tail
  // Left by a crash before its first commit, or being written by a frozen process: not touched, in either case.
  const other = await tryCreate(shop, furtherFile(id, index))
  if (other === undefined) throw storeError(new Error('Two random file names were taken.'))
  return other
}

async function tryCreate(shop: Workshop, file: string): Promise<Tail | undefined> {
  try {
    const fd = await shop.disk.open(shop.directory.join(file), CREATE, shop.fileMode)
    shop.busy.add(file)
    return { file, fd, fresh: true }
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return undefined
    throw error
  }
}
