import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterTest } from './after-test.ts'

/** A directory of the running test alone, removed after it. */
export async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'carryon-e2e-'))
  afterTest(() => rm(path, { recursive: true, force: true }))
  return path
}
