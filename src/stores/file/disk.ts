import fs from 'node:fs'

/** What the store needs to know of a file. */
export interface FileFacts {
  readonly isFile: boolean
  readonly sizeBytes: number
  readonly device: number
  readonly inode: number
  /** How many names the file has. */
  readonly links: number
  /** When its bytes or its names changed last: an old file that got another name is young again. */
  readonly changedAtMs: number
}

/**
 * The file system calls of the store, in one place: tests put failures here, and the settle worker uses the same
 * code over blocking calls. Every method rejects with the error of `node:fs`.
 */
export interface Disk {
  open(path: string, flags: number, mode?: number): Promise<number>
  close(fd: number): Promise<void>
  /** @returns Bytes written: possibly fewer than given. */
  writev(fd: number, chunks: readonly Uint8Array[], position: number): Promise<number>
  /** @returns Bytes read: zero at the end of the file. */
  read(fd: number, into: Uint8Array, position: number): Promise<number>
  ftruncate(fd: number, length: number): Promise<void>
  fdatasync(fd: number): Promise<void>
  fsync(fd: number): Promise<void>
  fstat(fd: number): Promise<FileFacts>
  /** Never follows a link. */
  lstat(path: string): Promise<FileFacts>
  link(existing: string, path: string): Promise<void>
  unlink(path: string): Promise<void>
  /** Copies one file into another, sharing blocks where the file system can. */
  copyFile(from: string, to: string, mode: 'new' | 'replace'): Promise<void>
  space(path: string): Promise<DiskSpace>
}

/** Of the file system that holds a path. */
export interface DiskSpace {
  readonly sizeBytes: number
  /** What users other than root can still take. */
  readonly freeBytes: number
}

export const COPY_FLAGS: { readonly new: number; readonly replace: number } = {
  new: fs.constants.COPYFILE_FICLONE | fs.constants.COPYFILE_EXCL,
  replace: fs.constants.COPYFILE_FICLONE,
}

export function factsOf(stats: fs.Stats): FileFacts {
  return {
    isFile: stats.isFile(),
    sizeBytes: stats.size,
    device: stats.dev,
    inode: stats.ino,
    links: stats.nlink,
    changedAtMs: Math.max(stats.mtimeMs, stats.ctimeMs),
  }
}

export function spaceOf(stats: fs.StatsFs): DiskSpace {
  return { sizeBytes: stats.blocks * stats.bsize, freeBytes: stats.bavail * stats.bsize }
}

type Done<T> = (error: NodeJS.ErrnoException | null, value?: T) => void

/** One promise around one callback: `node:fs/promises` costs several times that (a handle object, more promises). */
function call<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error) reject(error)
      else resolve(value as T)
    })
  })
}

/** The calls of `node:fs` with callbacks: the work runs in the thread pool. */
export const nodeDisk: Disk = {
  open: (path, flags, mode) => call((done) => fs.open(path, flags, mode, done)),
  close: (fd) => call((done) => fs.close(fd, done)),
  writev: (fd, chunks, position) => call((done) => fs.writev(fd, chunks, position, done)),
  read: (fd, into, position) => call((done) => fs.read(fd, into, 0, into.byteLength, position, done)),
  ftruncate: (fd, length) => call((done) => fs.ftruncate(fd, length, done)),
  fdatasync: (fd) => call((done) => fs.fdatasync(fd, done)),
  fsync: (fd) => call((done) => fs.fsync(fd, done)),
  fstat: async (fd) => factsOf(await call<fs.Stats>((done) => fs.fstat(fd, done))),
  lstat: async (path) => factsOf(await call<fs.Stats>((done) => fs.lstat(path, done))),
  link: (existing, path) => call((done) => fs.link(existing, path, done)),
  unlink: (path) => call((done) => fs.unlink(path, done)),
  copyFile: (from, to, mode) => call((done) => fs.copyFile(from, to, COPY_FLAGS[mode], done)),
  space: async (path) => spaceOf(await call<fs.StatsFs>((done) => fs.statfs(path, done))),
}
