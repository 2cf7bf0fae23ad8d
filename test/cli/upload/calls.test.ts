import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { jsonLines } from '../command.ts'
import { forwardTo, lastLine, readText, uploadScene } from './scene.ts'

const MIB = 2 ** 20
const scene = uploadScene()

async function upload(
  name: string,
  content: Uint8Array | string | number,
): Promise<{ url: string; content: Buffer }> {
  const bytes = scene.file(name, content)
  const { stdout } = await scene.carryon('upload', name, scene.endpoint, '--quiet')
  return { url: lastLine(stdout), content: bytes }
}

/** An upload of which the server has a part. */
async function unfinished(): Promise<string> {
  const headers = {
    'Tus-Resumable': '1.0.0',
    'Upload-Length': '10',
    'Content-Type': 'application/offset+octet-stream',
    'Upload-Metadata': `filename ${Buffer.from('a\u001b[31m.txt').toString('base64')}`,
  }
  const response = await fetch(scene.endpoint, { method: 'POST', headers, body: 'hell' })
  return response.headers.get('Location') ?? ''
}

test('info shows an upload, its metadata escaped, and what the server can do', async () => {
  const url = await unfinished()
  const { code, stdout } = await scene.carryon('info', url)
  expect(code).toBe(0)
  expect(stdout.split('\n')).toEqual([
    `Upload:     ${url}`,
    'Received:   4 of 10 bytes (40%)',
    'Bytes:      4 of 10',
    'Metadata:   filename = a\\u{1b}[31m.txt',
    expect.stringMatching(/^Expires: {4}\d{4}-\d\d-\d\dT[\d:.]+Z \(in 2[34] h\)$/),
    'Server:     tus 1.0.0',
    expect.stringMatching(/^Can: {8}creation, /),
    expect.stringMatching(/^Checksums: {2}sha1, /),
    '',
  ])
  const [json] = jsonLines((await scene.carryon('info', url, '--json')).stdout)
  expect(json).toMatchObject({ url, offset: 4, length: 10, metadata: { filename: 'a\u001b[31m.txt' } })
})

test('info tells a place for uploads from an upload that is not there', async () => {
  const place = await scene.carryon('info', scene.endpoint)
  expect(place).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Uploads at: http/) })
  const bare = await scene.carryon('info', scene.endpoint.replace(/\/$/, ''))
  expect(bare.code).toBe(0)
  const missing = await scene.carryon('info', `${scene.endpoint}nosuch`)
  expect(missing).toMatchObject({
    code: 3,
    stdout: '',
    stderr: expect.stringMatching(/^carryon: [^\n]*404[^\n]*\n$/),
  })
})

test('delete removes uploads, those that are gone count too, and forgets them', async () => {
  const { url } = await upload('a', 'x')
  const half = await unfinished()
  const { code, stderr } = await scene.carryon('delete', url, half, url)
  expect({ code, stderr }).toEqual({ code: 0, stderr: `deleted ${url}\ndeleted ${half}\ndeleted ${url}\n` })
  expect((await fetch(url)).status).toBe(410)
  const proud = await scene.serve((_, response) => response.writeHead(403).end())
  const refused = await scene.carryon('delete', proud)
  expect(refused).toMatchObject({ code: 3, stderr: expect.stringMatching(/^carryon: [^\n]*403[^\n]*\n$/) })
})

test('uploads lists what can go on; --forget by file, URL or all', async () => {
  const names = ['one.bin', 'two.bin', 'three.bin']
  for (const name of names) {
    scene.file(name, 8 * MIB)
    await scene.carryon('upload', name, scene.endpoint, '--limit-rate', '1MiB', '--max-time', '1s')
  }
  const listed = await scene.carryon('uploads')
  expect(listed.stdout.trim().split('\n')).toHaveLength(3)
  expect(listed.stdout).toMatch(
    /\/two\.bin {2}8 MiB {2}begun less than a minute ago {2}expires in 2\d h {2}http/,
  )
  const [newest] = jsonLines((await scene.carryon('uploads', '--json')).stdout)
  const forgot = await scene.carryon(
    'uploads',
    '--forget',
    'one.bin',
    '--forget',
    String(newest?.['url']),
    '--forget',
    'no',
  )
  expect(forgot.code).toBe(1)
  expect(forgot.stdout.trim().split('\n')).toHaveLength(2)
  expect(forgot.stderr).toBe('carryon: nothing is remembered of no\n')
  expect((await scene.carryon('uploads')).stdout).toContain('two.bin')
  expect((await scene.carryon('uploads', '--forget', 'all')).code).toBe(0)
  expect((await scene.carryon('uploads')).stdout).toBe('')
})

test('download takes the name of the server, and never writes over a file unasked', async () => {
  const { url, content } = await upload('photos of 2026.bin', MIB)
  const again = await scene.carryon('download', url)
  expect(again).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is there already; name another file with -o'),
  })
  const { code, stdout } = await scene.carryon('download', url, '-o', 'copy.bin')
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'copy.bin\n' })
  expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(content)).toBe(true)
  const [done] = jsonLines((await scene.carryon('download', url, '-o', 'copy.bin', '--json', '-q')).stdout)
  expect(done).toMatchObject({ event: 'complete', url, bytes: MIB, path: 'copy.bin' })
})

test('download writes to standard output, and an empty file', async () => {
  const { url } = await upload('a', 'some text')
  expect((await scene.carryon('download', url, '-o', '-')).stdout).toBe('some text')
  const empty = await upload('b', '')
  expect((await scene.carryon('download', empty.url, '-o', 'c')).code).toBe(0)
  expect(readText(join(scene.dir, 'c'))).toBe('')
})

test('a download that was killed goes on where it was', async () => {
  const { url, content } = await upload('big.bin', 8 * MIB)
  const ranges: (string | undefined)[] = []
  const pass = forwardTo(scene.endpoint)
  const slow = await scene.serve((request, response) => {
    ranges.push(request.headers.range)
    if (ranges.length > 1) return pass(request, response)
    // The beginning, and then nothing more.
    response.writeHead(200, { ETag: `"${url.split('/').at(-1)}"`, 'Content-Length': content.length })
    return response.write(content.subarray(0, 3 * MIB))
  })
  const there = new URL(new URL(url).pathname, slow).href
  const first = scene.start(['download', there, '-o', 'copy.bin'])
  const part = join(scene.dir, 'copy.bin.part')
  while (!existsSync(part) || statSync(part).size < 3 * MIB) await delay(20)
  first.child.kill('SIGKILL')
  await first.finished
  const { code } = await scene.carryon('download', there, '-o', 'copy.bin')
  expect({ code, ranges }).toEqual({ code: 0, ranges: [undefined, `bytes=${3 * MIB}-`] })
  expect(readText(join(scene.dir, 'copy.bin'))).toBe(content.toString())
  expect(readdirSync(scene.dir).filter((name) => name.includes('.part'))).toEqual([])
})

test('what an earlier download left of something else is not mixed in', async () => {
  const { url } = await upload('a', 'new content')
  // Two servers may use the same tag for different things.
  const etag = `"${url.split('/').at(-1)}"`
  writeFileSync(join(scene.dir, 'copy.part'), 'old')
  writeFileSync(join(scene.dir, 'copy.part.json'), JSON.stringify({ url: 'http://elsewhere/', etag }))
  expect((await scene.carryon('download', url, '-o', 'copy')).code).toBe(0)
  expect(readText(join(scene.dir, 'copy'))).toBe('new content')
  writeFileSync(join(scene.dir, 'other.part'), 'old bytes, more than there are')
  writeFileSync(join(scene.dir, 'other.part.json'), JSON.stringify({ url, etag: '"x"' }))
  expect((await scene.carryon('download', url, '-o', 'other')).code).toBe(0)
  expect(readText(join(scene.dir, 'other'))).toBe('new content')
})

test('downloads that fail say why and leave nothing', async () => {
  const { code, stderr } = await scene.carryon('download', `${scene.endpoint}nosuch`, '-o', 'x')
  expect(code).toBe(3)
  expect(stderr).toMatch(/^carryon: x: cannot download: GET [^\n]* answered 404[^\n]*\n$/)
  expect(existsSync(join(scene.dir, 'x.part'))).toBe(false)
  const unwritable = await scene.carryon('download', `${scene.endpoint}nosuch`, '-o', 'no/such/dir/x')
  expect(unwritable).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^carryon: [^\n]*ENOENT[^\n]*\n$/),
  })
})

test('completion scripts come for every shell', async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await scene.carryon('completion', shell)
    expect(code).toBe(0)
    for (const word of ['upload', 'serve', 'limit-rate', 'completed-dir']) expect(stdout).toContain(word)
  }
})

test('the help lists the commands', async () => {
  const { stdout } = await scene.carryon('--help')
  for (const name of ['upload', 'uploads', 'info', 'download', 'delete', 'completion'])
    expect(stdout).toContain(`\n  ${name} `)
})

test('the help of upload tells every flag, variable and exit code', async () => {
  const { code, stdout } = await scene.carryon('upload', '--help')
  expect(code).toBe(0)
  const text = stdout.replaceAll(/\s+/g, ' ')
  for (const flag of [
    'chunk-size',
    'parallel',
    'jobs',
    'checksum',
    'limit-rate',
    'state',
    'proxy',
    'from-file',
  ]) {
    expect(text).toMatch(
      new RegExp(` --${flag} <[^>]+> .*CARRYON_${flag.replaceAll('-', '_').toUpperCase()}\\)`),
    )
  }
  for (const flag of ['verify', 'json', 'quiet', 'insecure', 'defer-length', 'no-resume'])
    expect(text).toContain(`--${flag} `)
  for (const exit of [0, 1, 2, 3, 4, 5, 130]) expect(stdout).toMatch(new RegExp(`^ +${exit} {2}\\S`, 'm'))
})
