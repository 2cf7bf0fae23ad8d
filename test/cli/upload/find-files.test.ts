import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Findings } from '../../../src/cli/upload/find-files.ts'
import { findFiles } from '../../../src/cli/upload/find-files.ts'
import type { FilesConfig } from '../../../src/cli/upload/settings.ts'

let dir = ''
const cwd = process.cwd()

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'carryon-find-'))
  process.chdir(dir)
})
afterEach(() => {
  process.chdir(cwd)
  rmSync(dir, { recursive: true, force: true })
})

function write(path: string, content = 'x'): void {
  mkdirSync(join(dir, path, '..'), { recursive: true })
  writeFileSync(join(dir, path), content)
}

function find(paths: readonly string[], config: Partial<FilesConfig> = {}): Promise<Findings> {
  return findFiles(paths, {
    recursive: true,
    symlinks: 'skip',
    exclude: [],
    fromFile: [],
    randomBytes: undefined,
    lengthBytes: undefined,
    ...config,
  })
}

async function names(...given: Parameters<typeof find>): Promise<readonly string[]> {
  return (await find(...given)).items.map(({ name }) => name)
}

test('files keep the order of the arguments; a folder is walked by name, hidden files too', async () => {
  write('z.bin', 'four')
  write('photos/b.jpg')
  write('photos/.hidden')
  write('photos/sub/a\n😀.jpg')
  const { items, notes } = await find(['z.bin', 'photos/'])
  expect(items).toEqual([
    { kind: 'file', name: 'z.bin', path: join(dir, 'z.bin'), sizeBytes: 4 },
    ...['.hidden', 'b.jpg', 'sub/a\n😀.jpg'].map((name) => ({
      kind: 'file',
      name: `photos/${name}`,
      path: join(dir, 'photos', name),
      sizeBytes: 1,
      relativePath: `photos/${name}`,
    })),
  ])
  expect(notes).toEqual([])
})

test('the folder one is in has a name in relative paths', async () => {
  write('photos/a.jpg')
  process.chdir(join(dir, 'photos'))
  const { items } = await find(['.'])
  expect(items).toMatchObject([{ name: 'a.jpg', relativePath: 'photos/a.jpg' }])
})

test('what is named twice is taken once, and said', async () => {
  write('photos/a.jpg')
  const { items, notes } = await find(['photos', './photos/a.jpg', 'photos'])
  expect(items).toHaveLength(1)
  expect(notes).toEqual(['2 files named more than once, uploaded once'])
})

test('what is not there fails alone', async () => {
  write('a')
  const { items } = await find(['nosuch', 'a'])
  expect(items).toMatchObject([
    { kind: 'unusable', name: 'nosuch', error: { code: 'ENOENT' } },
    { name: 'a' },
  ])
})

test.runIf(process.platform === 'linux')('a name that is not UTF-8 fails alone, and is said to', async () => {
  write('photos/b')
  writeFileSync(Buffer.concat([Buffer.from('photos/a'), Buffer.from([0xff])]), 'x')
  const { items } = await find(['photos'])
  expect(items).toMatchObject([
    { kind: 'unusable', error: { message: 'its name is not UTF-8; rename it' } },
    { name: 'photos/b' },
  ])
})

test('links in folders are passed over unless they are to be followed; those given are always followed', async () => {
  write('real/a')
  write('photos/b')
  symlinkSync('../real', join(dir, 'photos/link'))
  symlinkSync('../real/a', join(dir, 'photos/file-link'))
  symlinkSync('nowhere', join(dir, 'photos/broken'))
  symlinkSync('photos', join(dir, 'given'))
  const skipped = await find(['given'])
  expect(skipped.items.map(({ name }) => name)).toEqual(['given/b'])
  expect(skipped.notes).toEqual(['passed over 3 symbolic links; --symlinks follow uploads what they lead to'])
  const followed = await find(['photos'], { symlinks: 'follow' })
  expect(followed.items).toMatchObject([
    { name: 'photos/b' },
    { kind: 'unusable', name: 'photos/broken' },
    { name: 'photos/file-link' },
    { name: 'photos/link/a', relativePath: 'photos/link/a' },
  ])
})

test('links that lead back up end', async () => {
  write('photos/sub/a')
  symlinkSync('../..', join(dir, 'photos/sub/up'))
  const { items, notes } = await find(['photos'], { symlinks: 'follow' })
  expect(items.map(({ name }) => name)).toEqual(['photos/sub/a'])
  expect(notes).toEqual(['passed over 1 symbolic link back to a folder above'])
})

test('pipes are streams where they are given, and passed over in folders', async () => {
  mkdirSync('photos')
  execFileSync('mkfifo', [join(dir, 'photos/pipe')])
  expect((await find(['photos/pipe'])).items).toMatchObject([{ kind: 'stream', name: 'photos/pipe' }])
  expect(await find(['photos'])).toEqual({ items: [], notes: ['passed over 1 pipe, socket or device'] })
})

test.each([
  [['*.tmp'], ['photos/keep', 'photos/raw/b.cr2', 'photos/raw/deep/c.cr2']],
  [['raw'], ['photos/a.tmp', 'photos/keep']],
  [['raw/'], ['photos/a.tmp', 'photos/keep']],
  [['keep/'], ['photos/a.tmp', 'photos/keep', 'photos/raw/b.cr2', 'photos/raw/deep/c.cr2']],
  [['raw/*.cr2'], ['photos/a.tmp', 'photos/keep', 'photos/raw/deep/c.cr2']],
  [['photos/raw/**'], ['photos/a.tmp', 'photos/keep']],
  [['**/*.cr2', '*.{tmp,bak}'], ['photos/keep']],
])('--exclude %j leaves %j', async (exclude, left) => {
  write('photos/a.tmp')
  write('photos/keep')
  write('photos/raw/b.cr2')
  write('photos/raw/deep/c.cr2')
  expect(await names(['photos'], { exclude })).toEqual(left)
})

test('a list has a path a line, or NUL after each', async () => {
  write('a b')
  write('c\nd')
  writeFileSync('lines', 'a b\r\n\n')
  writeFileSync('nuls', 'a b\0c\nd\0')
  expect(await names([], { fromFile: ['lines'] })).toEqual(['a b'])
  expect(await names([], { fromFile: ['nuls'] })).toEqual(['a b', 'c\nd'])
  await expect(find([], { fromFile: ['nosuch'] })).rejects.toThrow(/cannot read the list nosuch: ENOENT/)
})

test('standard input is a stream, once', async () => {
  expect((await find(['-'])).items).toEqual([{ kind: 'stream', name: 'standard input', path: '-' }])
  await expect(find(['-', '-'])).rejects.toThrow('standard input (-) can be used only once')
  await expect(find(['-'], { fromFile: ['-'] })).rejects.toThrow('standard input (-) can be used only once')
})

test('a folder is refused where folders are not wished', async () => {
  write('photos/a')
  await expect(find(['photos'], { recursive: false })).rejects.toThrow(
    'photos is a folder; leave out --no-recursive to upload what is in it',
  )
})
