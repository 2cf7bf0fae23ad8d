import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'

const made: string[] = []

afterEach(async () => {
  for (const path of made.splice(0)) await rm(path, { recursive: true, force: true })
})

/** A directory of the running test alone, removed after it. */
export async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'carryon-store-'))
  made.push(path)
  return path
}

/** Names of the plain files in a directory, sorted; none if there is no such directory. */
export async function filesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => name)
    .sort()
}

/** Size and hash: comparing large buffers element by element takes seconds. */
export function fingerprint(bytes: Uint8Array): string {
  return `${bytes.byteLength} bytes, ${createHash('sha1').update(bytes).digest('hex')}`
}

/** Fingerprints of the plain files in a directory, by name. */
export async function contentsOf(path: string): Promise<Map<string, string>> {
  const contents = new Map<string, string>()
  for (const name of await filesIn(path)) contents.set(name, fingerprint(await readFile(join(path, name))))
  return contents
}
