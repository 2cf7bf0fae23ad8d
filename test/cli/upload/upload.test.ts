import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, chmodSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { jsonLines } from '../command.ts'
import { event, lastLine, uploadScene } from './scene.ts'

const MIB = 2 ** 20
const scene = uploadScene()

/** Slow enough to be caught in the middle. */
const SLOWLY = ['--limit-rate', '4MiB', '--json']
const isUnderWay = ({ event, sent }: Readonly<Record<string, unknown>>): boolean =>
  event === 'progress' && Number(sent) > 2 * MIB

test('a file is uploaded; its URL is the last line on standard output', async () => {
  const content = scene.file('a.bin', 3 * MIB)
  const { code, stdout, stderr } = await scene.carryon('upload', 'a.bin', scene.endpoint)
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(/^a\.bin: 3 MiB/) })
  expect(stdout.split('\n')).toHaveLength(2)
  expect((await scene.get(lastLine(stdout))).equals(content)).toBe(true)
})

test('a folder that was interrupted: what was done is not sent a second time', async () => {
  scene.file('in/a', 1000)
  scene.file('in/b', 0)
  const big = scene.file('in/c', 12 * MIB)
  const command = ['upload', 'in', scene.endpoint, '--jobs', '1', '--json']
  const urlsOf = (lines: readonly Readonly<Record<string, unknown>>[]): string[] =>
    lines.filter(({ event }) => event === 'complete').map(({ url }) => String(url))
  const first = scene.start([...command, ...SLOWLY])
  await event(first, isUnderWay)
  first.child.kill('SIGKILL')
  const before = urlsOf(jsonLines((await first.finished).stdout))
  expect(before).toHaveLength(2)

  const second = await scene.carryon(...command)
  const after = urlsOf(jsonLines(second.stdout))
  expect({ code: second.code, after }).toEqual({ code: 0, after: [...before, after[2]] })
  expect((await scene.get(String(after[2]))).equals(big)).toBe(true)
  expect((await scene.carryon('uploads')).stderr).toBe('there is nothing to go on with\n')

  // All was done, and so all is forgotten: the same command means the same files once more.
  const third = urlsOf(jsonLines((await scene.carryon(...command)).stdout))
  expect(third).toHaveLength(3)
  expect(third).not.toContain(before[0])
})

test('whoever reads the output may leave: the upload goes on', async () => {
  scene.file('big.bin', 12 * MIB)
  const command = scene.start(['upload', 'big.bin', scene.endpoint, ...SLOWLY])
  await event(command, isUnderWay)
  command.child.stdout?.destroy()
  expect((await command.finished).code).toBe(0)
  expect((await scene.carryon('uploads')).stderr).toBe('there is nothing to go on with\n')
})

test('killed in the middle, the same command goes on where it was', async () => {
  const content = scene.file('big.bin', 12 * MIB)
  const first = scene.start(['upload', 'big.bin', scene.endpoint, ...SLOWLY])
  await event(first, isUnderWay)
  first.child.kill('SIGKILL')
  await first.finished
  const { code, stdout } = await scene.carryon('upload', 'big.bin', scene.endpoint, '--json')
  const done = jsonLines(stdout).find((line) => line['event'] === 'complete')
  expect({ code, done }).toMatchObject({ code: 0, done: { bytes: 12 * MIB, path: 'big.bin' } })
  expect(done?.['resumedBytes']).toBeGreaterThan(MIB)
  expect((await scene.get(String(done?.['url']))).equals(content)).toBe(true)
  // What is complete is forgotten.
  expect((await scene.carryon('uploads')).stderr).toBe('there is nothing to go on with\n')
})

test('parts are gone on with, too', async () => {
  const content = scene.file('big.bin', 12 * MIB)
  const parts = ['upload', 'big.bin', scene.endpoint, '--parallel', '3']
  const first = scene.start([...parts, ...SLOWLY])
  await event(first, isUnderWay)
  first.child.kill('SIGKILL')
  await first.finished
  const { code, stdout } = await scene.carryon(...parts, '--json', '--verify')
  const done = jsonLines(stdout).find((line) => line['event'] === 'complete')
  expect({ code, done }).toMatchObject({ code: 0, done: { bytes: 12 * MIB } })
  expect(done?.['resumedBytes']).toBeGreaterThan(MIB)
  expect((await scene.get(String(done?.['url']))).equals(content)).toBe(true)
})

test('Ctrl-C stops in order, says how to go on, and is remembered', async () => {
  scene.file('big.bin', 12 * MIB)
  scene.file('small.bin', 10)
  const args = ['upload', 'small.bin', 'big.bin', 'big.bin', scene.endpoint]
  const first = scene.start([...args, ...SLOWLY])
  await event(first, isUnderWay)
  first.child.kill('SIGINT')
  const { code, stdout } = await first.finished
  expect(code).toBe(130)
  expect(jsonLines(stdout).map((line) => line['message'])).toContain(
    'interrupted with 1 of 2 files complete; run the same command again and it goes on where it was',
  )
  const listed = await scene.carryon('uploads', '--json')
  const [remembered] = jsonLines(listed.stdout)
  expect(remembered).toMatchObject({ path: join(scene.dir, 'big.bin'), bytes: 12 * MIB })
  const second = await scene.carryon(...args)
  expect(second.code).toBe(0)
  expect(second.stderr).toMatch(/^big\.bin: 12 MiB, \d.* sent before/m)
  expect(lastLine(second.stdout)).toBe(remembered?.['url'])
})

test('Ctrl-C twice ends at once, and still nothing is lost', async () => {
  scene.file('big.bin', 12 * MIB)
  const first = scene.start(['upload', 'big.bin', scene.endpoint, ...SLOWLY])
  await event(first, isUnderWay)
  first.child.kill('SIGINT')
  first.child.kill('SIGINT')
  // By the second signal, unless both came as one.
  expect([null, 130]).toContain((await first.finished).code)
  expect((await scene.carryon('upload', 'big.bin', scene.endpoint)).stderr).toContain('sent before')
})

test('Ctrl-C ends even what waits for somebody to write into a pipe', async () => {
  execFileSync('mkfifo', [join(scene.dir, 'pipe')])
  const { child, finished } = scene.start(['upload', 'pipe', scene.endpoint, '--json'])
  await once(child.stdout!, 'data')
  child.kill('SIGINT')
  const { code, stdout } = await finished
  // By the signal, because a thread cannot be called off.
  expect([null, 130]).toContain(code)
  expect(jsonLines(stdout).at(-1)).toMatchObject({ event: 'end', exitCode: 130 })
})

test('two processes with the same file do not fight: the second waits and has the same URL', async () => {
  const content = scene.file('big.bin', 12 * MIB)
  const first = scene.start(['upload', 'big.bin', scene.endpoint, '--limit-rate', '4MiB', '--json'])
  await event(first, ({ event }) => event === 'progress')
  const second = scene.start(['upload', 'big.bin', scene.endpoint, '--json'])
  await event(second, (line) => line['for'] === 'waiting: another process is uploading the same file')
  const [one, other] = await Promise.all([first.finished, second.finished])
  const urls = [one, other].map(
    ({ stdout }) => jsonLines(stdout).find((line) => line['event'] === 'complete')?.['url'],
  )
  expect(urls[0]).toBe(urls[1])
  expect((await scene.get(String(urls[0]))).equals(content)).toBe(true)
})

test('what cannot be gone on with is removed from the server when it is interrupted', async () => {
  scene.file('big.bin', 12 * MIB)
  const first = scene.start(['upload', 'big.bin', scene.endpoint, '--no-resume', '--debug', ...SLOWLY])
  await event(first, isUnderWay)
  first.child.kill('SIGTERM')
  const { code, stdout, stderr } = await first.finished
  expect(code).toBe(130)
  expect(stdout).toContain('what is not remembered cannot go on: its beginning was removed from the server')
  const [url = ''] = /http\S+files\/\w+/.exec(stderr) ?? []
  expect((await fetch(url, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } })).status).toBe(410)
})

test('standard input is uploaded: long, empty, and of a known length', async () => {
  const content = scene.file('in', 20 * MIB)
  const long = await scene.piped(content, 'upload', '-', scene.endpoint, '-m', 'filename=x.bin', '--verify')
  expect(long).toMatchObject({ code: 0, stderr: expect.stringContaining('every byte is the same') })
  expect((await scene.get(lastLine(long.stdout))).equals(content)).toBe(true)
  const empty = await scene.piped('', 'upload', '-', scene.endpoint)
  expect(empty).toMatchObject({ code: 0, stderr: 'standard input: 0 bytes\n' })
  expect(await scene.get(lastLine(empty.stdout))).toHaveLength(0)
  const known = await scene.piped(
    'hello',
    'upload',
    '-',
    scene.endpoint,
    '--length',
    '5',
    '--expect-complete',
  )
  expect(known).toMatchObject({ code: 0, stderr: expect.stringContaining('the server confirms all 5 bytes') })
  const short = await scene.piped('hello', 'upload', '-', scene.endpoint, '--length', '6')
  expect(short.code).toBe(1)
  expect(short.stderr).toMatch(/^carryon: standard input: [^\n]+\n$/)
})

test('a folder keeps its paths; odd names are shown escaped and sent whole', async () => {
  scene.file('photos/.hidden', '1')
  scene.file('photos/sub/new\nline 😀.txt', 'odd')
  scene.file('photos/empty', '')
  const { code, stdout, stderr } = await scene.carryon('upload', 'photos', scene.endpoint, '--jobs', '1')
  expect(code).toBe(0)
  expect(stderr).toContain('photos/sub/new\\nline 😀.txt: 3 bytes\n')
  expect(stderr).not.toMatch(/[^\P{Cc}\n]/u)
  const infos = await Promise.all(
    stdout
      .trim()
      .split('\n')
      .map(async (url) => jsonLines((await scene.carryon('info', url, '--json')).stdout)[0]),
  )
  expect(infos).toMatchObject([
    { length: 1, metadata: { relativePath: 'photos/.hidden', filename: '.hidden' } },
    { length: 0, metadata: { relativePath: 'photos/empty' } },
    { length: 3, metadata: { relativePath: 'photos/sub/new\nline 😀.txt', filename: 'new\nline 😀.txt' } },
  ])
})

test('a file that may not be read, or is not there, fails alone', async () => {
  scene.file('data/secret', 'x')
  scene.file('data/open', 'y')
  chmodSync(join(scene.dir, 'data/secret'), 0)
  // Remembering needs SQLite, and nobody else may look into a clone in a home directory.
  const args = ['upload', 'data', 'nosuch', scene.endpoint, '--jobs', '1', '--no-resume']
  const command = scene.start(args, { asNobody: true })
  const { code, stdout, stderr } = await command.finished
  expect(code).toBe(1)
  expect(stdout.trim().split('\n')).toHaveLength(1)
  expect(stderr.split('\n')).toEqual([
    'data/open: 1 byte',
    'carryon: data/secret: this user may not read it (EACCES); change its permissions',
    'carryon: nosuch: there is no such file (ENOENT)',
    '1 of 3 files, 1 byte',
    '',
  ])
})

test('a file that changes meanwhile is not mixed', async () => {
  scene.file('log.txt', 12 * MIB)
  const command = scene.start(['upload', 'log.txt', scene.endpoint, '--chunk-size', '1MiB', ...SLOWLY])
  await event(command, isUnderWay)
  appendFileSync(join(scene.dir, 'log.txt'), 'one more line')
  const { code, stdout } = await command.finished
  expect(code).toBe(5)
  expect(jsonLines(stdout).find((line) => line['event'] === 'failed')).toMatchObject({
    path: 'log.txt',
    exitCode: 5,
  })
  expect((await scene.carryon('uploads')).stderr).toBe('there is nothing to go on with\n')
})

test('--max-time gives up, and the next run goes on', async () => {
  scene.file('big.bin', 12 * MIB)
  const { code, stderr } = await scene.carryon(
    'upload',
    'big.bin',
    scene.endpoint,
    '--limit-rate',
    '2MiB',
    '--max-time',
    '2s',
  )
  expect({ code, stderr }).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(
      /^carryon: big\.bin: not done after 2 s \(--max-time\); run the same command again/,
    ),
  })
  expect((await scene.carryon('upload', 'big.bin', scene.endpoint)).stderr).toContain('sent before')
})

test('random data, checked with every means', async () => {
  const checks = [
    '--checksum',
    'sha256',
    '--chunk-size',
    '1MiB',
    '--verify',
    '--expect-complete',
    '--defer-length',
  ]
  const { code, stdout, stderr } = await scene.carryon(
    'upload',
    '--random',
    '5MiB',
    scene.endpoint,
    ...checks,
  )
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('random.bin: 5 MiB') })
  expect(await scene.get(lastLine(stdout))).toHaveLength(5 * MIB)
})
