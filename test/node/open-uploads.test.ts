import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openUploads } from '../../src/node/index.ts'

test('options that make no sense leave nothing open', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'carryon-open-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  for (const wrong of [{ publicUrl: 'nowhere' }, { path: 'files' }, { maxAppendBytes: 0 }]) {
    await expect(openUploads({ dir, ...wrong })).rejects.toThrow(/publicUrl|path|maxAppendBytes/)
  }
  // Nobody else is there: a process that shares the directory would have to be waited for.
  const uploads = await openUploads({ dir })
  expect(await uploads.engine.claims.nextDueMs()).toBeUndefined()
  await uploads.close()
})
