import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const OUTER_BYTES = 8 * 1024 ** 3
const DISK_BYTES = 2 * 1024 ** 3

const TOOLS = [
  ['mkfs.xfs', '-V'],
  ['mkfs.ext4', '-V'],
  ['losetup', '--version'],
] as const

/**
 * An ext4 disk in a file of an XFS with reflinks: a copy of that file takes a moment, and holds just what the disk
 * has been given by then. To mount the copy is to boot after the power was cut at that moment.
 */
export class CuttableDisk {
  readonly #root = mkdtempSync(join(tmpdir(), 'carryon-power-'))
  readonly #mounted: string[] = []
  #cuts = 0
  /** Where the disk is mounted. */
  readonly path: string

  /** @returns The disk, or why there can be none here. */
  static make(): CuttableDisk | string {
    if (process.platform !== 'linux') return 'Loop devices need Linux.'
    if (process.getuid?.() !== 0) return 'Mounting needs root.'
    for (const [tool, question] of TOOLS) {
      if (spawnSync(tool, [question], { stdio: 'ignore' }).error !== undefined)
        return `${tool} is not installed.`
    }
    try {
      return new CuttableDisk()
    } catch (error) {
      return `This machine does not let us mount: ${String(error)}`
    }
  }

  private constructor() {
    const outerImage = join(this.#root, 'outer.img')
    const outer = join(this.#root, 'outer')
    writeFileSync(outerImage, '')
    truncateSync(outerImage, OUTER_BYTES)
    execFileSync('mkfs.xfs', ['-q', '-f', '-m', 'reflink=1', outerImage])
    this.#mount(outerImage, outer)
    writeFileSync(this.#disk, '')
    truncateSync(this.#disk, DISK_BYTES)
    execFileSync('mkfs.ext4', ['-q', '-F', this.#disk])
    this.path = join(this.#root, 'disk')
    this.#mount(this.#disk, this.path)
  }

  get #disk(): string {
    return join(this.#root, 'outer', 'disk')
  }

  /** Cuts the power of a copy. @returns Its number. */
  cut(): number {
    this.#cuts += 1
    execFileSync('cp', ['--reflink=always', this.#disk, `${this.#disk}.${this.#cuts}`])
    return this.#cuts
  }

  /** Boots a copy: what lies at the path that `use` is given is what a power cut at that moment leaves. */
  async boot(cut: number, use: (path: string) => Promise<void>): Promise<void> {
    const at = join(this.#root, `boot-${cut}`)
    this.#mount(`${this.#disk}.${cut}`, at)
    try {
      await use(at)
    } finally {
      this.#unmount(at)
      rmSync(`${this.#disk}.${cut}`)
    }
  }

  close(): void {
    for (const at of this.#mounted.toReversed()) this.#unmount(at)
    rmSync(this.#root, { recursive: true, force: true })
  }

  #mount(image: string, at: string): void {
    mkdirSync(at)
    execFileSync('mount', ['-o', 'loop', image, at])
    this.#mounted.push(at)
  }

  #unmount(at: string): void {
    execFileSync('umount', [at])
    this.#mounted.splice(this.#mounted.indexOf(at), 1)
  }
}
