import fs from 'node:fs'

import { COPY_FLAGS, factsOf, spaceOf } from './disk.ts'
import type { Disk } from './disk.ts'

/**
 * The same calls, blocking: a third of the CPU of those through the thread pool, which is what a batch of small
 * files is made of. Only for a thread that may wait: the settle worker.
 */
export const blockingDisk: Disk = {
  open: async (path, flags, mode) => fs.openSync(path, flags, mode),
  close: async (fd) => fs.closeSync(fd),
  writev: async (fd, chunks, position) => fs.writevSync(fd, chunks, position),
  read: async (fd, into, position) => fs.readSync(fd, into, 0, into.byteLength, position),
  ftruncate: async (fd, length) => fs.ftruncateSync(fd, length),
  fdatasync: async (fd) => fs.fdatasyncSync(fd),
  fsync: async (fd) => fs.fsyncSync(fd),
  fstat: async (fd) => factsOf(fs.fstatSync(fd)),
  lstat: async (path) => factsOf(fs.lstatSync(path)),
  link: async (existing, path) => fs.linkSync(existing, path),
  unlink: async (path) => fs.unlinkSync(path),
  copyFile: async (from, to, mode) => fs.copyFileSync(from, to, COPY_FLAGS[mode]),
  space: async (path) => spaceOf(fs.statfsSync(path)),
}
