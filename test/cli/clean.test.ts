import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { openUploads, Uploads } from '../../src/node/index.ts'
import { jsonLines, run, stopAll } from './command.ts'
import type { StagedPackage } from './staged-package.ts'
import { stagePackage, temporaryDirectory } from './staged-package.ts'

let carryon: StagedPackage
let dir: string
/** A server's side of the directory; it stays open while `clean` works. */
let uploads: Uploads

beforeAll(() => {
  carryon = stagePackage()
})
beforeEach(async () => {
  dir = temporaryDirectory()
  const built = pathToFileURL(join(carryon.dir, 'dist/node/index.js')).href
  // As built: the catalog's thread starts quicker than from source.
  const preset = (await import(built)) as { readonly openUploads: typeof openUploads }
  uploads = await preset.openUploads({ dir, reap: false, expireAfterMs: 1 })
})
afterEach(async () => {
  await stopAll()
  await uploads.close()
  rmSync(dir, { recursive: true, force: true })
})
afterAll(() => carryon.remove())

/** An upload of 100,000 bytes, `given` of which are there. */
async function upload(given: number): Promise<string> {
  const creation = new Request('http://localhost/files/', {
    method: 'POST',
    headers: {
      'Tus-Resumable': '1.0.0',
      'Upload-Length': '100000',
      'Content-Type': 'application/offset+octet-stream',
    },
    body: new Uint8Array(given),
  })
  const answer = await uploads.fetch(creation)
  expect(answer?.status).toBe(201)
  return answer?.headers.get('Location')?.split('/').at(-1) ?? ''
}

test('a dry run tells what would be removed and removes nothing', async () => {
  const id = await upload(1000)
  const { code, stdout, stderr } = await run(carryon.bin, ['clean', '--dir', dir, '--dry-run'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toBe(`would remove expired upload ${id} (1000 bytes)\nwould remove 1 thing, 1000 bytes\n`)
  expect(existsSync(join(dir, 'data', id))).toBe(true)
})

test('removes what has expired while a server is running, and never a finished upload', async () => {
  const id = await upload(1536)
  const finished = await upload(100_000)
  const { code, stdout } = await run(carryon.bin, ['clean', '--dir', dir])
  expect(code).toBe(0)
  expect(stdout).toBe(`removed expired upload ${id} (1.5 KiB)\nremoved 1 thing, 1.5 KiB\n`)
  expect(readdirSync(join(dir, 'data'))).not.toContain(id)
  const answer = await uploads.fetch(new Request(`http://localhost/files/${finished}`))
  expect((await answer?.arrayBuffer())?.byteLength).toBe(100_000)
})

test('prints JSON lines', async () => {
  const id = await upload(1000)
  const { stdout } = await run(carryon.bin, ['clean', '--json'], { env: { CARRYON_DIR: dir } })
  expect(jsonLines(stdout)).toEqual([
    { kind: 'expired', name: id, sizeBytes: 1000, dryRun: false },
    { kind: 'total', count: 1, sizeBytes: 1000, dryRun: false },
  ])
})

test('says when there is nothing to do', async () => {
  const { stdout } = await run(carryon.bin, ['clean', '--dir', dir])
  expect(stdout).toBe('nothing to remove\n')
})

test('a directory without uploads is an error, and stays as it is', async () => {
  const empty = join(dir, 'empty')
  const { code, stderr } = await run(carryon.bin, ['clean', '--dir', empty])
  expect(code).toBe(1)
  expect(stderr).toBe(
    `carryon: there are no uploads in ${empty}; name the directory of the server with --dir\n`,
  )
  expect(existsSync(empty)).toBe(false)
})
