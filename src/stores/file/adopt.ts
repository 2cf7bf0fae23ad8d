import { constants } from 'node:fs'
import { access, chmod } from 'node:fs/promises'
import { join } from 'node:path'

import type { Placement } from '../../core/upload.ts'
import type { UploadId } from '../../core/upload-id.ts'
import { UploadError } from '../../core/errors.ts'
import { Directory } from './directory.ts'
import type { FileFacts } from './disk.ts'
import { nodeDisk } from './disk.ts'
import { errorCode } from './disk-errors.ts'
import { firstFile, furtherFile } from './file-names.ts'
import { unlinkIfThere } from './orphans.ts'
import { inlinePlacement, segmentsPlacement } from './placement.ts'
import { dataSyncGate } from './sync-gate.ts'

/** A foreign file that is to become the bytes of an upload. */
interface AdoptRequest {
  readonly id: UploadId
  readonly path: string
  /** What the file had when it was looked at first. */
  readonly sizeBytes: number
  /** `link`: a second name for the same file; a copy where that cannot be. `copy`: a file of our own. */
  readonly how: 'link' | 'copy'
  /** Names this process, as the catalog does. */
  readonly writer: string
}

type Adoption =
  | {
      readonly kind: 'adopted'
      /** For a record with `offset: sizeBytes` and `epoch: 1`. */
      readonly placement: Placement
      /** `nothing`: there was no byte to take. */
      readonly how: 'link' | 'copy' | 'nothing'
      /** Takes it back, for an upload that did not get its record. */
      release(): Promise<void>
    }
  | { readonly kind: 'refused'; readonly why: 'no-plain-file' | 'changed' }

/** Brings foreign files into a file store's directory. */
export interface FileAdopter {
  /**
   * Makes a foreign file the first file of an upload that has no record yet. The bytes are durable when this
   * resolves, the new name is so after {@link sync}. The foreign file stays as it is, and while it has its name
   * there the store begins another file for what comes later.
   *
   * @throws {UploadError} `ERR_STORE_FULL` if a copy finds no room: nothing is left behind.
   * @throws the error of `node:fs` for any other failure.
   */
  adopt(request: AdoptRequest): Promise<Adoption>
  /** Makes the names durable that were given before this call: before a record refers to them. */
  sync(): Promise<void>
  close(): Promise<void>
}

export interface FileAdopterOptions {
  /** The directory of uploads, as for `fileStore`; it has to be there. */
  readonly dir: string
  /** Bytes that can still be stored. @default no limit */
  readonly freeBytes?: (() => Promise<number>) | undefined
  /** @default 0600 */
  readonly fileMode?: number | undefined
}

// A named pipe would wait for a writer; O_NONBLOCK means nothing to a plain file.
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const EXTEND = constants.O_RDWR | constants.O_NOFOLLOW
/** Failures of `link` that a copy gets around: other file system, no links there, not our file, too many already. */
const NO_LINK = new Set(['EXDEV', 'EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/** Makes an adopter for the directory of a file store; servers may be using it meanwhile. */
export function fileAdopter(options: FileAdopterOptions): FileAdopter {
  const directory = new Directory(options.dir, nodeDisk, true)
  return {
    adopt: (request) => adopt(options, request),
    sync: () => directory.sync(),
    close: () => directory.close(),
  }
}

async function adopt(options: FileAdopterOptions, request: AdoptRequest): Promise<Adoption> {
  const fd = await nodeDisk.open(request.path, READ).catch((error: unknown) => {
    // A symbolic link, a socket.
    if (errorCode(error) === 'ELOOP' || errorCode(error) === 'ENXIO') return undefined
    throw error
  })
  if (fd === undefined) return { kind: 'refused', why: 'no-plain-file' }
  try {
    const facts = await nodeDisk.fstat(fd)
    if (!facts.isFile) return { kind: 'refused', why: 'no-plain-file' }
    if (facts.sizeBytes !== request.sizeBytes) return { kind: 'refused', why: 'changed' }
    if (facts.sizeBytes === 0) return nothing()
    return await take(options, request, { fd, facts })
  } finally {
    await nodeDisk.close(fd)
  }
}

function nothing(): Adoption {
  const placement = inlinePlacement(new Uint8Array(0))
  return { kind: 'adopted', placement, how: 'nothing', release: () => Promise.resolve() }
}

interface Source {
  readonly fd: number
  readonly facts: FileFacts
}

async function take(options: FileAdopterOptions, request: AdoptRequest, source: Source): Promise<Adoption> {
  const linked = request.how === 'link' ? await tryLink(options, request) : undefined
  const file = linked ?? (await copy(options, request, source.fd))
  const path = join(options.dir, file)
  const release = async (): Promise<void> => void (await unlinkIfThere(nodeDisk, path))
  try {
    const isWhole = await syncWhole(path, source, linked === undefined ? 'copy' : 'link')
    if (!isWhole) {
      await release()
      return { kind: 'refused', why: 'changed' }
    }
    // A file that we may not write is shared for good: its upload goes on in a file of its own.
    const isOurs = linked === undefined || (await isWritable(path))
    const length = request.sizeBytes
    const segment = { file, start: 0, length, writer: isOurs ? request.writer : '', epoch: 1 }
    const how = linked === undefined ? 'copy' : 'link'
    return { kind: 'adopted', placement: segmentsPlacement([segment]), how, release }
  } catch (error) {
    await release()
    throw error
  }
}

/** @returns The name the file got; `undefined` if it can have none here. */
async function tryLink({ dir }: FileAdopterOptions, request: AdoptRequest): Promise<string | undefined> {
  try {
    return await withFreeName(request.id, (file) => nodeDisk.link(request.path, join(dir, file)))
  } catch (error) {
    if (NO_LINK.has(errorCode(error) ?? '')) return undefined
    throw error
  }
}

async function copy(options: FileAdopterOptions, request: AdoptRequest, fd: number): Promise<string> {
  const free = await options.freeBytes?.()
  if (free !== undefined && free < request.sizeBytes) throw new UploadError('ERR_STORE_FULL')
  const from = await pathOfOpen(fd, request.path)
  const file = await withFreeName(request.id, async (name) => {
    const path = join(options.dir, name)
    try {
      await nodeDisk.copyFile(from, path, 'new')
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') await unlinkIfThere(nodeDisk, path)
      throw error
    }
  })
  // The copy has come with the modes of the original.
  await chmod(join(options.dir, file), options.fileMode ?? 0o600)
  return file
}

/** The open file itself where the system has a path for it: the name may be another file's by now. */
async function pathOfOpen(fd: number, path: string): Promise<string> {
  const itself = `/proc/self/fd/${fd}`
  return access(itself).then(
    () => itself,
    () => path,
  )
}

/** The plain name, or another one where a crash or a second import has left that name behind. */
async function withFreeName(id: UploadId, make: (file: string) => Promise<void>): Promise<string> {
  try {
    await make(firstFile(id))
    return firstFile(id)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  }
  const other = furtherFile(id, 0)
  await make(other)
  return other
}

/**
 * Makes the bytes durable.
 *
 * @returns False if this is not what was looked at, or somebody has written to it meanwhile.
 */
async function syncWhole(path: string, source: Source, how: 'link' | 'copy'): Promise<boolean> {
  const fd = how === 'link' ? source.fd : await nodeDisk.open(path, EXTEND)
  try {
    await dataSyncGate.run(() => nodeDisk.fsync(fd))
    const [made, original] = [await nodeDisk.lstat(path), await nodeDisk.fstat(source.fd)]
    const { sizeBytes, device, inode } = source.facts
    const isSame = how === 'copy' || (made.device === device && made.inode === inode)
    return isSame && made.isFile && made.sizeBytes === sizeBytes && original.sizeBytes === sizeBytes
  } finally {
    if (fd !== source.fd) await nodeDisk.close(fd)
  }
}

function isWritable(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  )
}
