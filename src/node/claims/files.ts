import { constants } from 'node:fs'
import { lstat, mkdir, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

const MAX_KNOWN = 10_000

/** What tells one file from another. */
export interface FileIdentity {
  readonly device: bigint
  readonly inode: bigint
  readonly sizeBytes: bigint
  /** How many names it has. */
  readonly links: bigint
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** @returns `undefined` where there is nothing. */
export async function identityOf(path: string): Promise<FileIdentity | undefined> {
  try {
    const { dev, ino, size, nlink } = await lstat(path, { bigint: true })
    return { device: dev, inode: ino, sizeBytes: size, links: nlink }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

export function isSameFile(one: FileIdentity | undefined, other: FileIdentity | undefined): boolean {
  return one !== undefined && one.device === other?.device && one.inode === other.inode
}

export async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  }
}

/** Directories of the application, made where they are missing. */
export class Folders {
  /** Whether what is made is to survive a power cut. */
  readonly durable: boolean
  /** Those whose own name is known to survive a power cut. */
  readonly #known = new Set<string>()

  constructor(durable: boolean) {
    this.durable = durable
  }

  /**
   * Makes a directory and what is missing above it. Level by level: Node's own recursive way never returns on a file
   * system that takes no directories (`/proc/x`).
   */
  async make(path: string): Promise<void> {
    const made = await this.#makeAll(path)
    // One that was there may have been made a moment ago by somebody who was cut before syncing.
    if (this.durable && (made || !this.#known.has(path))) await this.#syncName(path)
  }

  /** Resolves when the names in a directory are durable. */
  async sync(path: string): Promise<void> {
    if (this.durable) await syncDirectory(path)
  }

  async #makeAll(path: string): Promise<boolean> {
    try {
      return await this.#makeOne(path)
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || dirname(path) === path) throw error
      await this.#makeAll(dirname(path))
      return this.#makeOne(path)
    }
  }

  async #makeOne(path: string): Promise<boolean> {
    try {
      await mkdir(path)
      this.#known.delete(path)
      return true
    } catch (error) {
      // Not a directory after all: the first use of it says so.
      if (errorCode(error) === 'EEXIST') return false
      throw error
    }
  }

  async #syncName(path: string): Promise<void> {
    const parent = dirname(path)
    if (this.#known.has(path) || parent === path) return
    await this.#syncName(parent)
    await syncDirectory(parent).catch((error: unknown) => {
      // What may not be read was not made by us.
      if (errorCode(error) !== 'EACCES' && errorCode(error) !== 'EPERM') throw error
    })
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.add(path)
  }
}

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Names in a directory survive a power cut once it is synced. */
const syncDirectory = syncFile
