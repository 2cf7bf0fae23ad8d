import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { SweepReport } from '../../src/node/index.ts'
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

test('the janitor tells what it has found', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'carryon-open-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  let heard: (found: SweepReport) => void = () => undefined
  const sweep = new Promise<SweepReport>((resolve) => (heard = resolve))
  const uploads = await openUploads({ dir, expireAfterMs: 1, onSweep: heard })
  const headers = { 'Tus-Resumable': '1.0.0', 'Upload-Length': '10' }
  for (let i = 0; i < 2; i += 1)
    await uploads.fetch(new Request('http://localhost/files/', { method: 'POST', headers }))
  expect(await sweep).toEqual({ expired: { count: 2, sizeBytes: 0 } })
  expect(uploads.swept).toEqual({ expired: { count: 2, sizeBytes: 0 } })
  await uploads.close()
})
