import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

interface Entry {
  readonly path: string
  readonly mode: number
  readonly bytes: number
}

/** All that a directory holds, itself too. */
export async function tree(dir: string): Promise<readonly Entry[]> {
  const names = await readdir(dir, { recursive: true })
  const found = await Promise.all(
    ['.', ...names].map(async (name) => {
      const path = join(dir, name)
      // Files of work under way come and go.
      const entry = await stat(path).catch(() => undefined)
      return entry === undefined ? [] : [{ path, mode: entry.mode & 0o777, bytes: entry.blocks * 512 }]
    }),
  )
  return found.flat()
}

/** What it takes on the disk: holes count nothing. */
export async function usedBytes(dir: string): Promise<number> {
  return (await tree(dir)).reduce((sum, { bytes }) => sum + bytes, 0)
}
