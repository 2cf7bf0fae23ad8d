import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { UploadsOptions } from '../../src/node/index.ts'
import { openUploads } from '../../src/node/index.ts'
import type { Uploads } from '../../src/node/index.ts'
import type { Engine } from '../../src/core/engine.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import type { Wish } from '../support/rig.ts'
import { creation } from '../support/rig.ts'

const cleanups: (() => unknown)[] = []

/** Undoes everything that a test has made, the last thing first. */
export async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
}

export function onCleanUp(cleanup: () => unknown): void {
  cleanups.push(cleanup)
}

export function temporaryDirectory(parent: string = tmpdir()): string {
  const dir = mkdtempSync(join(parent, 'carryon-claims-'))
  onCleanUp(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

export async function opened(
  options: Partial<UploadsOptions> & Pick<UploadsOptions, 'dir'>,
): Promise<Uploads> {
  const uploads = await openUploads({ reap: false, path: '/files/', ...options })
  onCleanUp(() => uploads.close(0))
  return uploads
}

/** A complete upload. */
export function uploaded(
  { engine }: { readonly engine: Pick<Engine, 'create'> },
  content: string | Uint8Array = 'content',
  more: Partial<Wish> = {},
): Promise<UploadRecord> {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  return engine.create(creation({ length: bytes.byteLength, content: bytes, ...more }))
}
