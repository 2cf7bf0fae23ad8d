import { constants } from 'node:fs'
import { join } from 'node:path'

import type { Disk, FileFacts } from './disk.ts'
import { corrupt, errorCode, lostOr } from './disk-errors.ts'
import { temporaryFile } from './file-names.ts'
import { numberedName } from './final-name.ts'
import { writeAll } from './write-all.ts'

/** One upload on its way into the completed directory. Survives `postMessage`. */
export interface SettleJob {
  readonly id: string
  /** The name it should get; the next free one if that is taken. */
  readonly name: string
  readonly size: number
  readonly inline: Uint8Array | undefined
  /** Its only file belongs to other uploads too: the same inode would not tell whose completed file it is. */
  readonly shared: boolean
  readonly segments: readonly { readonly file: string; readonly length: number }[]
}

export interface SettlePlace {
  readonly dir: string
  readonly completedDir: string
  /** Whether a file of `dir` can have a second name in `completedDir`. */
  readonly sameDevice: boolean
  readonly durable: boolean
  readonly fileMode: number
}

export type SettleResult =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly error: unknown }

/** What surrounds the work: its disk, and how a directory is synced there. */
export interface SettleTools {
  readonly disk: Disk
  syncDirectory(path: string): Promise<void>
}

const CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
const READ = constants.O_RDONLY | constants.O_NOFOLLOW
const COPY_BYTES = 1024 * 1024
/** So many names are tried before the id goes into the name. */
const MAX_TRIES = 100

/** So many small files are written before they are synced together: each needs a descriptor until then. */
const GROUP = 200

/**
 * Brings uploads into the completed directory. May be cut at any step and run again with the same jobs: the file
 * that was linked is recognised by its inode, which is why sources and temporary files stay until the
 * record is changed.
 */
export async function settle(
  tools: SettleTools,
  place: SettlePlace,
  jobs: readonly SettleJob[],
): Promise<SettleResult[]> {
  const sources: Outcome<Source>[] = []
  for (let at = 0; at < jobs.length; at += GROUP) {
    const written = await each(jobs.slice(at, at + GROUP), (job) => prepare(tools.disk, place, job))
    sources.push(...(await each(written, (source) => syncSource(tools.disk, place, source))))
  }
  // The temporary name first: if only the final one survived a power cut, the next run would make another file.
  if (place.durable && sources.some((source) => source.ok && source.value.temporary)) {
    await tools.syncDirectory(temporaryDirectory(place))
  }
  const names = await each(sources, async (source, index) => {
    if (!source.ok) throw source.error
    const job = jobs[index]
    if (job === undefined) throw new RangeError('A source without its job.')
    return linkInto(tools.disk, place.completedDir, source.value.path, job)
  })
  if (place.durable && names.some((name) => name.ok)) await tools.syncDirectory(place.completedDir)
  return names.map((name) => (name.ok ? { ok: true, name: name.value } : name))
}

/** Where temporary files are: beside the uploads, unless those cannot be linked from there. */
export function temporaryDirectory(place: Pick<SettlePlace, 'dir' | 'completedDir' | 'sameDevice'>): string {
  return place.sameDevice ? place.dir : place.completedDir
}

type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }

/** One after the other, each with its own outcome. */
async function each<In, Out>(
  items: readonly In[],
  work: (item: In, index: number) => Promise<Out>,
): Promise<Outcome<Out>[]> {
  const outcomes: Outcome<Out>[] = []
  for (const [index, item] of items.entries()) {
    try {
      outcomes.push({ ok: true, value: await work(item, index) })
    } catch (error) {
      outcomes.push({ ok: false, error })
    }
  }
  return outcomes
}

interface Source {
  readonly path: string
  readonly temporary: boolean
  /** Still to be synced, and closed. */
  readonly fd: number | undefined
}

/** A file with exactly the upload's bytes: its only segment, or a temporary file. */
async function prepare(disk: Disk, place: SettlePlace, job: SettleJob): Promise<Source> {
  const [only] = job.segments
  if (place.sameDevice && !job.shared && job.segments.length === 1 && only !== undefined) {
    const path = join(place.dir, only.file)
    const facts = await segmentFacts(disk, path, only.length)
    if (facts.sizeBytes === job.size) return { path, temporary: false, fd: undefined }
  }
  const path = join(temporaryDirectory(place), temporaryFile(job.id))
  const created = await createTemporary(disk, path, { size: job.size, mode: place.fileMode })
  // An earlier run has linked it.
  if (created === undefined) return { path, temporary: true, fd: undefined }
  let fd: number | undefined = created
  try {
    if (job.inline !== undefined) fd = await writeOut(disk, place, { fd: created, path }, job.inline)
    else await flatten(disk, place, job, { fd: created, path })
    return { path, temporary: true, fd }
  } catch (error) {
    await disk.close(fd).catch(() => undefined)
    await disk.unlink(path).catch(() => undefined)
    throw error
  }
}

/** A new, empty file; `undefined` if there is one that was whole and synced already. */
async function createTemporary(
  disk: Disk,
  path: string,
  wanted: { readonly size: number; readonly mode: number },
): Promise<number | undefined> {
  try {
    return await disk.open(path, CREATE, wanted.mode)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  }
  const found = await disk.lstat(path)
  // Two names: it is in the completed directory, and nothing gets there before it is whole and synced.
  if (found.isFile && found.links > 1 && found.sizeBytes === wanted.size) return undefined
  await disk.unlink(path)
  return disk.open(path, CREATE, wanted.mode)
}

interface OpenFile {
  readonly fd: number
  readonly path: string
}

/**
 * Writes a small file so that syncing many of them is cheap: ext4 and XFS start writing a file at its close if it was
 * truncated to nothing before, so the syncs that follow wait for a few journal commits instead of one each
 * (measured: a quarter of the time). The second descriptor is opened before that close, so that it hears of every error.
 *
 * @returns The descriptor to sync.
 */
async function writeOut(disk: Disk, place: SettlePlace, file: OpenFile, bytes: Uint8Array): Promise<number> {
  if (place.durable) await disk.ftruncate(file.fd, 0)
  await writeAll(disk, file.fd, bytes.byteLength === 0 ? [] : [bytes], 0)
  if (!place.durable) return file.fd
  const second = await disk.open(file.path, constants.O_RDWR | constants.O_NOFOLLOW)
  await disk.close(file.fd)
  return second
}

async function syncSource(disk: Disk, place: SettlePlace, source: Outcome<Source>): Promise<Source> {
  if (!source.ok) throw source.error
  const { path, fd } = source.value
  if (fd === undefined) return source.value
  try {
    if (place.durable) await disk.fdatasync(fd)
  } catch (error) {
    await disk.unlink(path).catch(() => undefined)
    throw error
  } finally {
    await disk.close(fd)
  }
  return source.value
}

/** Joins the segments in one file. The first is copied by the kernel, without a byte moved where it can. */
async function flatten(disk: Disk, place: SettlePlace, job: SettleJob, into: OpenFile): Promise<void> {
  const [first, ...others] = job.segments
  if (first === undefined) return
  const path = join(place.dir, first.file)
  await segmentFacts(disk, path, first.length)
  await disk.copyFile(path, into.path, 'replace')
  // Bytes behind the recorded ones came along.
  await disk.ftruncate(into.fd, first.length)
  let position = first.length
  for (const { file, length } of others) {
    await appendFile(disk, join(place.dir, file), { fd: into.fd, position, length })
    position += length
  }
}

async function appendFile(
  disk: Disk,
  path: string,
  into: { readonly fd: number; readonly position: number; readonly length: number },
): Promise<void> {
  await segmentFacts(disk, path, into.length)
  const from = await disk.open(path, READ)
  try {
    const buffer = Buffer.allocUnsafeSlow(Math.min(COPY_BYTES, Math.max(1, into.length)))
    for (let at = 0; at < into.length;) {
      const want = buffer.subarray(0, Math.min(buffer.byteLength, into.length - at))
      const count = await disk.read(from, want, at)
      if (count === 0) throw corrupt('A file of this upload is shorter than recorded.')
      await writeAll(disk, into.fd, [want.subarray(0, count)], into.position + at)
      at += count
    }
  } finally {
    await disk.close(from)
  }
}

async function segmentFacts(disk: Disk, path: string, length: number): Promise<FileFacts> {
  const facts = await disk.lstat(path).catch((error: unknown) => {
    throw lostOr(error)
  })
  if (!facts.isFile || facts.sizeBytes < length) {
    throw corrupt('A file of this upload is shorter than recorded.')
  }
  return facts
}

async function factsIfThere(disk: Disk, path: string): Promise<FileFacts | undefined> {
  try {
    return await disk.lstat(path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Gives a file its name in the completed directory. `link` fails where something exists; `rename` would
 * silently replace a foreign file.
 */
async function linkInto(disk: Disk, directory: string, source: string, job: SettleJob): Promise<string> {
  let own: FileFacts | undefined
  for (let count = 1; count <= MAX_TRIES + 1; count += 1) {
    const name = numberedName(job.name, count <= MAX_TRIES ? count : job.id)
    const path = join(directory, name)
    try {
      await disk.link(source, path)
      return name
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error
    }
    own ??= await disk.lstat(source)
    const taken = await factsIfThere(disk, path)
    if (taken?.device === own.device && taken.inode === own.inode) return name
  }
  throw new Error('No free name was found in the completed directory.')
}
