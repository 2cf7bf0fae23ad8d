import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { tusdId, writeTusd } from '../node/import/tusd-fixture.ts'
import type { Finished } from './command.ts'
import { jsonLines, run, start, stopAll } from './command.ts'
import type { StagedPackage } from './staged-package.ts'
import { stagePackage, temporaryDirectory } from './staged-package.ts'

const NOBODY = 65_534
const data = randomBytes(1536)

let carryon: StagedPackage
let root: string
let from: string
let dir: string

beforeAll(() => {
  carryon = stagePackage()
})
beforeEach(() => {
  root = temporaryDirectory()
  from = join(root, 'data')
  dir = join(root, 'uploads')
  mkdirSync(from)
})
afterEach(async () => {
  await stopAll()
  rmSync(root, { recursive: true, force: true })
})
afterAll(() => carryon.remove())

function importFrom(...args: readonly string[]): Promise<Finished> {
  return run(carryon.bin, ['import', '--from', from, '--dir', dir, ...args])
}

test('tells of each upload, and then of all', async () => {
  const id = await writeTusd(from, { size: 10_000, data })
  const { code, stdout, stderr } = await importFrom()
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toBe(
    `imported ${id} (1.5 KiB of 9.8 KiB)\nimported 1 upload, 1 of them unfinished; 0 skipped, 0 not taken over\n`,
  )
  const again = await importFrom()
  expect(again.code).toBe(0)
  expect(again.stdout).toBe(
    `skipped ${id}: it is there already\nimported 0 uploads, 0 of them unfinished; 1 skipped, 0 not taken over\n`,
  )
})

test('what was not taken over is a line of its own on standard error, and exit code 1', async () => {
  const sound = await writeTusd(from, { size: undefined, data })
  const short = await writeTusd(from, { size: 1000, data })
  writeFileSync(join(from, `${tusdId()}\u001b[2J\n.info`), '{}')
  const { code, stdout, stderr } = await importFrom()
  expect(code).toBe(1)
  expect(stdout).toContain(`imported ${sound} (1.5 KiB so far)\n`)
  expect(stdout).toContain('1 of them unfinished; 0 skipped, 2 not taken over\n')
  const lines = stderr.trimEnd().split('\n').sort()
  expect(lines).toHaveLength(2)
  expect(lines).toContain(`carryon: ${short}: its data file has 1536 bytes, and its length is 1000`)
  expect(lines.join()).not.toContain('\u001b')
})

test('prints JSON lines', async () => {
  const id = await writeTusd(from, { size: data.length, data })
  const bad = await writeTusd(from, { size: 1, data })
  const { code, stdout, stderr } = await importFrom('--json', '--copy')
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
  const length = data.length
  const lines = jsonLines(stdout)
  expect(lines).toHaveLength(3)
  expect(lines).toContainEqual({
    kind: 'imported',
    name: id,
    offset: length,
    length,
    isComplete: true,
    how: 'copy',
  })
  const reason = 'its data file has 1536 bytes, and its length is 1'
  expect(lines).toContainEqual({ kind: 'failed', name: bad, reason })
  expect(lines.at(-1)).toEqual({ kind: 'total', imported: 1, unfinished: 0, skipped: 0, failed: 1 })
})

test('a dry run changes nothing', async () => {
  const id = await writeTusd(from, { size: 10_000, data })
  const { stdout } = await importFrom('--dry-run', '--move')
  expect(stdout).toContain(`would import ${id} (1.5 KiB of 9.8 KiB)\nwould import 1 upload,`)
  expect(existsSync(dir)).toBe(false)
  expect(readdirSync(from).sort()).toEqual([id, `${id}.info`])
})

test('complete uploads are left without a word where only the others are wanted', async () => {
  await writeTusd(from, { size: data.length, data })
  const { code, stdout } = await importFrom('--only-unfinished')
  expect(code).toBe(0)
  expect(stdout).toBe('imported 0 uploads, 0 of them unfinished; 1 skipped, 0 not taken over\n')
})

test('names, places and times as for serve', async () => {
  const completedDir = join(root, 'finished')
  await writeTusd(from, { size: data.length, data, metadata: { filename: 'film.mp4' } })
  const id = await writeTusd(from, { size: 10_000, data })
  const args = ['--completed-dir', completedDir, '--completed-name', '{name}', '--expire-after', '1h']
  expect((await importFrom(...args)).code).toBe(0)
  expect(readdirSync(completedDir)).toEqual(['film.mp4'])
  const server = start(carryon.bin, ['serve', '--port', '0', '--dir', dir, '--completed-dir', completedDir])
  const { url } = await server.logged('listening')
  const head = await fetch(`${String(url)}${id}`, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } })
  const expiresInMs = Date.parse(head.headers.get('Upload-Expires') ?? '') - Date.now()
  expect(expiresInMs).toBeGreaterThan(3_500_000)
  expect(expiresInMs).toBeLessThanOrEqual(3_600_000)
})

test('a file that may not be written is shared for ever, and its upload still goes on', async () => {
  const id = await writeTusd(from, { size: 2 * data.length, data })
  chmodSync(join(from, id), 0o444)
  // As root every file may be written.
  if (process.getuid?.() === 0)
    for (const path of [root, from, join(from, id)]) chownSync(path, NOBODY, NOBODY)
  const asNobody = { asNobody: true }
  const args = ['import', '--from', from, '--dir', dir, '--move', '--json']
  const { stdout } = await run(carryon.bin, args, asNobody)
  expect(jsonLines(stdout)[0]).toMatchObject({ kind: 'imported', how: 'link' })
  const server = start(carryon.bin, ['serve', '--port', '0', '--dir', dir], asNobody)
  const url = `${String((await server.logged('listening'))['url'])}${id}`
  const patch = await fetch(url, {
    method: 'PATCH',
    headers: {
      'Tus-Resumable': '1.0.0',
      'Upload-Offset': String(data.length),
      'Content-Type': 'application/offset+octet-stream',
    },
    body: data,
  })
  expect(patch.status).toBe(204)
  const got = Buffer.from(await (await fetch(url)).arrayBuffer())
  expect(got.equals(Buffer.concat([data, data]))).toBe(true)
})

test('a running tusd is refused in one line that says what to do', async () => {
  const id = await writeTusd(from, { size: 10_000, data })
  writeFileSync(join(from, `${id}.lock`), `${process.pid}\n`)
  const { code, stderr } = await importFrom()
  expect(code).toBe(1)
  expect(stderr).toBe(
    `carryon: stop tusd first: process ${process.pid} holds ${join(from, `${id}.lock`)}; ` +
      'if that is no tusd, go on with --force\n',
  )
  expect((await importFrom('--force')).code).toBe(0)
})

test.each([
  { args: [], said: "required option '--from <DIR>' not specified; see carryon import --help" },
  { args: ['--move', '--copy'], said: "cannot be used with option '--" },
  { args: ['--include-complete', '--only-unfinished'], said: "cannot be used with option '--" },
  { args: ['--kind', 'rustus'], said: '--kind must be auto, tusd or file-store, not "rustus"' },
  { args: ['--expire-after', '3'], said: '--expire-after must be a duration' },
  { args: ['--path', 'files'], said: '--path must be a path such as /files/' },
  { args: ['--completed-name', '../x'], said: '--completed-name must be a plain file name' },
])('wrong usage: $args', async ({ args, said }) => {
  const given = args.length === 0 ? [] : ['--from', from, ...args]
  const { code, stderr } = await run(carryon.bin, ['import', '--dir', dir, ...given])
  expect(code).toBe(2)
  expect(stderr).toContain(said)
  expect(existsSync(dir)).toBe(false)
})

test('directories that cannot be are one line each', async () => {
  const none = await run(carryon.bin, ['import', '--from', join(root, 'none'), '--dir', dir])
  expect(none.code).toBe(1)
  expect(none.stderr).toMatch(/^carryon: the directory of the old server cannot be read: ENOENT.*\n$/)
  writeFileSync(join(root, 'file'), '')
  const file = await run(carryon.bin, ['import', '--from', from, '--dir', join(root, 'file')])
  expect(file.code).toBe(1)
  expect(file.stderr).toMatch(/^carryon: .*is not a directory.*\n$/)
  expect(statSync(join(root, 'file')).size).toBe(0)
  const empty = await importFrom()
  expect(empty).toMatchObject({ code: 0, stdout: 'nothing to import\n' })
})
